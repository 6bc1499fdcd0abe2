"""All that keeps reads no longer than they may be: the setting, the daily purge, holds, and their RPCs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import grpc
import structlog

from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.search.v1 import retention_service_pb2
from alpr.search.v1.retention_service_pb2_grpc import add_RetentionServiceServicer_to_server
from services.common.clock import SystemClock
from services.common.errors import AlprError
from services.common.keyfile import read_key
from services.common.pg import Pool
from services.common.retention import Retention, RetentionFollower
from services.common.server import ServerBuilder
from services.search.acts import Acts
from services.search.app_holds import Holds
from services.search.app_retention import RetentionOffice
from services.search.config import SearchSettings
from services.search.day_images import DayImages
from services.search.department import add_export, archive_house
from services.search.departures import Departures
from services.search.purge import Purger
from services.search.road import QuestionRoad
from services.search.server_retention import RetentionServer
from services.search.store_holds import HoldStore
from services.search.store_purge import PurgeStore
from services.search.store_upkeep import UpkeepStore

log = structlog.get_logger()

_SERVICE: Final = retention_service_pb2.DESCRIPTOR.services_by_name["RetentionService"].full_name
# How soon after midnight (UTC) a day ends, and how soon what was interrupted is taken up.
_LOOK_EVERY_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 60.0
_FIRST_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class RetentionPools:
    """Connections: of search_purge, of search_mcs_purge, and of search_question."""

    purge: Pool
    apart: Pool
    questions: Pool


@dataclass(frozen=True, slots=True)
class Beside:
    """What the rest of search has already: the way to audit, the road of questions, and that of files."""

    audit: grpc.aio.Channel
    road: QuestionRoad
    departures: Departures


class DailyPurge:
    """Purges once a UTC day, and takes up what was interrupted, also acts; for as long as it runs."""

    def __init__(self, purger: Purger, holds: Holds, retention: RetentionFollower) -> None:
        self._purger = purger
        self._holds = holds
        self._retention = retention
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends it; a purge that is under way is taken up at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _AGAIN_SECONDS
            try:
                if self._retention.is_known:
                    await self._holds.settle()
                    await self._purger.run_if_due()
                    pause = _LOOK_EVERY_SECONDS
            except AlprError as error:
                log.warning("purge_put_off", error=type(error).__name__)
            except Exception:
                # Whatever it is: what is over must not stay because one purge failed.
                log.exception("purge_failed")


def add_retention(
    builder: ServerBuilder,
    settings: SearchSettings,
    pools: RetentionPools,
    beside: Beside,
) -> ServerBuilder:
    """`builder` with RetentionService; follows the setting and purges from now on until the server stops."""
    store, upkeep = PurgeStore(pools.purge, pools.apart), UpkeepStore(pools.purge)
    upkeep_apart = UpkeepStore(pools.apart, "motor_carrier")

    async def follow(told: Retention) -> None:
        await store.follow(told.statement)
        # A longer period has days without a partition.
        await upkeep.ensure_partitions()
        await upkeep_apart.ensure_partitions()

    retention = RetentionFollower(SettingsServiceStub(beside.audit), follow)
    acts = Acts(AuthorizationServiceStub(beside.audit), settings.audit_timeout_seconds)
    images = DayImages(settings.image_store(), read_key(settings.hold_kek_file, "PW_HOLD_KEK_FILE"))
    purger = Purger(store, images, acts, retention, backup_days=settings.backup_days)
    office = RetentionOffice(acts, store, purger, images, retention)
    holds = Holds(acts, HoldStore(pools.purge, pools.questions), images, beside.road)
    daily = DailyPurge(purger, holds, retention)
    retention.start()
    daily.start()
    server = RetentionServer(office, holds, SystemClock())
    builder = add_export(builder, acts, {False: archive_house(holds, beside.departures)})
    return (
        builder.add(_SERVICE, add_RetentionServiceServicer_to_server, server)
        .on_stop(retention.stop)
        .on_stop(daily.stop)
        .on_stop(office.close)
    )
