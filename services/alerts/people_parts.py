"""What people choose to hear of and ask about, put together: subscriptions and lists of alerts."""

from dataclasses import dataclass

from alpr.alerts.v1 import alert_search_service_pb2_grpc as search_rpc
from alpr.alerts.v1 import subscription_service_pb2_grpc as subscription_rpc
from services.alerts.app_acts import AlertActs
from services.alerts.app_list import AlertLists
from services.alerts.app_subscriptions import SubscriptionActs
from services.alerts.audit import AuditClient
from services.alerts.page_tokens import PageSealer
from services.alerts.server_list import AlertSearchServicer
from services.alerts.server_subscription import SubscriptionServicer
from services.alerts.store import AlertStore
from services.alerts.store_list import ListStore
from services.alerts.store_subscriptions import SubscriptionStore
from services.alerts.store_writer import Change, Done
from services.common.clock import Clock
from services.common.groupcommit import GroupCommit
from services.common.pg import Pool
from services.common.server import ServerBuilder

SUBSCRIPTION_SERVICE = "alpr.alerts.v1.SubscriptionService"
SEARCH_SERVICE = "alpr.alerts.v1.AlertSearchService"


@dataclass(frozen=True, slots=True)
class PeopleParts:
    """The two services."""

    subscriptions: SubscriptionServicer
    lists: AlertSearchServicer

    def add_to(self, builder: ServerBuilder) -> None:
        """Serves them."""
        builder.add(
            SUBSCRIPTION_SERVICE,
            subscription_rpc.add_SubscriptionServiceServicer_to_server,
            self.subscriptions,
        )
        builder.add(SEARCH_SERVICE, search_rpc.add_AlertSearchServiceServicer_to_server, self.lists)


def people_parts(
    pool: Pool, writes: GroupCommit[Change, Done], audit: AuditClient, token_key: bytes, clock: Clock
) -> PeopleParts:
    """The services over `pool`; page tokens are sealed with `token_key`."""
    store = AlertStore(pool)
    acts = AlertActs(store, writes, audit, clock)
    subscriptions = SubscriptionActs(acts, SubscriptionStore(pool), audit)
    lists = AlertLists(audit, ListStore(pool), PageSealer(token_key), clock)
    return PeopleParts(SubscriptionServicer(subscriptions), AlertSearchServicer(lists))
