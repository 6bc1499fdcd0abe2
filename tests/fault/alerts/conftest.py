"""A database of one's own and audit's neighbour, for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import AuditHost, AuditNeighbour
from tests.support.databases import MigratedDatabase


@pytest_asyncio.fixture(loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(loop_scope="session")
async def audit(tls: DevelopmentAuthority) -> AsyncIterator[AuditHost]:
    host = AuditHost(AuditNeighbour(), tls)
    await host.start()
    yield host
    await host.stop()
