"""Brings a service's schema up to date: `python -m services.common.migrate` (ADR-0009).

A service's migrations are its files `sql/NNNN_name.sql`, run in the order of their numbers, each once and in
a transaction of its own, together with its row in `<schema>.alembic_version`. They run while services are at
work (services/common/migration_file.py). Numbers may leave gaps; a new
file has the highest. There is no way back; a mistake is mended by a further file. A database that other files
were run on is refused, rather than left without one that has come between. Two runs at once are safe: the
second waits, and finds nothing to do.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType, ModuleType

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.common.config import ConfigError
from services.common.database import (
    Connection,
    DatabaseError,
    admin_connection,
    create_database,
    quoted,
    set_login,
)
from services.common.keyfile import read_key
from services.common.keyring import every
from services.common.migration_file import LockedError, MigrationError, first_line, run_file
from services.common.owners import acting_as

_SERVICES = Path(__file__).parents[1]
_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
# Roles belong to the whole server, so runs on two of its databases can meet; the one that fails begins again.
_TRIES = 5
# Longer than any statement of a service runs, with two seconds of waiting for a lock each.
_LOCK_TRIES = 30
_PAUSE_SECONDS = 0.2
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"


@dataclass(frozen=True, slots=True)
class Schema:
    """A service's schema and the role that owns it and logs in nowhere."""

    name: str
    owner: str


SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "audit": Schema("audit", "audit_owner"),
        "matcher": Schema("matcher", "matcher_owner"),
        "search": Schema("archive", "archive_owner"),
        "alerts": Schema("alerts", "alerts_owner"),
    }
)

# Schemas that check permits, each with keys of its own (ENF-051 III.E.5), and their owners.
PERMIT_OWNERS: Mapping[str, str] = MappingProxyType(
    {"archive": "archive_owner", "motor_carrier": "motor_carrier_owner"}
)


async def migrate(  # noqa: PLR0913 -- by name, and none of them follows from another
    admin_url: str,
    service: str,
    *,
    logins: Mapping[str, str] | None = None,
    permit_keys: Mapping[str, Sequence[bytes]] | None = None,
    folder: Path | None = None,
    opener_url: str | None = None,
) -> str:
    """The number of the last migration of `service`, once it and all before it are in the database.

    Args:
        admin_url: The database to migrate, and a user of it who may create roles and schemas.
        service: A key of `SCHEMAS`.
        logins: Passwords by login role of the service; each also gets CONNECT on the database.
        permit_keys: Only for search: by data set (see `PERMIT_OWNERS`) the keys of permits, 32 bytes each,
            that it is to accept from now on; every other one is forgotten. No key leaves them as they are.
        folder: Where the SQL files are, if not in the service's own folder.
        opener_url: A superuser who lets the user of `admin_url` act as the schema's owners for this run, and
            shuts it out afterwards: then no migration login can read a row (services.common.owners).

    Raises:
        DatabaseError: No such server or database, or one that is too old.
        MigrationError: A schema that a newer program made, or a file that failed; then all files before it
            are done and it left nothing behind.
    """
    files = _files(folder or _SERVICES / service / "sql")
    tries = 0
    while True:
        try:
            async with (
                admin_connection(admin_url) as admin,
                _alone(admin, service),
                acting_as(admin, _owners(service), opener_url),
            ):
                await _upgrade(admin_url, SCHEMAS[service], files)
                for name, password in (logins or {}).items():
                    await set_login(admin, name, password)
                for data_set, keys in (permit_keys or {}).items():
                    if keys:
                        await _set_permit_keys(admin, data_set, keys)
            break
        except (MigrationError, asyncpg.PostgresError) as error:
            tries += 1
            if tries >= _most_tries(error):
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    return files[-1].name[:4]


def _most_tries(error: BaseException) -> int:
    if isinstance(error, LockedError):
        return _LOCK_TRIES
    return _TRIES if _is_clash(error) else 1


def _owners(service: str) -> Sequence[str]:
    others = PERMIT_OWNERS.values() if service == "search" else ()
    return tuple(dict.fromkeys((SCHEMAS[service].owner, *others)))


