"""One audit service for the tests of a module."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import RunningAudit, begin, running_audit, settings_for
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def audit(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[RunningAudit]:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path_factory.mktemp("audit"))
    await begin(settings, database, issuer)
    async with running_audit(settings, database, tls, issuer) as running:
        yield running
