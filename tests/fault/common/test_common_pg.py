from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from services.common.errors import StorageUnavailableError
from services.common.pg import Listener, connection, is_healthy, open_pool, storage_errors, transaction
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(tmp_path / "server", settings={**WITHOUT_SYNC, "max_connections": "10"})
    made.start()
    yield made
    made.stop()


async def test_a_pool_is_warm_and_its_connections_have_limits(postgres_admin_url: str) -> None:
    pool = await open_pool(
        postgres_admin_url,
        application_name="test-pool",
        min_size=3,
        command_timeout=10,
        settings={"plan_cache_mode": "force_generic_plan"},
    )
    async with pool, connection(pool) as held:
        settings = {
            name: await held.fetchval("SELECT current_setting($1)", name)
            for name in ("application_name", "statement_timeout", "TimeZone", "plan_cache_mode")
        }
        idle = await held.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')")

        assert pool.get_size() == 3
        assert idle == "30s"
        assert settings == {
            "application_name": "test-pool",
            "statement_timeout": "9s",
            "TimeZone": "UTC",
            "plan_cache_mode": "force_generic_plan",
        }


async def test_what_a_readonly_transaction_reads_is_of_one_moment(postgres_admin_url: str) -> None:
    pool = await open_pool(postgres_admin_url, application_name="test", min_size=2, max_size=2)
    async with pool, connection(pool) as other:
        await other.execute("CREATE TABLE of_one_moment (number int)")
        try:
            async with transaction(pool, readonly=True) as held:
                before = await held.fetchval("SELECT count(*) FROM of_one_moment")
                await other.execute("INSERT INTO of_one_moment VALUES (1)")
                after = await held.fetchval("SELECT count(*) FROM of_one_moment")
            stored = await other.fetchval("SELECT count(*) FROM of_one_moment")
        finally:
            await other.execute("DROP TABLE of_one_moment")

    assert (before, after, stored) == (0, 0, 1)


async def test_a_transaction_that_was_left_open_ends_with_the_connections_return(
    postgres_admin_url: str,
) -> None:
    pool = await open_pool(postgres_admin_url, application_name="test", min_size=1, max_size=1)
    async with pool:
        async with connection(pool) as held:
            await held.execute("BEGIN")
            await held.execute("SELECT pg_advisory_xact_lock(4711)")
        async with connection(pool) as held:
            assert not held.is_in_transaction()
            assert await held.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_a_pool_goes_on_after_the_server_was_restarted(server: EmbeddedPostgres, way: str) -> None:
    pool = await open_pool(server.admin_url, application_name="test", min_size=2, max_size=2)
    async with connection(pool) as held:
        await held.execute("CREATE TABLE thing (a int)")

    getattr(server, way)()
    with pytest.raises(StorageUnavailableError):
        async with transaction(pool) as held:
            await held.execute("INSERT INTO thing VALUES (1)")
    assert not await is_healthy(pool)
    server.start()

    async with transaction(pool) as held:
        await held.execute("INSERT INTO thing VALUES (2)")
    async with connection(pool) as held:
        assert await held.fetchval("SELECT array_agg(a) FROM thing") == [2]
    assert await is_healthy(pool)
    await pool.close()


async def test_a_transaction_under_way_when_the_server_dies_fails_typed(server: EmbeddedPostgres) -> None:
    pool = await open_pool(server.admin_url, application_name="test", min_size=1)

    async def sleep() -> None:
        async with transaction(pool) as held:
            await held.execute("SELECT pg_sleep(30)")

    sleeping = asyncio.create_task(sleep())
    await asyncio.sleep(0.2)
    server.kill()

    with pytest.raises(StorageUnavailableError):
        await sleeping
    pool.terminate()


async def test_a_server_that_is_not_there_is_a_typed_error() -> None:
    with pytest.raises(StorageUnavailableError):
        await open_pool("postgresql://me@127.0.0.1:9/x", application_name="test")


async def test_a_statement_that_takes_too_long_ends_on_the_server_too(postgres_admin_url: str) -> None:
    pool = await open_pool(postgres_admin_url, application_name="test-slow", min_size=1, command_timeout=0.3)
    started = time.monotonic()

    with pytest.raises(StorageUnavailableError):
        async with connection(pool) as held:
            await held.execute("SELECT pg_sleep(20)")

    assert time.monotonic() - started < 5
    async with connection(pool) as held:
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND state = 'active'"
        )
        assert await held.fetchval(running + " AND pid <> pg_backend_pid()") == 0
    await pool.close()