def _files(folder: Path) -> Sequence[Path]:
    files = sorted(path for path in folder.glob("*.sql") if _FILE_NAME.fullmatch(path.name))
    numbers = [path.name[:4] for path in files]
    # Numbers may leave room for a topic's further files; a released one is followed by higher ones only.
    if not files or numbers[0] != "0000" or len(set(numbers)) != len(numbers):
        msg = f"the migrations in {folder} must begin with 0000 and have each number once"
        raise MigrationError(msg)
    return files


@asynccontextmanager
async def _alone(admin: Connection, service: str) -> AsyncIterator[None]:
    """Keeps other runs for the same schema out; the server lets go of the lock when the connection ends.

    Whoever waits asks again and again: a statement that waited would be one that CREATE INDEX CONCURRENTLY of
    the other run waits for.
    """
    while not await admin.fetchval(_TRY_LOCK, f"platewarden.migrate.{service}"):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_SECONDS)
    yield


async def _upgrade(admin_url: str, schema: Schema, files: Sequence[Path]) -> None:
    async def connect() -> Connection:
        return await asyncpg.connect(admin_url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run_alembic, schema, files)
    except DBAPIError as error:
        msg = f"the migration of schema {schema.name} failed: {first_line(error.orig)}"
        raise MigrationError(msg) from error.orig
    finally:
        await engine.dispose()


def _run_alembic(connection: SyncConnection, schema: Schema, files: Sequence[Path]) -> None:
    # The version table stands in the schema, so the schema comes before the migration that gives it away.
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema.name)}")
    connection.commit()
    script = ScriptDirectory(str(files[0].parent))
    script.revision_map = RevisionMap(lambda: _revisions(schema, files))

    def steps(current: str | tuple[str, ...], _: MigrationContext) -> list[MigrationStep]:
        newest = str(current[0] if isinstance(current, tuple) and current else current or "base")
        if newest != "base" and not any(path.name.startswith(f"{newest}_") for path in files):
            last = files[-1].name[:4]
            msg = f"schema {schema.name} is at {newest} and this program knows migrations up to {last}"
            raise MigrationError(msg)
        _check_ran(connection, schema, [path for path in files if path.name[:4] <= newest != "base"])
        missing = reversed(list(script.iterate_revisions("head", newest, implicit_base=True)))
        return [MigrationStep.upgrade_from_script(script.revision_map, revision) for revision in missing]

    with EnvironmentContext(Config(), script, fn=steps, destination_rev="head") as environment:
        environment.configure(
            connection=connection, version_table_schema=schema.name, transaction_per_migration=True
        )
        with environment.begin_transaction():
            environment.run_migrations()


def _revisions(schema: Schema, files: Sequence[Path]) -> Iterator[Script]:
    previous: str | None = None
    for path in files:
        number = path.name[:4]
        module = ModuleType(path.stem, doc=path.stem)
        ran = [one for one in files if one.name[:4] <= number]
        vars(module).update(revision=number, down_revision=previous, upgrade=_runner(schema, path, ran))
        yield Script(module, number, str(path))
        previous = number


def _check_ran(connection: SyncConnection, schema: Schema, files: Sequence[Path]) -> None:
    """Refuses a database that has not been through exactly `files`, as their note on it says."""
    if not files:
        return
    note = connection.exec_driver_sql(
        f"SELECT obj_description('{quoted(schema.name)}.alembic_version'::regclass, 'pg_class')"
    ).scalar()
    ran, known = str(note or "").split(), _note(files).split()
    if ran != known:
        other = next((a or b for a, b in zip_longest(known, ran) if a != b), "")
        msg = (
            f"schema {schema.name} was made by other migrations than this program's, from {other[:4]} on; "
            "a migration that has run cannot change, and a new one has the highest number"
        )
        raise MigrationError(msg)


def _note(files: Sequence[Path]) -> str:
    """What is noted of files that ran: number and digest of each."""
    return " ".join(f"{path.name[:4]}:{sha256(path.read_bytes()).hexdigest()[:16]}" for path in files)


