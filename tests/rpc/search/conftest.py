"""Search and a test's own audit service, running."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.databases import MigratedDatabase
from tests.support.search_world import World, running_world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive_database(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> MigratedDatabase:
    return await migrated_database("search")


@pytest_asyncio.fixture
async def world(
    archive_database: MigratedDatabase, tls: DevelopmentAuthority, tmp_path: Path
) -> AsyncIterator[World]:
    async with running_world(tls, archive_database, tmp_path) as running:
        yield running


@pytest.fixture
def plate(request: pytest.FixtureRequest) -> str:
    """A plate that no other test of the module has."""
    return f"R{abs(hash(request.node.nodeid)) % 10**9:09d}"
