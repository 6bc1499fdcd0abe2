"""The servicer of alpr.alerts.v1.WebhookService: decode, call, encode."""

from alpr.alerts.v1 import webhook_service_pb2 as pb
from alpr.alerts.v1 import webhook_service_pb2_grpc as rpc
from services.alerts import wire_webhooks as wire
from services.alerts.app_webhooks import Shown, Webhooks
from services.alerts.callers import token_of
from services.common.identity import Context
from services.common.wire import to_timestamp


class WebhookServicer(rpc.WebhookServiceServicer):
    """See webhook_service.proto."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def CreateWebhook(
        self, request: pb.CreateWebhookRequest, context: Context
    ) -> pb.CreateWebhookResponse:
        """See webhook_service.proto."""
        shown = await self._webhooks.create(wire.parse_create(request), token_of(context))
        return pb.CreateWebhookResponse(webhook=_encode(shown), secret=shown.secret)

    async def ApproveWebhook(
        self, request: pb.ApproveWebhookRequest, context: Context
    ) -> pb.ApproveWebhookResponse:
        """See webhook_service.proto."""
        shown = await self._webhooks.approve(wire.parse_about(request), token_of(context))
        return pb.ApproveWebhookResponse(webhook=_encode(shown))

    async def EndWebhook(self, request: pb.EndWebhookRequest, context: Context) -> pb.EndWebhookResponse:
        """See webhook_service.proto."""
        shown = await self._webhooks.end(wire.parse_about(request), token_of(context))
        return pb.EndWebhookResponse(webhook=_encode(shown))

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        """See webhook_service.proto."""
        secret, until = await self._webhooks.rotate(wire.parse_about(request), token_of(context))
        return pb.RotateWebhookSecretResponse(secret=secret, previous_until=to_timestamp(until))

    async def ListWebhooks(
        self, request: pb.ListWebhooksRequest, context: Context
    ) -> pb.ListWebhooksResponse:
        """See webhook_service.proto."""
        found = await self._webhooks.list(wire.parse_list(request), token_of(context))
        return pb.ListWebhooksResponse(webhooks=map(_encode, found))

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """See webhook_service.proto."""
        page = wire.parse_letters(request)
        letters, has_more = await self._webhooks.dead_letters(page, token_of(context))
        return pb.ListDeadLettersResponse(letters=map(wire.encode_letter, letters), has_more=has_more)

    async def RetryDeadLetters(
        self, request: pb.RetryDeadLettersRequest, context: Context
    ) -> pb.RetryDeadLettersResponse:
        """See webhook_service.proto."""
        about, sequences = wire.parse_retry(request)
        retried, left_out = await self._webhooks.retry(about, sequences, token_of(context))
        return pb.RetryDeadLettersResponse(retried=retried, left_out=left_out)


def _encode(shown: Shown) -> pb.Webhook:
    return wire.encode_webhook(shown.kept, shown.health)
