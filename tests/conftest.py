"""Fixtures that every test may use: a real PostgreSQL, migrated databases, certificates, tokens, a clock."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from services.dev.issuer import DevelopmentIssuer, application
from services.dev.pki import DevelopmentAuthority
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres
from tests.support import logs
from tests.support.clock import ManualClock
from tests.support.databases import Databases, MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.turns import InTurn, queue_of

OWN_SERVER = "PW_TEST_DATABASE_URL"
# Many small databases for seconds each: none wants to be vacuumed, and a log of changes need not be long.
THROWN_AWAY = {"autovacuum": "off", "max_wal_size": "96MB", "min_wal_size": "32MB"}
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
ENOUGH_MEMORY = 8 << 30
_databases: list[Databases] = []


def pytest_configure() -> None:
    """Errors in logs are short. Files lie in memory, where there is enough: on a disk they cost more."""
    logs.plain()
    if "TMPDIR" not in os.environ and SHARED_MEMORY.is_dir() and _is_roomy(SHARED_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(SHARED_MEMORY)


def _is_roomy(folder: Path) -> bool:
    # Programs that tests write there must run, too.
    may_run = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return may_run and shutil.disk_usage(folder).free > ENOUGH_MEMORY


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no need to look through millions of objects for waste again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what takes long (tests/support/turns.py)."""
    items.sort(key=lambda item: queue_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InTurn | None:
    """Workers get files in the order of tests/support/turns.py."""
    return InTurn(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """URL of a superuser: of PW_TEST_DATABASE_URL, else of an embedded PostgreSQL for this process."""
    given = os.environ.get(OWN_SERVER)
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pw-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder), settings={**WITHOUT_SYNC, **THROWN_AWAY})
        server.start()
        try:
            yield server.admin_url
        finally:
            # At once: an orderly end would write to the disk what is thrown away next.
            os.kill(server.pid, signal.SIGQUIT)
            server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres_admin_url: str) -> AsyncIterator[Databases]:
    """Maker of migrated databases."""
    made = Databases(postgres_admin_url)
    _databases.append(made)
    yield made
    _databases.remove(made)
    if os.environ.get(OWN_SERVER):  # the embedded one ends here with all that is in it
        await made.drop_templates()


@pytest_asyncio.fixture(scope="module", autouse=True, loop_scope="session")
async def _databases_end_with_their_module() -> AsyncIterator[None]:
    yield
    for made in _databases:
        await made.drop_made()


@pytest.fixture(scope="session")
def migrated_database(databases: Databases) -> Callable[..., Awaitable[MigratedDatabase]]:
    """`await migrated_database("audit")`: a fresh database with that service's schema, cloned in some 50 ms.

    Call it in a fixture of scope "module" of your own to have one database a module.
    """
    return databases.make


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    """Maker of certificates: `.service(name)`, `.server(name)`, `.sensor(id)`, `.agency(ori)`, `.ca_file`."""
    return DevelopmentAuthority(tmp_path_factory.mktemp("pki"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningIssuer]:
    """The development issuer: `.token(sub, **claims)`, `.jwks`, and over HTTP at `.jwks_url` and `.url`."""
    made = DevelopmentIssuer(tmp_path_factory.mktemp("issuer"))
    runner = web.AppRunner(application(made), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield RunningIssuer(made, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


@pytest.fixture(scope="module", autouse=True)
def _environment_stays_as_it_was() -> Iterator[None]:
    """A variable of ours that a module left behind would tell the next one's processes about its system."""
    before = _ours()
    yield
    assert _ours() == before


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PW_")}


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon (UTC) of 1 May 2026 until the test moves it."""
    return ManualClock()
