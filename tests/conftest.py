"""Fixtures that every test may use: a real PostgreSQL, migrated databases, certificates, tokens, a clock."""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.dev.postgres import FAST_AND_LOSSY, EmbeddedPostgres
from tests.support.clock import ManualClock
from tests.support.databases import Databases, MigratedDatabase


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """URL of a superuser: of PW_TEST_DATABASE_URL, else of an embedded PostgreSQL for this process."""
    given = os.environ.get("PW_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pw-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder), settings=FAST_AND_LOSSY)
        server.start()
        try:
            yield server.admin_url
        finally:
            server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres_admin_url: str) -> AsyncIterator[Databases]:
    """Maker of migrated databases."""
    made = Databases(postgres_admin_url)
    yield made
    await made.drop_all()


@pytest.fixture(scope="session")
def migrated_database(databases: Databases) -> Callable[..., Awaitable[MigratedDatabase]]:
    """`await migrated_database("audit")`: a fresh database with that service's schema, cloned in some 50 ms.

    Call it in a fixture of scope "module" of your own to have one database a module.
    """
    return databases.make


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon (UTC) of 1 May 2026 until the test moves it."""
    return ManualClock()
