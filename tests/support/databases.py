"""Migrated databases for tests: services are migrated once, in a template, and every module gets a clone."""

import asyncio
import secrets
from dataclasses import dataclass

import asyncpg

from services.common.database import (
    admin_connection,
    create_database,
    quoted,
    set_login,
    with_database,
    with_login,
)
from services.common.migrate import SCHEMAS, migrate

# Every login of every service has this password in tests.
PASSWORD = "test-password"  # noqa: S105
PERMIT_KEY = bytes(range(32))
MCS_PERMIT_KEY = bytes(range(32, 64))
LOGINS = {
    "audit": ("audit_app",),
    "matcher": ("matcher_app",),
    "search": (
        "search_append",
        "search_question",
        "search_purge",
        "search_health",
        "search_mcs_append",
        "search_mcs_question",
        "search_mcs_purge",
        "search_register",
        "search_mcs_register",
    ),
    "alerts": ("alerts_app",),
}


@dataclass(frozen=True, slots=True)
class MigratedDatabase:
    """A database of one's own with the schemas of one or more services."""

    admin_url: str

    def url(self, login: str) -> str:
        """URL for `login`, for example "search_append"."""
        return with_login(self.admin_url, login, PASSWORD)

    async def drop(self) -> None:
        """Removes it, with whoever is still connected."""
        name = self.admin_url.rpartition("/")[2]
        async with admin_connection(with_database(self.admin_url, "postgres")) as admin:
            await admin.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


class Databases:
    """Makes migrated databases on one server."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._templates: dict[tuple[str, ...], str] = {}
        self._made: list[MigratedDatabase] = []
        self._one_at_a_time = asyncio.Lock()  # a template can be copied only while nobody is connected to it

    async def make(self, *services: str) -> MigratedDatabase:
        """A fresh database with the schemas of `services` (of all four when none is named)."""
        wanted = services or tuple(SCHEMAS)
        async with self._one_at_a_time:
            if wanted not in self._templates:
                self._templates[wanted] = await self._template(wanted)
            url = with_database(self._admin_url, f"pw_{secrets.token_hex(6)}")
            await create_database(url, template=self._templates[wanted])
            async with admin_connection(url) as admin:
                for service in wanted:
                    for login in LOGINS[service]:
                        # Roles are the server's, not the database's: another test may have changed it.
                        await set_login(admin, login, PASSWORD)
        database = MigratedDatabase(url)
        self._made.append(database)
        return database

    async def drop_made(self) -> None:
        """Removes what was made so far; templates stay."""
        while self._made:
            await self._made.pop().drop()

    async def drop_templates(self) -> None:
        """Removes the templates."""
        for name in self._templates.values():
            await MigratedDatabase(with_database(self._admin_url, name)).drop()

    async def _template(self, services: tuple[str, ...]) -> str:
        name = f"pw_template_{secrets.token_hex(6)}"
        url = with_database(self._admin_url, name)
        await create_database(url)
        for service in services:
            keys = {"archive": [PERMIT_KEY], "motor_carrier": [MCS_PERMIT_KEY]} if service == "search" else {}
            logins = dict.fromkeys(LOGINS[service], PASSWORD)
            await migrate(url, service, logins=logins, permit_keys=keys)
        return name


async def awake(url: str, seconds: float = 60) -> None:
    """Waits until the server at `url`, which has been killed, takes connections again."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.2)
            else:
                await connection.close()
                return


async def fetch(url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """Rows of one statement on a connection of its own."""
    async with admin_connection(url) as connection:
        return await connection.fetch(statement, *arguments)
