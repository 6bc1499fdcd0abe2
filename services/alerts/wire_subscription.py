"""Requests about subscriptions into words of the service, and subscriptions into the contract."""

from dataclasses import dataclass
from uuid import UUID

from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.type.v1 import hit_pb2, sensor_pb2
from services.alerts.checks import Checks
from services.alerts.core.floor import FLOOR
from services.alerts.core.model import Partition
from services.alerts.core.subscription import Filter, widened
from services.alerts.store_subscriptions import Subscription
from services.alerts.wire import parse_partition
from services.alerts.wire_filter import filter_message, filter_text, parse_filter, stored_filter
from services.common.wire import to_timestamp

_LONGEST_NAME = 80
FLOOR_OF_THE_CONTRACT = [hit_pb2.HotListCategory.ValueType(category) for category in sorted(FLOOR)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants to hear of; `chosen` as it is stored. No subscription is named when it is new."""

    request_id: UUID
    partition: Partition
    subscription_id: UUID | None
    name: str
    chosen: str
    filter: Filter


@dataclass(frozen=True, slots=True)
class End:
    """Which subscription is to end."""

    request_id: UUID
    partition: Partition
    subscription_id: UUID


def parse_create(request: pb.CreateSubscriptionRequest) -> Choice:
    """The subscription that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    choice = _choice(request, None, checks)
    checks.raise_if_any()
    return choice


def parse_update(request: pb.UpdateSubscriptionRequest) -> Choice:
    """The change that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    choice = _choice(request, checks.uuid("subscription_id", request.subscription_id), checks)
    checks.raise_if_any()
    return choice


def parse_end(request: pb.EndSubscriptionRequest) -> End:
    """The end that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    end = End(
        request_id=checks.uuid("request_id", request.request_id),
        partition=parse_partition(request.partition, checks),
        subscription_id=checks.uuid("subscription_id", request.subscription_id),
    )
    checks.raise_if_any()
    return end


def parse_list(request: pb.ListSubscriptionsRequest) -> Partition:
    """The data set that is asked about. Raises InvalidFieldError."""
    checks = Checks()
    partition = parse_partition(request.partition, checks)
    checks.raise_if_any()
    return partition


def encode_subscription(subscription: Subscription) -> pb.Subscription:
    """The subscription, with what of it does not hold for the floor (IV.D.2)."""
    return pb.Subscription(
        subscription_id=str(subscription.subscription_id),
        name=subscription.name,
        filter=filter_message(subscription.chosen),
        partition=sensor_pb2.Partition.ValueType(subscription.partition),
        create_time=to_timestamp(subscription.create_time),
        change_time=to_timestamp(subscription.change_time),
        version=subscription.version,
        widened=widened(stored_filter(subscription.chosen)),
        floor=FLOOR_OF_THE_CONTRACT,
    )


def _choice(
    request: pb.CreateSubscriptionRequest | pb.UpdateSubscriptionRequest,
    subscription_id: UUID | None,
    checks: Checks,
) -> Choice:
    return Choice(
        request_id=checks.uuid("request_id", request.request_id),
        partition=parse_partition(request.partition, checks),
        subscription_id=subscription_id,
        name=checks.text("name", request.name, longest=_LONGEST_NAME),
        chosen=filter_text(request.filter),
        filter=parse_filter(request.filter, checks.within("filter")),
    )
