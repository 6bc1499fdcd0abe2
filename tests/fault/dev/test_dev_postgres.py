from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres, PostgresError, _processes_in, _programs

MARKER = "ZZTOP99"
START_AND_PRINT = """
import sys, time
from pathlib import Path
from services.dev.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(tmp_path / "server", settings=WITHOUT_SYNC)
    yield made
    made.stop()


def ended(folder: Path) -> bool:
    give_up = time.monotonic() + 10
    while set(_processes_in(folder / "data")) and time.monotonic() < give_up:
        time.sleep(0.05)
    return not set(_processes_in(folder / "data"))


async def value(server: EmbeddedPostgres, statement: str, **options: object) -> object:
    connection = await asyncpg.connect(server.admin_url, **options)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_starts_stops_and_keeps_what_was_committed(server: EmbeddedPostgres) -> None:
    server.start()
    port = server.port
    await value(server, "CREATE TABLE thing AS SELECT 1 AS a")
    server.stop()
    assert not server.is_running()

    server.start()

    assert server.port == port
    assert await value(server, "SELECT a FROM thing") == 1


async def test_it_syncs_what_it_commits_unless_told_otherwise(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "server")
    server.start()
    try:
        shown = [await value(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
    finally:
        server.stop()

    assert shown == ["on", "on"]


async def test_it_starts_again_after_kill_9(server: EmbeddedPostgres) -> None:
    server.start()
    await value(server, "CREATE TABLE thing AS SELECT 1 AS a")

    server.kill()
    server.start()

    assert await value(server, "SELECT a FROM thing") == 1


def test_a_left_over_pid_file_that_names_another_program_is_no_obstacle(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    server.start()
    server.kill()
    left = tmp_path / "server" / "data" / "postmaster.pid"
    lines = left.read_text().splitlines()
    left.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")

    server.start()

    assert server.is_running()


def test_it_ends_with_the_process_that_started_it_even_on_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    parent = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", START_AND_PRINT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert pid in set(_processes_in(folder / "data"))

    parent.kill()
    parent.wait()

    assert ended(folder)


def test_a_second_server_on_the_same_folder_is_refused_by_name(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.postgres._OTHER_SERVER_SECONDS", 0.1)
    server.start()

    with pytest.raises(PostgresError, match=r"another PostgreSQL \(process \d+\) works in"):
        EmbeddedPostgres(tmp_path / "server").start()

    assert server.is_running()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PostgresError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            EmbeddedPostgres(tmp_path / "server", port=port, settings=WITHOUT_SYNC).start()


def test_a_cluster_of_another_version_is_not_touched(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    server.stop()
    (tmp_path / "server" / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(PostgresError, match="made by PostgreSQL 17 and this is PostgreSQL 18"):
        server.start()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PostgresError, match=r"cannot use .*file.* for PostgreSQL: Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "server").start()


def test_a_broken_cluster_is_explained_by_its_own_log(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    server.stop()
    (tmp_path / "server" / "data" / "global" / "pg_control").unlink()

    with pytest.raises(PostgresError, match="pg_control"):
        server.start()


def test_an_unfinished_cluster_is_made_anew(server: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "server" / "data.new" / "base").mkdir(parents=True)

    server.start()

    assert server.is_running()
    assert not (tmp_path / "server" / "data.new").exists()


async def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    socket_place = {"host": str(server.socket_folder), "port": server.port}

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(server, "SELECT 1", **socket_place, password="wrong")  # noqa: S106
    assert await value(server, "SELECT inet_server_addr() IS NULL", **socket_place) is True
    folder = tmp_path / "server"
    for path, mode in ((folder, 0o700), (folder / "data", 0o700), (folder / "password", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


async def test_it_listens_on_this_machine_only(server: EmbeddedPostgres) -> None:
    server.start()

    assert await value(server, "SHOW listen_addresses") == "127.0.0.1"


def test_a_folder_with_a_long_name_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("x" * 120), settings=WITHOUT_SYNC)
    server.start()
    socket_folder = server.socket_folder
    assert (socket_folder / f".s.PGSQL.{server.port}").is_socket()

    server.stop()

    assert not socket_folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_runs_it_without_user_namespaces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "closed" / "server"
    folder.parent.mkdir(mode=0o700)
    server = EmbeddedPostgres(folder, settings=WITHOUT_SYNC)
    server.start()
    server.stop()
    monkeypatch.setattr("services.dev.postgres._account", lambda _: "dropped:65534")

    server.start()
    try:
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        capabilities = re.search(r"CapEff:\s*(\w+)", Path(f"/proc/{server.pid}/status").read_text())
        server.kill()
        server.start()
    finally:
        server.stop()

    assert owner == 65534
    assert capabilities is not None
    assert int(capabilities[1], 16) == 1 << 1  # CAP_DAC_OVERRIDE alone


def others_may_run_the_programs() -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (_programs(), *_programs().parents))


@pytest.mark.skipif(
    os.geteuid() != 0 or not others_may_run_the_programs(), reason="needs root, and programs that all may run"
)
def test_a_user_id_without_a_name_can_run_it() -> None:
    # The interpreter may lie in root's home; capabilities let the nameless user reach it.
    capabilities = "+dac_override,+dac_read_search"
    become = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    become += [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chown(folder, 54321, 54321)
        child = subprocess.Popen(  # noqa: S603
            [*become, sys.executable, "-c", START_AND_PRINT, f"{folder}/server"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child.stdout:
            line = child.stdout.readline()
        child.kill()
        child.wait()
        ended(Path(folder) / "server")

    assert line.strip().isdigit()


async def test_its_log_holds_no_value_of_any_statement(server: EmbeddedPostgres) -> None:
    server.start()
    connection = await asyncpg.connect(server.admin_url)
    await connection.execute("CREATE TABLE thing (plate text UNIQUE, size int CHECK (size > 0))")
    await connection.execute("INSERT INTO thing VALUES ($1, 1)", MARKER)
    failing = [
        ("INSERT INTO thing VALUES ($1, 2)", MARKER),  # DETAIL: Key (plate)=(...) already exists.
        ("INSERT INTO thing VALUES ($1 || 'x', -1)", MARKER),  # DETAIL: Failing row contains (...).
        ("SELECT ZZTOP99 FROM thing", None),  # STATEMENT
        (f"SELECT '{MARKER}'::int", None),  # the value stands in the message itself
        ("DO $$ BEGIN RAISE WARNING 'ZZTOP99'; END $$", None),
        ("SELECT pg_sleep(10), $1::text", MARKER),  # statement timeout
    ]
    await connection.execute("SET statement_timeout = '200ms'")
    for statement, argument in failing:
        arguments = [argument] if argument else []
        if "RAISE" in statement:
            await connection.execute(statement)
            continue
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch(statement, *arguments)
    crash = await connection.fetchval("SELECT pg_backend_pid()")
    os.kill(crash, signal.SIGSEGV)  # DETAIL: Failed process was running: ...
    with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
        await connection.fetch(f"SELECT '{MARKER}', pg_sleep(10)")
    await asyncio.sleep(0.3)

    log = server.log_file.read_text()

    assert "terminated by signal 11" in log
    assert MARKER not in log
