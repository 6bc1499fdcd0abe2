"""What the stores share: single statements outside a transaction."""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg

from services.common import database, pg

# Of a pool in the service, of its own in the bootstrap.
AnyConnection: TypeAlias = pg.Connection | database.Connection


class Reader:
    """Runs one SELECT at a time."""

    def __init__(self, pool: pg.Pool) -> None:
        self._pool = pool

    async def _fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async with pg.connection(self._pool) as held:
            return await held.fetch(statement, *arguments)

    async def _fetchrow(self, statement: str, *arguments: Any) -> asyncpg.Record | None:
        async with pg.connection(self._pool) as held:
            return await held.fetchrow(statement, *arguments)

    async def _fetchval(self, statement: str, *arguments: Any) -> Any:
        async with pg.connection(self._pool) as held:
            return await held.fetchval(statement, *arguments)
