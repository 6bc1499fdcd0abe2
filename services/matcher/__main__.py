"""`python -m services.matcher`: the wiring, from the database up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import grpc

from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.matcher.v1 import export_service_pb2_grpc as export_grpc
from alpr.matcher.v1 import hot_list_service_pb2_grpc as lists_grpc
from alpr.matcher.v1 import local_list_service_pb2_grpc as local_grpc
from alpr.matcher.v1 import match_service_pb2_grpc as match_grpc
from alpr.matcher.v1 import scope_service_pb2_grpc as scope_grpc
from alpr.matcher.v1 import tuning_service_pb2_grpc as tuning_grpc
from services.common import logs
from services.common.client import service_channel
from services.common.clock import Clock, SystemClock
from services.common.clock_check import clock_check
from services.common.errors import AlprError
from services.common.paged_export import PagedExport
from services.common.pg import Listener, Pool, open_pool
from services.common.sensors import SensorRegistry
from services.common.server import ServerBuilder, run, serve
from services.common.settings import SystemSettings
from services.matcher.agreement_feed import AgreementFeed
from services.matcher.app_acts import Acts
from services.matcher.app_agreements import AgreementFollower
from services.matcher.app_expiry import ExpiryWatch
from services.matcher.app_export import HotListExports
from services.matcher.app_history import History
from services.matcher.app_index import IndexFollower
from services.matcher.app_list_tally import ListTally
from services.matcher.app_lists import HotLists
from services.matcher.app_local import LocalLists
from services.matcher.app_look_back import LookBack, LookBackTerms
from services.matcher.app_prepare import Preparer
from services.matcher.app_reads import ReadIntake, Tally
from services.matcher.app_replica import ReplicaReporter, RevisionsInUse
from services.matcher.app_scope import Matrix
from services.matcher.app_status import SensorStatuses
from services.matcher.app_tally import LocalTally
from services.matcher.app_tuning import Tuner, TuningView
from services.matcher.app_uploads import Uploads
from services.matcher.config import MatcherSettings
from services.matcher.neighbours import AlertsClient, ArchiveClient, AuditClient
from services.matcher.server import HotListServicer, MatchServicer
from services.matcher.server_export import HotListExportServicer
from services.matcher.server_local import LocalListServicer
from services.matcher.server_scope import ScopeServicer
from services.matcher.server_tuning import TuningServicer
from services.matcher.snapshots import Snapshots
from services.matcher.spool import Spool
from services.matcher.store_acts import ActStore
from services.matcher.store_difference import DifferenceStore
from services.matcher.store_expiry import ExpiryStore
from services.matcher.store_export import ExportStore
from services.matcher.store_history import HistoryStore
from services.matcher.store_index import IndexStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_local import LocalStore
from services.matcher.store_look_back import LookBackStore
from services.matcher.store_revision import CHANNEL
from services.matcher.store_scope import ScopeStore
from services.matcher.store_tuning import TuningStore
from services.matcher.store_versions import VersionStore
from services.matcher.warm_up import warm_up

# So long does the start wait for the lists; after it the server says NOT_SERVING until they are loaded.
_FIRST_LOAD_S: Final = 20.0
_AUDIT_DEADLINE_S: Final = 10.0


async def build(settings: MatcherSettings, clock: Clock) -> ServerBuilder:
    """The server of the matcher, with all that works behind it under way."""
    builder = ServerBuilder(settings, name="matcher")
    pool = await open_pool(settings.database_url, application_name="matcher", max_size=16)
    builder.on_stop(pool.close)
    audit = _channel(builder, settings, "audit", settings.audit_target)
    alerts = _channel(builder, settings, "alerts", settings.alerts_target)
    search = _channel(builder, settings, "search", settings.search_target)
    sensors = SensorRegistry(SensorServiceStub(audit), clock)
    await sensors.start()
    builder.on_stop(sensors.stop)
    versions = IndexStore(pool, Snapshots(settings.snapshot_dir))
    index = await _index(builder, settings, versions, clock)
    acts = Acts(AuditClient(audit), ActStore(pool), clock)
    builder.on_stop(_in_background(acts.keep_settling()))
    hot_lists, uploads, history = _lists(settings, pool, acts, index, versions, clock)
    agreements = _add_scope(builder, audit, acts, ScopeStore(pool), index, clock)
    local_tally = _add_local_lists(builder, acts, LocalStore(pool), index, sensors, clock)
    road = _Road(index, sensors, agreements, ArchiveClient(search), AlertsClient(alerts), RevisionsInUse())
    tally = _add_tuning(builder, road.alerts, acts, pool, clock, settings)
    intake = _intake(road, (local_tally, tally), clock, settings)
    builder.on_stop(_in_background(ExpiryWatch(ExpiryStore(pool), clock).keep_watching()))
    told = SystemSettings(SettingsServiceStub(audit))
    told.start()
    builder.on_stop(told.stop)
    terms = LookBackTerms(lambda: told.value("look_back_hours", settings.look_back_hours), settings.matching)
    await _look_back(builder, road, LookBackStore(pool), clock, terms)
    statuses = SensorStatuses(sensors, road.archive)
    matching = MatchServicer(sensors, intake, statuses, index, hot_lists, clock, settings.batches_in_flight)
    add_lists = lists_grpc.add_HotListServiceServicer_to_server
    builder.add("alpr.matcher.v1.HotListService", add_lists, HotListServicer(hot_lists, uploads, history))
    _add_export(builder, audit, pool)
    builder.add("alpr.matcher.v1.MatchService", match_grpc.add_MatchServiceServicer_to_server, matching)
    return builder.health_check(index.check).health_check(clock_check(pool))


@dataclass(frozen=True, slots=True)
class _Road:
    """What a read passes, whether it comes from a camera or from the archive once more."""

    index: IndexFollower
    sensors: SensorRegistry
    agreements: AgreementFollower
    archive: ArchiveClient
    alerts: AlertsClient
    in_use: RevisionsInUse


def _intake(road: _Road, tallies: tuple[Tally, ...], clock: Clock, settings: MatcherSettings) -> ReadIntake:
    return ReadIntake(
        sensors=road.sensors,
        agreements=road.agreements,
        lists=road.index,
        archive=road.archive,
        alerts=road.alerts,
        tallies=tallies,
        in_use=road.in_use,
        clock=clock,
        settings=settings.matching,
    )


async def _look_back(
    builder: ServerBuilder, road: _Road, store: LookBackStore, clock: Clock, terms: LookBackTerms
) -> None:
    """Has the other replicas know of this one, and draws the consequences of changes of the lists."""
    reporter = ReplicaReporter(store, road.index, road.in_use)
    builder.on_stop(reporter.leave)
    with contextlib.suppress(AlprError):
        await reporter.report()
    builder.on_stop(_in_background(reporter.keep_reporting()))
    look_back = LookBack(
        changes=store,
        lists=road.index,
        in_use=road.in_use,
        sensors=road.sensors,
        agreements=road.agreements,
        archive=road.archive,
        alerts=road.alerts,
        clock=clock,
        terms=terms,
    )
    for urgent in (True, False):
        builder.on_stop(_in_background(look_back.keep_looking(urgent=urgent)))


def _add_local_lists(  # noqa: PLR0913, PLR0917 - wiring
    builder: ServerBuilder,
    acts: Acts,
    store: LocalStore,
    index: IndexFollower,
    sensors: SensorRegistry,
    clock: Clock,
) -> LocalTally:
    """Serves local lists and keeps count of what they match."""
    local_lists = LocalLists(acts=acts, store=store, index=index, sensors=sensors, clock=clock)
    servicer = LocalListServicer(local_lists, clock)
    add = local_grpc.add_LocalListServiceServicer_to_server
    builder.add("alpr.matcher.v1.LocalListService", add, servicer)
    tally = LocalTally(acts, store, clock)
    builder.on_stop(_in_background(tally.keep_settling()))
    return tally


def _add_tuning(  # noqa: PLR0913, PLR0917 - wiring
    builder: ServerBuilder,
    alerts: AlertsClient,
    acts: Acts,
    pool: Pool,
    clock: Clock,
    settings: MatcherSettings,
) -> ListTally:
    """Puts the budgets of lists right, shows them, and keeps the count that this stands on."""
    store, budget = TuningStore(pool), settings.matching.budget
    tuner = Tuner(alerts=alerts, store=store, acts=acts, clock=clock, budget=budget)
    builder.on_stop(_in_background(tuner.keep_tuning()))
    servicer = TuningServicer(TuningView(acts, HotListStore(pool), store, budget))
    builder.add("alpr.matcher.v1.TuningService", tuning_grpc.add_TuningServiceServicer_to_server, servicer)
    tally = ListTally(store, clock)
    builder.on_stop(_in_background(tally.keep_settling()))
    return tally


def _add_export(builder: ServerBuilder, audit: grpc.aio.Channel, pool: Pool) -> None:
    """Lets the agency take its lists with it."""
    records = PagedExport(
        audit, look="hot_list.export", leave="hot_list.leave", timeout_seconds=_AUDIT_DEADLINE_S
    )
    servicer = HotListExportServicer(HotListExports(records, ExportStore(pool)))
    add = export_grpc.add_HotListExportServiceServicer_to_server
    builder.add("alpr.matcher.v1.HotListExportService", add, servicer)


def _add_scope(  # noqa: PLR0913, PLR0917 - wiring
    builder: ServerBuilder,
    audit: grpc.aio.Channel,
    acts: Acts,
    store: ScopeStore,
    index: IndexFollower,
    clock: Clock,
) -> AgreementFollower:
    """Follows agreements and serves the matrix."""
    agreements = AgreementFollower(AgreementFeed(GovernanceServiceStub(audit)), store)
    builder.on_stop(_in_background(agreements.follow()))
    servicer = ScopeServicer(Matrix(acts, store, index, clock))
    add = scope_grpc.add_ScopeServiceServicer_to_server
    builder.add("alpr.matcher.v1.ScopeService", add, servicer)
    return agreements


def _channel(builder: ServerBuilder, settings: MatcherSettings, name: str, target: str) -> grpc.aio.Channel:
    made = service_channel(target, settings.client_tls, server_name=name)
    builder.on_stop(made.close)
    return made


async def _index(
    builder: ServerBuilder, settings: MatcherSettings, versions: IndexStore, clock: Clock
) -> IndexFollower:
    """The index, following the database, and loaded unless the database is away."""
    await asyncio.to_thread(warm_up)
    index = IndexFollower(versions, clock, settings.home_state)
    listener = Listener(settings.database_url, CHANNEL, index.wake)
    await listener.__aenter__()
    builder.on_stop(lambda: listener.__aexit__(None, None, None))
    builder.on_stop(_in_background(index.follow()))
    with contextlib.suppress(AlprError):
        await index.reach(0, _FIRST_LOAD_S)
    builder.on_stop(_in_background(Preparer(versions).keep_preparing()))
    return index


def _lists(  # noqa: PLR0913, PLR0917 - wiring
    settings: MatcherSettings,
    pool: Pool,
    acts: Acts,
    index: IndexFollower,
    versions: IndexStore,
    clock: Clock,
) -> tuple[HotLists, Uploads, History]:
    """What people do with hot lists, put into them, and see of them."""
    share = settings.upload_removed_share
    lists, history = HotListStore(pool), HistoryStore(pool)
    uploads = Uploads(
        acts=acts,
        lists=lists,
        versions=VersionStore(pool),
        history=history,
        spool=Spool(settings.upload_spool_dir),
        clock=clock,
        removed_share=share,
    )
    seen = History(
        acts=acts,
        lists=lists,
        history=history,
        differences=DifferenceStore(pool),
        removed_share=share,
    )
    hot_lists = HotLists(
        acts=acts, lists=lists, index=index, versions=versions, clock=clock, removed_share=share
    )
    return hot_lists, uploads, seen


def _in_background(work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
    """Starts `work`; what comes back ends it."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.wait({task})

    return end


async def main() -> None:
    """Serves until it is told to stop."""
    settings = MatcherSettings.from_environment()
    logs.configure("matcher", level=settings.log_level, log_format=settings.log_format)
    await serve(await build(settings, SystemClock()))


if __name__ == "__main__":
    run(main())
