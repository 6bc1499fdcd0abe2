"""A running alerts service for each module, with audit's neighbour beside it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import AlertsRig, AuditHost, AuditNeighbour, settings_for, start_rig
from tests.support.databases import MigratedDatabase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(loop_scope="session")
async def audit(tls: DevelopmentAuthority) -> AsyncIterator[AuditHost]:
    host = AuditHost(AuditNeighbour(), tls)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    return tmp_path_factory.mktemp("alerts")


@pytest_asyncio.fixture(loop_scope="session")
async def rig(database, audit, tls, folder) -> AsyncIterator[AlertsRig]:
    settings = settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3)
    running = await start_rig(settings, tls)
    yield running
    await running.stop()
