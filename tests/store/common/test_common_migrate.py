from __future__ import annotations

import asyncio
import base64
import hmac
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.common.database import (
    DatabaseError,
    create_database,
    scram_verifier,
    with_database,
    with_login,
)
from services.common.migrate import MigrationError, main, migrate
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres
from tests.support.databases import Databases, MigratedDatabase, fetch

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


async def test_a_number_that_is_there_twice_is_refused(url: str, folder: Path) -> None:
    (folder / "0001_again.sql").write_text("SELECT 1;")

    with pytest.raises(MigrationError, match="each number once"):
        await migrate(url, "matcher", folder=folder)


async def test_numbers_may_leave_room(url: str, folder: Path) -> None:
    (folder / "0012_late.sql").write_text("SELECT 1;")

    assert await migrate(url, "matcher", folder=folder) == "0012"


async def test_a_file_that_came_between_those_that_ran_is_not_passed_over(url: str, folder: Path) -> None:
    (folder / "0010_later.sql").write_text("SELECT 1;")
    await migrate(url, "matcher", folder=folder)
    (folder / "0005_between.sql").write_text("CREATE TABLE matcher.other (a int);")

    with pytest.raises(MigrationError, match="made by other migrations than this program's, from 0005 on"):
        await migrate(url, "matcher", folder=folder)

    (folder / "0005_between.sql").unlink()
    assert await migrate(url, "matcher", folder=folder) == "0010"


async def test_a_file_that_ran_and_was_changed_since_is_named(url: str, folder: Path) -> None:
    await migrate(url, "matcher", folder=folder)
    (folder / "0001_thing.sql").write_text(f"{TABLE}SELECT 1;")
    (folder / "0002_more.sql").write_text("CREATE TABLE matcher.other (a int);")

    with pytest.raises(MigrationError, match="from 0001 on; a migration that has run cannot change"):
        await migrate(url, "matcher", folder=folder)

    assert (await fetch(url, "SELECT to_regclass('matcher.other')"))[0][0] is None


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


