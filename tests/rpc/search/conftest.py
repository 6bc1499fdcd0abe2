"""Search and a test's own audit service, running."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import pytest
import pytest_asyncio

from alpr.search.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from services.dev.pki import DevelopmentAuthority
from tests.support.databases import MigratedDatabase
from tests.support.search_world import World, running_world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive_database(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> MigratedDatabase:
    return await migrated_database("search")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    archive_database: MigratedDatabase, tls: DevelopmentAuthority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Started once a module; no test here ends one of the two."""
    async with running_world(tls, archive_database, tmp_path_factory.mktemp("search")) as running:
        yield running


@pytest.fixture
def world(house: World) -> World:
    """The house with an audit service that has not been asked anything yet and behaves well."""
    house.audit.begin_anew()
    return house


@pytest.fixture
def plate(request: pytest.FixtureRequest) -> str:
    """A plate that no other test of the module has."""
    return f"R{abs(hash(request.node.nodeid)) % 10**9:09d}"


@pytest_asyncio.fixture
async def analysis(world: World) -> AnalysisServiceStub:
    """Analyses as an officer's client calls them."""
    return AnalysisServiceStub(world.people)


_ROADS = count(10)


@pytest.fixture
def road() -> int:
    """A road that no other test drives on (tests/support/search_analysis.py)."""
    return next(_ROADS)
