"""The parts of dispatch, put together for the process."""

from dataclasses import dataclass

from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import dispatch_service_pb2_grpc as dispatch_rpc
from services.alerts.app_acts import AlertActs
from services.alerts.app_assets import Assets
from services.alerts.app_dispatch import Dispatch
from services.alerts.audit import AuditClient
from services.alerts.bells import Bells
from services.alerts.dispatch_streams import DispatchStreams
from services.alerts.entitlement import EntitlementTerms
from services.alerts.leases import Leases
from services.alerts.server_assets import AssetServicer
from services.alerts.server_dispatch import DispatchServicer
from services.alerts.store import AlertStore
from services.alerts.store_assets import AssetStore
from services.alerts.store_messages import MessageStore
from services.alerts.store_timers import TimerStore
from services.alerts.store_writer import Change, Done
from services.alerts.subscription import Pace
from services.alerts.timers import TimerWatch
from services.common.clock import Clock
from services.common.groupcommit import GroupCommit
from services.common.pg import Pool
from services.common.server import ServerBuilder

ASSET_SERVICE = "alpr.alerts.v1.AssetService"
DISPATCH_SERVICE = "alpr.alerts.v1.DispatchService"


@dataclass(frozen=True, slots=True)
class Ground:
    """What dispatch stands on, with the rest of the service."""

    pool: Pool
    writes: GroupCommit[Change, Done]
    audit: AuditClient
    terms: EntitlementTerms
    clock: Clock
    pace: Pace


@dataclass(frozen=True, slots=True)
class DispatchParts:
    """Servicers, and what runs beside them: `timers` as a task, `bells` rung by `alerts_dispatch`."""

    assets: AssetServicer
    dispatch: DispatchServicer
    timers: TimerWatch
    bells: Bells

    def add_to(self, builder: ServerBuilder) -> None:
        """Serves them."""
        builder.add(ASSET_SERVICE, asset_rpc.add_AssetServiceServicer_to_server, self.assets)
        builder.add(DISPATCH_SERVICE, dispatch_rpc.add_DispatchServiceServicer_to_server, self.dispatch)


def dispatch_parts(ground: Ground) -> DispatchParts:
    """The parts, at rest."""
    pool, writes, audit, clock = ground.pool, ground.writes, ground.audit, ground.clock
    store, assets, messages = AlertStore(pool), AssetStore(pool), MessageStore(pool)
    acts, leases, bells = AlertActs(store, writes, audit, clock), Leases(audit, clock), Bells()
    dispatch = Dispatch(acts, store, assets, messages, writes, audit, leases, clock)
    streams = DispatchStreams(assets, messages, bells, clock, ground.pace)
    return DispatchParts(
        assets=AssetServicer(Assets(acts, assets, audit, leases), clock),
        dispatch=DispatchServicer(dispatch, streams, ground.terms, clock),
        timers=TimerWatch(TimerStore(pool), writes),
        bells=bells,
    )