async def test_a_server_that_is_too_old_is_refused(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.database.OLDEST_SERVER", 99)

    with pytest.raises(DatabaseError, match=r"is of version \d+\.\d+; 99 or newer is needed"):
        await migrate(url, "matcher", folder=folder)


def test_the_command_makes_the_database_sets_passwords_and_replaces_the_permit_key(
    postgres_admin_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = with_database(postgres_admin_url, "pw_command")
    keys = [tmp_path / "one", tmp_path / "two"]
    (tmp_path / "password").write_text("from-a-file\n")
    arguments = ["--admin-url", url, "--service", "search", "--service", "matcher", "--create-database"]
    arguments += ["--login", f"search_append=@{tmp_path / 'password'}", "--login", "matcher_app=word"]
    try:
        for byte, file in zip(("01", "02"), keys, strict=True):
            file.write_text(byte * 32 + "\n")
            assert main([*arguments, "--permit-key-file", str(file)]) == 0

        stored = asyncio.run(fetch(url, "SELECT key FROM archive.permit_key"))
        assert [bytes(row["key"]) for row in stored] == [b"\2" * 32]
        for login, password in (("search_append", "from-a-file"), ("matcher_app", "word")):
            assert asyncio.run(fetch(with_login(url, login, password), "SELECT 1"))
        assert re.findall(r"(\w+): schema is at \d{4}", capsys.readouterr().out)[:2] == ["search", "matcher"]
    finally:
        asyncio.run(MigratedDatabase(url).drop())


def test_the_command_refuses_a_permit_key_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("abc")
    arguments = ["--admin-url", "postgresql://x@127.0.0.1:9/x", "--service", "search"]

    assert main([*arguments, "--permit-key-file", str(tmp_path / "key")]) == 1

    assert "does not hold a key of 32 bytes" in capsys.readouterr().err


async def test_a_new_database_lets_in_only_those_who_were_granted_it(
    postgres_admin_url: str, databases: Databases
) -> None:
    first, second = await databases.make("matcher"), await databases.make("search")

    assert await fetch(first.url("matcher_app"), "SELECT 1")
    with pytest.raises(DatabaseError, match="refused"):
        await fetch(second.url("matcher_app"), "SELECT 1")


def test_the_verifier_is_the_one_of_the_standard() -> None:
    # RFC 7677, section 3: password "pencil", this salt, 4096 iterations. The server's signature there is an
    # HMAC under the server key, so it tells whether ours is right.
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    server_key = base64.b64decode(scram_verifier("pencil", salt).rpartition(":")[2])
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )

    signature = hmac.digest(server_key, message.encode(), "sha256")

    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("password", ["", "pässword", "a\nb"])
def test_a_password_that_would_need_normalising_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        scram_verifier(password, b"salt")


LATER = "SET LOCAL ROLE matcher_owner;\nALTER TABLE matcher.thing ADD COLUMN size bigint;\n"
INDEX = """-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS thing_by_name ON matcher.thing (name);
"""
INDEXES = """
    SELECT c.relname, i.indisvalid, pg_get_userbyid(c.relowner)
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relname = 'thing_by_name'
"""
WAITING = "SELECT true FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"


async def test_a_migration_that_needs_a_busy_table_lets_others_pass_and_gets_it_in_the_end(
    url: str, folder: Path
) -> None:
    await migrate(url, "matcher", folder=folder)
    (folder / "0002_size.sql").write_text(LATER)
    reader, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        held = reader.transaction()
        await held.start()
        await reader.fetch("SELECT name FROM matcher.thing")
        migrating = asyncio.create_task(migrate(url, "matcher", folder=folder))
        async with asyncio.timeout(60):
            while not await other.fetchval(WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            # Behind the migration that waits; it is let pass, though the reader goes on.
            await other.fetch("SELECT name FROM matcher.thing")
        assert not migrating.done()
        await held.rollback()
        assert await migrating == "0002"
    finally:
        await reader.close()
        await other.close()

    assert await fetch(url, "SELECT size FROM matcher.thing") == []


async def test_a_table_that_stays_in_use_is_named_and_nothing_is_left(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(url, "matcher", folder=folder)
    (folder / "0002_size.sql").write_text(LATER)
    monkeypatch.setattr("services.common.migrate._LOCK_TRIES", 1)
    reader = await asyncpg.connect(url)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT name FROM matcher.thing")
            with pytest.raises(MigrationError, match=r"0002_size\.sql.*in use for longer"):
                await migrate(url, "matcher", folder=folder)
    finally:
        await reader.close()

    assert (await fetch(url, "SELECT version_num FROM matcher.alembic_version"))[0][0] == "0001"


async def test_an_index_is_built_beside_writers_and_is_its_schemas_owners(url: str, folder: Path) -> None:
    (folder / "0002_index.sql").write_text(INDEX)
    (folder / "0003_size.sql").write_text(LATER)

    numbers = await asyncio.gather(*(migrate(url, "matcher", folder=folder) for _ in range(3)))

    assert numbers == ["0003"] * 3
    assert [tuple(row) for row in await fetch(url, INDEXES)] == [("thing_by_name", True, "matcher_owner")]


async def test_what_a_crash_left_of_an_index_is_built_anew(url: str, folder: Path) -> None:
    await migrate(url, "matcher", folder=folder)
    database = await asyncpg.connect(url)
    try:
        await database.execute("CREATE INDEX thing_by_name ON matcher.thing (name)")
        await database.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'matcher.thing_by_name'::regclass"
        )
    finally:
        await database.close()
    (folder / "0002_index.sql").write_text(INDEX)

    assert await migrate(url, "matcher", folder=folder) == "0002"
    assert [tuple(row)[:2] for row in await fetch(url, INDEXES)] == [("thing_by_name", True)]


async def test_a_statement_outside_a_transaction_that_fails_is_named_and_can_be_tried_again(
    url: str, folder: Path
) -> None:
    await migrate(url, "matcher", folder=folder)
    (folder / "0002_index.sql").write_text(INDEX.replace("(name)", "(nothing)"))

    with pytest.raises(MigrationError, match=r"0002_index\.sql: column \"nothing\" does not exist"):
        await migrate(url, "matcher", folder=folder)

    (folder / "0002_index.sql").write_text(INDEX)
    assert await migrate(url, "matcher", folder=folder) == "0002"
