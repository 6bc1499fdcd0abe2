"""An empty audit database for each test, and stores on it as the service's own login."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from services.common.pg import Pool, open_pool
from tests.support.databases import MigratedDatabase


@pytest_asyncio.fixture
async def database(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> AsyncIterator[MigratedDatabase]:
    made = await migrated_database("audit")
    yield made
    await made.drop()


@pytest_asyncio.fixture
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    opened = await open_pool(database.url("audit_app"), application_name="test", max_size=8)
    yield opened
    await opened.close()