def _runner(schema: Schema, path: Path, ran: Sequence[Path]) -> Callable[[], None]:
    def run() -> None:
        run_file(schema.name, schema.owner, path)
        connection = op.get_bind()
        # The schema is its owner's now; an administrator who is no superuser must reach the version table.
        connection.exec_driver_sql(f"SET LOCAL ROLE {quoted(schema.owner)}")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {quoted(schema.name)} TO SESSION_USER")
        connection.exec_driver_sql("RESET ROLE")
        connection.exec_driver_sql(
            f"COMMENT ON TABLE {quoted(schema.name)}.alembic_version IS '{_note(ran)}'"
        )

    return run


def _is_clash(error: BaseException) -> bool:
    """Whether another run on the same server made or changed the same role at the same moment."""
    cause = error.__cause__ or error
    return isinstance(cause, (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError)) or (
        "tuple concurrently updated" in str(cause)
    )


async def _set_permit_keys(admin: Connection, data_set: str, keys: Sequence[bytes]) -> None:
    async with admin.transaction():
        await admin.execute(f"SET LOCAL ROLE {quoted(PERMIT_OWNERS[data_set])}")
        await admin.execute(f"SET LOCAL search_path = {quoted(data_set)}")
        await admin.execute("DELETE FROM permit_key WHERE key <> ALL ($1::bytea[])", keys)
        await admin.execute(
            "INSERT INTO permit_key (key) SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING", keys
        )


def _login(text: str) -> tuple[str, str]:
    name, separator, password = text.partition("=")
    if not separator or not name or not password:
        raise argparse.ArgumentTypeError("give a login as name=password, or as name=@file")
    if password.startswith("@"):
        password = Path(password[1:]).read_text(encoding="utf-8").strip()
    return name, password


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.common.migrate", description="Bring a service's schema up to date."
    )
    parser.add_argument(
        "--admin-url",
        default=os.environ.get("PW_ADMIN_DATABASE_URL"),
        help="database and administrator (PW_ADMIN_DATABASE_URL)",
    )
    parser.add_argument("--service", required=True, choices=sorted(SCHEMAS), action="append")
    parser.add_argument(
        "--login",
        type=_login,
        action="append",
        default=[],
        metavar="NAME=PASSWORD",
        help="set the password of a login; NAME=@FILE reads it from a file",
    )
    parser.add_argument(
        "--permit-key-file",
        type=Path,
        action="append",
        default=[],
        help="for search: a key of permits; give it twice while keys change",
    )
    parser.add_argument(
        "--mcs-permit-key-file",
        type=Path,
        action="append",
        default=[],
        help="for search: the same for the Motor Carrier Safety data set",
    )
    parser.add_argument(
        "--opened-by",
        default=os.environ.get("PW_SUPERUSER_DATABASE_URL"),
        metavar="URL",
        help="a superuser who lets --admin-url in as the owner for this run and shuts it out afterwards "
        "(PW_SUPERUSER_DATABASE_URL)",
    )
    parser.add_argument("--create-database", action="store_true", help="make the database if it is not there")
    parsed = parser.parse_args(arguments)
    if not parsed.admin_url:
        parser.error("give --admin-url, or set PW_ADMIN_DATABASE_URL")
    return parsed


def _keys(paths: Sequence[Path], option: str) -> list[bytes]:
    """All keys of the files, also those that stand behind the first: while keys change both count."""
    return list(dict.fromkeys(one for path in paths for one in every(read_key(path, option))))


async def _main(arguments: argparse.Namespace) -> None:
    keys = {
        "archive": _keys(arguments.permit_key_file, "--permit-key-file"),
        "motor_carrier": _keys(arguments.mcs_permit_key_file, "--mcs-permit-key-file"),
    }
    if arguments.create_database:
        await create_database(arguments.admin_url)
    logins = dict(arguments.login)
    for service in arguments.service:
        mine = {name: word for name, word in logins.items() if name.startswith(f"{service}_")}
        number = await migrate(
            arguments.admin_url,
            service,
            logins=mine,
            permit_keys=keys if service == "search" else None,
            opener_url=arguments.opened_by,
        )
        print(f"{service}: schema is at {number}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the command: 0 done, 1 not done, with one sentence on standard error."""
    parsed = _arguments(arguments)
    try:
        asyncio.run(_main(parsed))
    except (ConfigError, DatabaseError, asyncpg.PostgresError) as error:
        print(first_line(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
