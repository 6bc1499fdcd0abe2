"""All that keeps reads no longer than they may be: the setting, the daily purge, holds, and their RPCs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import structlog

from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.search.v1 import retention_service_pb2
from alpr.search.v1.retention_service_pb2_grpc import add_RetentionServiceServicer_to_server
from services.common.clock import SystemClock
from services.common.errors import AlprError, StorageUnavailableError
from services.common.keyfile import read_key
from services.common.objects import ObjectStore
from services.common.pg import Pool
from services.common.retention import Retention, RetentionFollower
from services.common.server import ServerBuilder
from services.search.acts import Acts
from services.search.app_holds import HoldHouse, Holds
from services.search.app_retention import RetentionOffice
from services.search.config import SearchSettings
from services.search.core.houses import ARCHIVE, HouseNames
from services.search.day_images import DayImages
from services.search.department import add_export, department_house
from services.search.departures import Departures
from services.search.held_images import HeldImages
from services.search.hold_keys import HoldKeys
from services.search.purge import HeldHouse, Keeping, Purger
from services.search.road import QuestionRoad
from services.search.server_retention import RetentionServer
from services.search.store_held import HeldStore
from services.search.store_holds import HoldStore
from services.search.store_purge import PurgeStore
from services.search.store_upkeep import UpkeepStore

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

log = structlog.get_logger()

_SERVICE: Final = retention_service_pb2.DESCRIPTOR.services_by_name["RetentionService"].full_name
# How soon after midnight (UTC) a day ends, and how soon what was interrupted is taken up.
_LOOK_EVERY_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 60.0
_FIRST_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class RetentionPools:
    """Connections of a data set: those that end its days, and those that ask."""

    purge: Pool
    questions: Pool


@dataclass(frozen=True, slots=True)
class House:
    """What the rest of search has already of a data set.

    Attributes:
        pools: Its connections.
        road: That of its questions.
        departures: That of its files.
        kek_file: The key that wraps those of its holds.
    """

    names: HouseNames
    pools: RetentionPools
    road: QuestionRoad
    departures: Departures
    kek_file: Path

    def held(self, objects: ObjectStore) -> HeldHouse:
        """What its holds need when a day ends."""
        setting = "PW_HOLD_KEK_FILE" if self.names is ARCHIVE else "PW_MCS_HOLD_KEK_FILE"
        keys = HoldKeys(read_key(self.kek_file, setting))
        store = HeldStore(self.pools.purge, self.names)
        return HeldHouse(self.names, store, HeldImages(objects, self.names), keys)

    def holds(self, stub: AuthorizationServiceAsyncStub, patience: float, held: HeldHouse) -> Holds:
        """Its holds, for people; audit has `patience` seconds for an answer."""
        acts = Acts(stub, patience, self.names)
        store = HoldStore(self.pools.purge, self.pools.questions, self.names)
        return Holds(acts, HoldHouse(store, held.images, held.keys), self.road)


@dataclass(frozen=True, slots=True)
class Houses:
    """Both data sets."""

    archive: House
    apart: House

    @property
    def both(self) -> tuple[House, House]:
        """The archive first: its purge keeps the account of the day."""
        return self.archive, self.apart

    @property
    def by_partition(self) -> tuple[tuple[bool, House], tuple[bool, House]]:
        """Both, the Motor Carrier Safety data set as True."""
        return (False, self.archive), (True, self.apart)


class DailyPurge:
    """Purges once a UTC day, and takes up what was interrupted, also acts; for as long as it runs."""

    def __init__(self, purger: Purger, holds: Collection[Holds], retention: RetentionFollower) -> None:
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
                    for holds in self._holds:
                        await holds.settle()
                    await self._purger.run_if_due()
                    pause = _LOOK_EVERY_SECONDS
            except AlprError as error:
                log.warning("purge_put_off", error=type(error).__name__)
            except Exception:
                # Whatever it is: what is over must not stay because one purge failed.
                log.exception("purge_failed")


class RestoreWatch:
    """Keeps the service from serving while a declared restore may have brought back what had ended."""

    def __init__(self, store: PurgeStore) -> None:
        self._store = store
        self._is_over = False

    async def check(self) -> None:
        """Returns when nothing of it is left.

        Raises:
            StorageUnavailableError: The purge of what came back has not ended yet.
        """
        if self._is_over:
            return
        if await self._store.restore_is_open():
            raise StorageUnavailableError("what a restore brought back has not ended yet")
        self._is_over = True


def add_retention(
    builder: ServerBuilder, settings: SearchSettings, audit: grpc.aio.Channel, houses: Houses
) -> ServerBuilder:
    """`builder` with RetentionService; follows the setting and purges from now on until the server stops."""
    store = PurgeStore(houses.archive.pools.purge, houses.apart.pools.purge)
    upkeeps = [UpkeepStore(one.pools.purge, one.names.schema) for one in houses.both]

    async def follow(told: Retention) -> None:
        await store.follow(told.statement)
        # A longer period has days without a partition.
        for upkeep in upkeeps:
            await upkeep.ensure_partitions()

    retention = RetentionFollower(SettingsServiceStub(audit), follow)
    stub, patience = AuthorizationServiceStub(audit), settings.audit_timeout_seconds
    acts = Acts(stub, patience)
    objects = settings.image_store()
    kept = [one.held(objects) for one in houses.both]
    keeping = Keeping(DayImages(objects), kept)
    purger = Purger(store, keeping, acts, retention, backup_days=settings.backup_days)
    office = RetentionOffice(acts, store, purger, keeping, retention)
    pairs = zip(houses.by_partition, kept, strict=True)
    holds = {apart: one.holds(stub, patience, held) for (apart, one), held in pairs}
    daily = DailyPurge(purger, holds.values(), retention)
    retention.start()
    daily.start()
    server = RetentionServer(office, holds, SystemClock())
    exported = {
        apart: department_house(one.names, holds[apart], one.departures) for apart, one in houses.by_partition
    }
    return (
        add_export(builder, acts, exported)
        .health_check(RestoreWatch(store).check)
        .add(_SERVICE, add_RetentionServiceServicer_to_server, server)
        .on_stop(retention.stop)
        .on_stop(daily.stop)
        .on_stop(office.close)
    )
