"""Days that are over, with reads and images in them, and a purge of them with a log of the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid5

import asyncpg

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import AuditUnavailableError, RequestIdReusedError
from services.common.imagecrypt import image_key, seal_image, wrap_day_key
from services.common.objects import FileObjectStore
from services.common.pg import Pool, open_pool
from services.common.retention import Retention, RetentionFollower
from services.search.acts import ActPlan, Acts, Intent
from services.search.audit_gateway import Receipts
from services.search.core.houses import ARCHIVE, HouseNames
from services.search.core.reads import JudgedRead, shortcoming
from services.search.day_images import DayImages
from services.search.held_images import HeldImages
from services.search.hold_keys import HoldKeys
from services.search.purge import HeldHouse, Keeping, Purger
from services.search.store_append import AppendStore
from services.search.store_held import HeldStore
from services.search.store_holds import HoldStore
from services.search.store_purge import PurgeStore
from services.search.wire_append import parse_append
from tests.support.databases import MigratedDatabase
from tests.support.search_holds import HOUSES, LOGINS
from tests.support.search_kit import archived_read
from tests.support.settings import RECORDS_SERIES

OCR_KEK = b"o" * 32
HOLD_KEKS = {"archive": b"h" * 32, "motor_carrier": b"m" * 32}
_NAMESPACE = UUID("00000000-0000-5000-8000-000000000001")


def day_ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


@dataclass
class TestLog:
    """Takes acts as audit does: an act that comes again is the same one, and may not say something else."""

    __test__ = False

    intents: dict[UUID, ActPlan] = field(default_factory=dict)
    outcomes: dict[UUID, Mapping[str, str] | None] = field(default_factory=dict)
    away: bool = False

    async def begin(self, plan: ActPlan) -> Intent:
        self._check()
        intent_id = uuid5(_NAMESPACE, str(plan.request_id))
        if self.intents.setdefault(intent_id, plan) != plan:
            raise RequestIdReusedError("another act")
        return Intent(intent_id, "search", "")

    async def done(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        self._check()
        assert intent_id in self.intents
        if self.outcomes.setdefault(intent_id, dict(details)) != details:
            raise RequestIdReusedError("another outcome")
        return Receipts(AuditReceipt(log_index=1), AuditReceipt(log_index=2))

    async def failed(self, intent_id: UUID) -> None:
        assert self.outcomes.setdefault(intent_id, None) is None

    def certificates(self) -> list[Mapping[str, str]]:
        return [one for one in self.outcomes.values() if one is not None]

    def _check(self) -> None:
        if self.away:
            raise AuditUnavailableError("away")


@dataclass
class Rig:
    """A purger on a real database and a real folder."""

    database: MigratedDatabase
    folder: Path
    log: TestLog
    store: PurgeStore
    keeping: Keeping
    objects: FileObjectStore
    purger: Purger
    pools: Mapping[str, Pool]

    @property
    def images(self) -> DayImages:
        return self.keeping.images

    def house(self, names: HouseNames) -> HeldHouse:
        """What holds of the data set need."""
        return next(one for one in self.keeping.houses if one.names is names)

    def holds(self, names: HouseNames) -> HoldStore:
        """The holds of the data set."""
        purge, question = LOGINS[names.schema]
        return HoldStore(self.pools[purge], self.pools[question], names)

    async def admin(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement of the database's administrator."""
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def plant(self, reads: Sequence[archive_pb.ArchivedRead], names: HouseNames = ARCHIVE) -> None:
        """Stores reads whatever their age, each with its image under its day's key."""
        for read in reads:
            await plant_image(self.objects, read, names)
        for day in {date.fromisoformat(one.read.image.day) for one in reads}:
            await add_day(self.database, day, names)
        login = "search_append" if names is ARCHIVE else "search_mcs_append"
        await self.admin("UPDATE archive.setting SET retention_days = 3660")
        try:
            async with asyncpg.create_pool(self.database.url(login), min_size=1) as pool:
                parsed = parse_append(archive_pb.AppendReadsRequest(reads=reads))
                now = datetime.now(UTC)
                await AppendStore(pool, names.schema).append(
                    [JudgedRead(one, shortcoming(one, now)) for one in parsed]
                )
        finally:
            await self.admin("UPDATE archive.setting SET retention_days = 90")

    def days_with_images(self) -> set[str]:
        root = self.folder / "days"
        return {one.name for one in root.iterdir()} if root.is_dir() else set()

    async def rows(self, table: str = "archive.read") -> int:
        return int((await self.admin(f"SELECT count(*) FROM {table}"))[0][0])  # noqa: S608 -- a constant


