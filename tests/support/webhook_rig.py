"""People who keep webhooks, for tests of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from alpr.alerts.v1 import webhook_service_pb2 as pb
from alpr.alerts.v1.webhook_service_pb2_grpc import WebhookServiceStub
from services.common.client import bearer
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import AlertsRig, AuditHost, settings_for
from tests.support.databases import MigratedDatabase
from tests.support.webhook_receiver import Receiver


class MovingClock:
    """The machine's clock, ahead by what the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time, ahead."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Keeper:
    """One person's calls of WebhookService."""

    rig: AlertsRig
    token: str = "dispatch"  # noqa: S105

    async def call(self, method: str, request: Any) -> Any:
        # The second channel is the one of people.
        stub = WebhookServiceStub(self.rig.channels[1])
        return await getattr(stub, method)(request, metadata=(bearer(self.token),), timeout=60)

    async def create(self, url: str, **fields: Any) -> pb.CreateWebhookResponse:
        usual = {
            "request_id": str(uuid4()),
            "name": "Dispatch",
            "url": url,
            "format": pb.WEBHOOK_FORMAT_CLOUD_EVENTS,
        }
        return await self.call("CreateWebhook", pb.CreateWebhookRequest(**{**usual, **fields}))

    async def approve(self, webhook_id: str, **fields: Any) -> pb.Webhook:
        request = pb.ApproveWebhookRequest(**{"request_id": str(uuid4()), "webhook_id": webhook_id, **fields})
        return (await self.call("ApproveWebhook", request)).webhook

    async def end(self, webhook_id: str) -> pb.Webhook:
        request = pb.EndWebhookRequest(request_id=str(uuid4()), webhook_id=webhook_id)
        return (await self.call("EndWebhook", request)).webhook

    async def rotate(self, webhook_id: str, **fields: Any) -> pb.RotateWebhookSecretResponse:
        request = pb.RotateWebhookSecretRequest(
            **{"request_id": str(uuid4()), "webhook_id": webhook_id, **fields}
        )
        return await self.call("RotateWebhookSecret", request)

    async def list(self) -> list[pb.Webhook]:
        request = pb.ListWebhooksRequest(request_id=str(uuid4()))
        return list((await self.call("ListWebhooks", request)).webhooks)

    async def letters(self, webhook_id: str, **fields: Any) -> pb.ListDeadLettersResponse:
        request = pb.ListDeadLettersRequest(
            **{"request_id": str(uuid4()), "webhook_id": webhook_id, **fields}
        )
        return await self.call("ListDeadLetters", request)

    async def retry(self, webhook_id: str, *sequences: int) -> pb.RetryDeadLettersResponse:
        request = pb.RetryDeadLettersRequest(
            request_id=str(uuid4()), webhook_id=webhook_id, sequences=sequences
        )
        return await self.call("RetryDeadLetters", request)


@dataclass
class Post:
    """A running service, its neighbour, a receiver, and who keeps webhooks: a centre, and the head."""

    rig: AlertsRig
    audit: AuditHost
    receiver: Receiver
    centre: Keeper
    head: Keeper

    async def hooked(self, **fields: Any) -> tuple[str, str]:
        """Id and secret of a webhook that posts to the receiver."""
        made = await self.centre.create(self.receiver.url, **fields)
        await self.head.approve(made.webhook.webhook_id)
        return made.webhook.webhook_id, made.secret


def webhook_settings(
    folder: Path, tls: DevelopmentAuthority, database: MigratedDatabase, audit_port: int, **changes: Any
) -> Any:
    """Settings of a process that may post to this machine, and is quick to take over."""
    quick: dict[str, Any] = {
        "webhook_networks": "127.0.0.0/8",
        "webhook_ca_file": tls.ca_file,
        "webhook_timeout_seconds": 2,
        "webhook_takeover_seconds": 0.5,
        "webhook_halted_seconds": 0.2,
    }
    return settings_for(folder, tls, database, audit_port, **{**quick, **changes})


@asynccontextmanager
async def posting(rig: AlertsRig, audit: AuditHost, receiver: Receiver) -> AsyncIterator[Post]:
    """The running parts, put together; stops the service at the end."""
    try:
        yield Post(rig, audit, receiver, Keeper(rig), Keeper(rig, "head"))
    finally:
        await rig.stop()
