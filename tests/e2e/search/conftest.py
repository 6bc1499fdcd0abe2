"""Audit and search, an officer, and reads with pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.dev.pki import DevelopmentAuthority
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_house import running_house
from tests.support.search_leaving import Leaving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def leaving(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Leaving]:
    folder = tmp_path_factory.mktemp("leaving")
    database = await migrated_database("audit", "search")
    async with running_house(database, tls, issuer, folder) as house:
        yield Leaving(house, await house.audit.person(audit_pb.ROLE_USER), folder)
