"""The servicer of alpr.alerts.v1.SubscriptionService: decode, call, encode."""

from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as rpc
from services.alerts.app_subscriptions import SubscriptionActs
from services.alerts.callers import token_of
from services.alerts.wire_subscription import (
    FLOOR_OF_THE_CONTRACT,
    encode_subscription,
    parse_create,
    parse_end,
    parse_list,
    parse_update,
)
from services.common.identity import Context


class SubscriptionServicer(rpc.SubscriptionServiceServicer):
    """See subscription_service.proto."""

    def __init__(self, subscriptions: SubscriptionActs) -> None:
        self._subscriptions = subscriptions

    async def CreateSubscription(
        self, request: pb.CreateSubscriptionRequest, context: Context
    ) -> pb.CreateSubscriptionResponse:
        """See subscription_service.proto."""
        made = await self._subscriptions.choose(parse_create(request), token_of(context))
        return pb.CreateSubscriptionResponse(subscription=encode_subscription(made))

    async def UpdateSubscription(
        self, request: pb.UpdateSubscriptionRequest, context: Context
    ) -> pb.UpdateSubscriptionResponse:
        """See subscription_service.proto."""
        changed = await self._subscriptions.choose(parse_update(request), token_of(context))
        return pb.UpdateSubscriptionResponse(subscription=encode_subscription(changed))

    async def EndSubscription(
        self, request: pb.EndSubscriptionRequest, context: Context
    ) -> pb.EndSubscriptionResponse:
        """See subscription_service.proto."""
        await self._subscriptions.end(parse_end(request), token_of(context))
        return pb.EndSubscriptionResponse()

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """See subscription_service.proto."""
        found = await self._subscriptions.list(parse_list(request), token_of(context))
        return pb.ListSubscriptionsResponse(
            subscriptions=[encode_subscription(one) for one in found], floor=FLOOR_OF_THE_CONTRACT
        )
