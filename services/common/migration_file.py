"""Runs one migration while services are at work on the same tables (docs/operations/migrations.md).

A statement that wants a table for itself waits behind whoever reads it, and everybody else then waits behind
the statement. So a migration waits for a lock for two seconds only, gives up, lets all pass and tries again.

An index on a large table is built beside the services: a file whose first line is `-- outside a transaction`
has one such statement, `CREATE INDEX CONCURRENTLY IF NOT EXISTS name ...`, which may run again after a crash.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from alembic import op
from sqlalchemy import Connection

from services.common.database import DatabaseError, quoted

_Run = Callable[[Callable[[Any], Any]], Any]

OUTSIDE = "-- outside a transaction"
LOCK_MILLISECONDS = 2_000
_INDEX = re.compile(r"\bINDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\w+)", re.IGNORECASE)
_IS_BROKEN = """SELECT true FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                WHERE c.relnamespace = $1::text::regnamespace AND c.relname = $2 AND NOT i.indisvalid"""


class MigrationError(DatabaseError):
    """The schema cannot be brought up to date; its text is one sentence for the operator."""


class LockedError(MigrationError):
    """Somebody held a table for longer than a migration may wait; another try may go better."""


def run_file(schema: str, owner: str, path: Path) -> None:
    """Runs the file inside of an alembic migration.

    Raises:
        LockedError: Nothing has changed, and it can be tried again.
        MigrationError: It failed, and nothing has changed.
    """
    text = path.read_text(encoding="utf-8")
    connection = op.get_bind()
    try:
        if text.startswith(OUTSIDE):
            with op.get_context().autocommit_block():
                _run_outside(connection, text, schema, owner)
        else:
            # Begins the transaction, which the driver does with its first statement, not with ours below.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            _driver(connection)(lambda bare: bare.execute(text))
    except asyncpg.LockNotAvailableError as error:
        msg = f"{path.name}{_line(text, error)}: a table was in use for longer than a migration may wait"
        raise LockedError(msg) from error
    except asyncpg.PostgresError as error:
        msg = f"{path.name}{_line(text, error)}: {first_line(error)}"
        raise MigrationError(msg) from error


def first_line(error: BaseException | None) -> str:
    """What an error says, without what can hold rows of the database (DETAIL, from the second line on)."""
    return str(error).partition("\n")[0]


def _run_outside(connection: Connection, text: str, schema: str, owner: str) -> None:
    run = _driver(connection)
    run(lambda bare: bare.execute(f"SET ROLE {quoted(owner)}"))
    try:
        # What a crash left is no index, but has its name.
        for name in _INDEX.findall(text):
            _drop_if_broken(run, schema, name.lower())
        run(lambda bare: bare.execute(text))
    finally:
        run(lambda bare: bare.execute("RESET ROLE"))


def _drop_if_broken(run: _Run, schema: str, index: str) -> None:
    if run(lambda bare: bare.fetchval(_IS_BROKEN, schema, index)):
        run(lambda bare: bare.execute(f"DROP INDEX CONCURRENTLY {quoted(schema)}.{quoted(index)}"))


def _driver(connection: Connection) -> _Run:
    # Several statements at a time are the simple protocol's, which only the bare driver speaks.
    bare: Any = connection.connection.dbapi_connection
    run: _Run = bare.run_async
    return run


def _line(text: str, error: asyncpg.PostgresError) -> str:
    position = getattr(error, "position", None)
    return f", line {text.count(chr(10), 0, int(position)) + 1}" if position else ""
