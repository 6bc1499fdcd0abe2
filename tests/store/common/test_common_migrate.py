from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.common.database import create_database, with_database, with_login
from services.common.migrate import MigrationError, main, migrate
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres
from tests.support.databases import MigratedDatabase, fetch

ROLES = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'matcher_owner') THEN
        CREATE ROLE matcher_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'matcher_app') THEN
        CREATE ROLE matcher_app LOGIN;
    END IF;
END $$;
ALTER SCHEMA matcher OWNER TO matcher_owner;
"""
MANAGED_ROLE = """
CREATE ROLE matcher_owner NOLOGIN;
EXECUTE format('GRANT matcher_owner TO %I WITH INHERIT FALSE, SET TRUE', current_user);
"""
TABLE = "SET LOCAL ROLE matcher_owner;\nCREATE TABLE matcher.thing (name text PRIMARY KEY);\n"


@pytest.fixture
async def url(postgres_admin_url: str) -> AsyncIterator[str]:
    database = MigratedDatabase(with_database(postgres_admin_url, "pw_migrate_test"))
    await create_database(database.admin_url)
    yield database.admin_url
    await database.drop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0000_roles.sql").write_text(ROLES)
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    return tmp_path


async def test_files_run_once_each_and_in_order(url: str, folder: Path) -> None:
    assert await migrate(url, "matcher", folder=folder) == "0001"
    (folder / "0002_more.sql").write_text("INSERT INTO matcher.thing VALUES ('one'); SELECT 1;")

    assert await migrate(url, "matcher", folder=folder) == "0002"
    assert await migrate(url, "matcher", folder=folder) == "0002"

    assert [row["name"] for row in await fetch(url, "SELECT name FROM matcher.thing")] == ["one"]
    owner = "SELECT tableowner FROM pg_tables WHERE schemaname = 'matcher' AND tablename = 'thing'"
    assert (await fetch(url, owner))[0][0] == "matcher_owner"


async def test_a_file_that_fails_leaves_nothing_and_is_named_with_its_line(url: str, folder: Path) -> None:
    (folder / "0002_bad.sql").write_text(
        "CREATE TABLE matcher.other (a int);\nINSERT INTO matcher.nowhere VALUES (1);\n"
    )

    with pytest.raises(MigrationError, match=r"0002_bad\.sql, line 2: relation .* does not exist"):
        await migrate(url, "matcher", folder=folder)

    there = await fetch(url, "SELECT to_regclass('matcher.thing'), to_regclass('matcher.other')")
    assert tuple(there[0]) == ("matcher.thing", None)
    assert (await fetch(url, "SELECT version_num FROM matcher.alembic_version"))[0][0] == "0001"


async def test_runs_at_the_same_time_do_the_work_once(url: str, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("INSERT INTO matcher.thing VALUES ('one');")

    numbers = await asyncio.gather(*(migrate(url, "matcher", folder=folder) for _ in range(4)))

    assert numbers == ["0002"] * 4
    assert len(await fetch(url, "SELECT FROM matcher.thing")) == 1


async def test_a_schema_of_a_newer_program_is_refused(url: str, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("SELECT 1;")
    await migrate(url, "matcher", folder=folder)
    (folder / "0002_more.sql").unlink()

    with pytest.raises(
        MigrationError, match="matcher is at 0002 and this program knows migrations up to 0001"
    ):
        await migrate(url, "matcher", folder=folder)


async def test_a_gap_in_the_numbers_is_refused(url: str, folder: Path) -> None:
    (folder / "0003_late.sql").write_text("SELECT 1;")

    with pytest.raises(MigrationError, match="without a gap"):
        await migrate(url, "matcher", folder=folder)


async def test_a_login_gets_its_password_and_may_connect(url: str, folder: Path) -> None:
    await migrate(url, "matcher", folder=folder, logins={"matcher_app": "first-password"})
    await migrate(url, "matcher", folder=folder, logins={"matcher_app": "second-password"})

    assert await fetch(with_login(url, "matcher_app", "second-password"), "SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(with_login(url, "matcher_app", "first-password"))


async def test_an_administrator_who_is_no_superuser_can_migrate(tmp_path: Path, folder: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "server", settings=WITHOUT_SYNC)  # one without the roles
    server.start()
    try:
        await fetch(server.admin_url, "CREATE ROLE pw_admin LOGIN CREATEROLE CREATEDB PASSWORD 'secret'")
        admin = with_database(with_login(server.admin_url, "pw_admin", "secret"), "platewarden")
        assert await create_database(admin)
        roles = ROLES.replace("CREATE ROLE matcher_owner NOLOGIN;", MANAGED_ROLE)
        (folder / "0000_roles.sql").write_text(roles)

        await migrate(admin, "matcher", folder=folder, logins={"matcher_app": "password"})
        (folder / "0002_more.sql").write_text("SELECT 1;")

        assert await migrate(admin, "matcher", folder=folder) == "0002"
        assert await fetch(with_login(admin, "matcher_app", "password"), "SELECT 1")
    finally:
        server.stop()


def test_the_command_says_one_sentence_about_a_database_that_is_not_there(
    postgres_admin_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = with_database(postgres_admin_url, "pw_missing")

    code = main(["--admin-url", url, "--service", "matcher"])

    assert code == 1
    assert capsys.readouterr().err.startswith("there is no database pw_missing on 127.0.0.1:")


def test_the_command_says_one_sentence_about_a_server_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["--admin-url", "postgresql://me:secret@127.0.0.1:9/x", "--service", "matcher"])

    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith("cannot reach the PostgreSQL server 127.0.0.1:9: ")
    assert "secret" not in message