async def plant_image(
    objects: FileObjectStore, read: archive_pb.ArchivedRead, names: HouseNames = ARCHIVE
) -> bytes:
    """The image of the read, stored as ocr does; the read knows it from now on."""
    day, image = date.fromisoformat(read.read.image.day), read.read.read_id.encode()
    name = f"days/{day.isoformat()}" + (f"/{names.days}" if names.days else "")
    day_key = hashlib.sha256(name.encode()).digest()
    if not await objects.exists(f"{name}/key"):
        await objects.put(f"{name}/key", wrap_day_key(OCR_KEK, day, day_key))
    digest = hashlib.sha256(image).digest()
    key = image_key(day_key, digest)
    await objects.put(f"{name}/{digest.hex()}", seal_image(key, day, image))
    read.read.image.sha256, read.read.image.image_key = digest, key
    return image


async def add_day(database: MigratedDatabase, day: date, names: HouseNames = ARCHIVE) -> None:
    """Partitions of a day, as search made them when it was new."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        suffix, after = f"{day:%Y%m%d}", day + timedelta(days=1)
        schema = names.schema
        if await connection.fetchval(f"SELECT to_regclass('{schema}.read_' || $1)", suffix):
            return
        await connection.execute(f"SET ROLE {schema}_owner")
        await connection.fetch(
            f"SELECT {schema}.add_partition('read', $1, $2, $3, 'read_id'),"
            f" {schema}.add_partition('quarantine', $1, $4, $5, NULL)",
            suffix,
            f"{day} 00:00:00+00",
            f"{after} 00:00:00+00",
            str(day),
            str(after),
        )
    finally:
        await connection.close()


def reads_of(day: date, count: int, **changes: Any) -> list[archive_pb.ArchivedRead]:
    """Reads of the day, a second after each other."""
    first = noon(day)
    return [archived_read(first + timedelta(seconds=n), **changes) for n in range(count)]


def new_purger(rig_store: PurgeStore, keeping: Keeping, log: TestLog) -> Purger:
    follower = RetentionFollower(cast(Any, None))
    follower._current = Retention(90, 1, RECORDS_SERIES, "")
    return Purger(rig_store, keeping, cast(Acts, log), follower, backup_days=7)


@asynccontextmanager
async def purging(database: MigratedDatabase, folder: Path) -> AsyncIterator[Rig]:
    """A rig; its connections are closed at the end."""
    async with AsyncExitStack() as stack:
        pools = {}
        for login in (login for logins in LOGINS.values() for login in logins):
            pools[login] = await open_pool(
                database.url(login), application_name="test", min_size=1, max_size=4
            )
            stack.push_async_callback(pools[login].close)
        objects, log = FileObjectStore(folder), TestLog()
        store = PurgeStore(pools["search_purge"], pools["search_mcs_purge"])
        houses = [
            HeldHouse(
                names,
                HeldStore(pools[LOGINS[names.schema][0]], names),
                HeldImages(objects, names),
                HoldKeys(HOLD_KEKS[names.schema]),
            )
            for names in HOUSES
        ]
        keeping = Keeping(DayImages(objects), houses)
        yield Rig(database, folder, log, store, keeping, objects, new_purger(store, keeping, log), pools)