async def test_waiting_for_a_connection_has_an_end(
    postgres_admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.pg._ACQUIRE_SECONDS", 0.1)
    pool = await open_pool(postgres_admin_url, application_name="test", min_size=1, max_size=1)

    async with connection(pool):
        with pytest.raises(StorageUnavailableError):
            async with connection(pool):
                pass

    await pool.close()


async def test_what_the_caller_did_wrong_stays_what_it_is(postgres_admin_url: str) -> None:
    pool = await open_pool(postgres_admin_url, application_name="test", min_size=1)

    with pytest.raises(asyncpg.UndefinedTableError):
        async with connection(pool) as held:
            await held.execute("SELECT FROM nowhere")

    await pool.close()


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DiskFullError("x"),
        asyncpg.TooManyConnectionsError("x"),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.PostgresIOError("x"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_what_passes_by_itself_becomes_one_error_that_says_nothing_of_the_request(error: Exception) -> None:
    with pytest.raises(StorageUnavailableError) as caught, storage_errors():
        raise error

    assert caught.value.message == "the database cannot be used just now; try again"


async def test_a_listener_hears_and_after_a_restart_says_that_it_may_have_missed_something(
    server: EmbeddedPostgres,
) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    async with Listener(server.admin_url, "things", heard.put_nowait) as listener:
        assert await heard.get() is None
        await notify(server.admin_url, "one")
        assert await heard.get() == "one"

        server.kill()
        await asyncio.sleep(0.3)
        assert not listener.is_connected
        server.start()

        assert await asyncio.wait_for(heard.get(), 60) is None
        await listener.wait_connected()
        await notify(server.admin_url, "two")
        assert await heard.get() == "two"
    assert not listener.is_connected


async def test_a_listener_waits_for_a_server_that_is_not_there_yet(server: EmbeddedPostgres) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    server.stop()
    async with Listener(server.admin_url, "things", heard.put_nowait):
        await asyncio.sleep(0.3)
        assert heard.empty()

        server.start()

        assert await asyncio.wait_for(heard.get(), 60) is None


async def notify(url: str, payload: str) -> None:
    bare = await asyncpg.connect(url)
    await bare.execute("SELECT pg_notify('things', $1)", payload)
    await bare.close()


async def _wait_for_standby(server: EmbeddedPostgres, names: str) -> None:
    admin = await asyncpg.connect(server.admin_url)
    await admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize("way", ["timeout", "cancelled"])
async def test_what_waits_for_the_standby_is_seen_by_nobody_when_its_client_gives_up(
    server: EmbeddedPostgres, way: str
) -> None:
    patience = 1.0 if way == "timeout" else 30.0
    pool = await open_pool(
        server.admin_url, application_name="test", min_size=2, max_size=4, command_timeout=patience
    )
    async with connection(pool) as held:
        await held.execute("CREATE TABLE thing (a int UNIQUE)")
    await _wait_for_standby(server, "away")
    await asyncio.sleep(0.5)

    async def store() -> None:
        async with transaction(pool) as held:
            await held.execute("INSERT INTO thing VALUES (1) ON CONFLICT DO NOTHING")

    async def count() -> int:
        async with connection(pool) as held:
            return int(await held.fetchval("SELECT count(*) FROM thing"))

    with pytest.raises((StorageUnavailableError, TimeoutError)):
        await asyncio.wait_for(store(), 1.5)
    assert await count() == 0
    with pytest.raises((StorageUnavailableError, TimeoutError)):  # sent again: it must not seem to be stored
        await asyncio.wait_for(store(), 1.5)
    assert await count() == 0
    await _wait_for_standby(server, "")
    async with asyncio.timeout(60):
        while await count() == 0:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)
    await store()

    assert await count() == 1
    await pool.close()


async def test_a_statement_that_runs_for_nobody_ends_on_the_server(server: EmbeddedPostgres) -> None:
    pool = await open_pool(server.admin_url, application_name="test", min_size=1, max_size=2)
    async with pool:
        async with connection(pool) as held:
            with pytest.raises(TimeoutError):
                await held.execute("SELECT pg_sleep(60)", timeout=0.2)
        async with asyncio.timeout(60):
            while await _running(server):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.1)


async def _running(server: EmbeddedPostgres) -> int:
    admin = await asyncpg.connect(server.admin_url)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    found = int(await admin.fetchval(sql))
    await admin.close()
    return found
