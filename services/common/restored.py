"""Tells services that their database was restored to an older state: `python -m services.common.restored`.

With the migration credential, while no replica runs, after the restore and before the start (for audit's log
see `services.audit.restore`). Each schema does what it must by its own function `after_restore`, in one
transaction. Doing it again is safe.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from services.common.database import DatabaseError, admin_connection, quoted
from services.common.migrate import SCHEMAS
from services.common.owners import acting_as

# Audit's log has a command of its own; its registry needs nothing.
_SERVICES = tuple(sorted(SCHEMAS.keys() - {"audit"}))


async def after_restore(
    admin_url: str, service: str, restored_to: datetime, *, opener_url: str | None = None
) -> str:
    """What the schema of `service` did, in words.

    Args:
        admin_url: Its database, and the migration's login.
        service: One of those that keep a schema, but not audit.
        restored_to: The moment that the database was restored to, or an earlier one.
        opener_url: As for a migration, if the login may not act as the schema's owner.

    Raises:
        DatabaseError: No such database, or the login may not.
    """
    schema = SCHEMAS[service]
    async with (
        admin_connection(admin_url) as admin,
        acting_as(admin, [schema.owner], opener_url),
        admin.transaction(),
    ):
        await admin.execute(f"SET LOCAL ROLE {quoted(schema.owner)}")
        said: str = await admin.fetchval(f"SELECT {quoted(schema.name)}.after_restore($1)", restored_to)
    return said


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment > datetime.now(UTC):
        raise ValueError
    return moment


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.common.restored",
        description="Tell services that a restore lies behind them.",
    )
    parser.add_argument(
        "--admin-url",
        default=os.environ.get("PW_ADMIN_DATABASE_URL"),
        help="database and administrator (PW_ADMIN_DATABASE_URL)",
    )
    parser.add_argument("--service", required=True, choices=_SERVICES, action="append")
    parser.add_argument(
        "--restored-to",
        required=True,
        type=_moment,
        metavar="MOMENT",
        help="as given to the restore, or earlier: 2026-11-26T14:03:00Z",
    )
    parser.add_argument(
        "--opened-by",
        default=os.environ.get("PW_SUPERUSER_DATABASE_URL"),
        metavar="URL",
        help="a superuser who lets --admin-url in, as for a migration (PW_SUPERUSER_DATABASE_URL)",
    )
    parsed = parser.parse_args(arguments)
    if not parsed.admin_url:
        parser.error("give --admin-url, or set PW_ADMIN_DATABASE_URL")
    return parsed


async def _main(given: argparse.Namespace) -> None:
    for service in given.service:
        said = await after_restore(given.admin_url, service, given.restored_to, opener_url=given.opened_by)
        print(f"{service}: {said}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 and what was done; 1 and one sentence on standard error when it was not."""
    given = _arguments(arguments)
    try:
        asyncio.run(_main(given))
    except (DatabaseError, asyncpg.PostgresError) as error:
        # What follows the first line can hold rows of the database.
        print(f"not done: {str(error).partition(chr(10))[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
