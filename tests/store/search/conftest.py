"""A migrated archive with partitions and a permit key, and a connection of each login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.search.core.reads import AppendResult, JudgedRead, shortcoming
from services.search.store_append import AppendStore
from services.search.wire_append import parse_append
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import now


@dataclass(frozen=True)
class ArchiveDatabase:
    """One database of the archive for a test module."""

    database: MigratedDatabase

    async def connect(self, login: str) -> asyncpg.Connection:
        return await asyncpg.connect(self.database.url(login))

    async def admin(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.database.admin_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive_database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> ArchiveDatabase:
    archive = ArchiveDatabase(await migrated_database("search"))
    purge = await archive.connect("search_purge")
    await purge.execute("SELECT archive.ensure_partitions(2)")
    await purge.close()
    purge = await archive.connect("search_mcs_purge")
    await purge.execute("SELECT motor_carrier.ensure_partitions(2)")
    await purge.close()
    return archive


@pytest_asyncio.fixture
async def connect(
    archive_database: ArchiveDatabase,
) -> AsyncIterator[Callable[[str], Awaitable[asyncpg.Connection]]]:
    """Opens a connection of a login, or of the administrator ("admin"), and closes it after the test."""
    opened: list[asyncpg.Connection] = []

    async def open_one(login: str) -> asyncpg.Connection:
        connection = await (archive_database.admin() if login == "admin" else archive_database.connect(login))
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        await connection.close()


@pytest_asyncio.fixture
async def append(
    archive_database: ArchiveDatabase,
) -> AsyncIterator[Callable[[Sequence[archive_pb.ArchivedRead]], Awaitable[list[AppendResult]]]]:
    """Appends reads through the search_append login, from the contract's messages."""
    async with asyncpg.create_pool(archive_database.database.url("search_append"), min_size=1) as pool:
        store = AppendStore(pool)

        async def append_all(reads: Sequence[archive_pb.ArchivedRead]) -> list[AppendResult]:
            parsed = parse_append(archive_pb.AppendReadsRequest(reads=reads))
            return await store.append([JudgedRead(read, shortcoming(read, now())) for read in parsed])

        yield append_all


@pytest_asyncio.fixture
async def append_apart(
    archive_database: ArchiveDatabase,
) -> AsyncIterator[Callable[[Sequence[archive_pb.ArchivedRead]], Awaitable[list[AppendResult]]]]:
    """The same for the Motor Carrier Safety data set, through its own login."""
    async with asyncpg.create_pool(archive_database.database.url("search_mcs_append"), min_size=1) as pool:
        store = AppendStore(pool, "motor_carrier")

        async def append_all(reads: Sequence[archive_pb.ArchivedRead]) -> list[AppendResult]:
            parsed = parse_append(archive_pb.AppendReadsRequest(reads=reads))
            return await store.append([JudgedRead(read, shortcoming(read, now())) for read in parsed])

        yield append_all


@pytest.fixture
def plate(request: pytest.FixtureRequest) -> str:
    """A plate that no other test of the module has."""
    return f"T{abs(hash(request.node.nodeid)) % 10**9:09d}"
