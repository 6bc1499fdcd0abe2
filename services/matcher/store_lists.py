"""Hot lists in the database: make, show, activate. One method is one transaction."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from services.common.errors import AlreadyExistsError
from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.entry import Source
from services.matcher.core.hot_list import Act, HotList
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_acts import claim

if TYPE_CHECKING:
    import asyncpg

CHANNEL: Final = "matcher_revision"
"""What is notified after every activation; the payload is the new revision."""

_LIST: Final = (
    "SELECT l.hot_list_id, l.name, l.agency_ori, l.source, coalesce(l.active_version, 0) AS active_version,"
    " l.activated_at, coalesce(v.entry_count, 0) AS entry_count, l.latest_version"
    " FROM matcher.hot_list AS l LEFT JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
)
_GET: Final = f"{_LIST} WHERE l.hot_list_id = $1"
_PAGE: Final = f"{_LIST} WHERE l.agency_ori = $1 AND l.name > $2 ORDER BY l.name LIMIT $3"
_INSERT: Final = (
    "INSERT INTO matcher.hot_list (hot_list_id, agency_ori, name, source, intent_id)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agency_ori, name) DO NOTHING RETURNING true"
)
# The row lock makes the order of commits the order of revisions: no replica sees revision n + 1 without n.
_NEXT_REVISION: Final = (
    "UPDATE matcher.revision SET match_revision = match_revision + 1 WHERE only_row RETURNING match_revision"
)
_HAS_VERSION: Final = "SELECT true FROM matcher.hot_list_version WHERE hot_list_id = $1 AND version = $2"
_SET_ACTIVE: Final = (
    "UPDATE matcher.hot_list SET active_version = $2, activated_at = $3 WHERE hot_list_id = $1"
)
_ACTIVATION: Final = (
    "INSERT INTO matcher.activation (match_revision, hot_list_id, version, intent_id, activated_at)"
    " VALUES ($1, $2, $3, $4, $5)"
)
_ACTIVATED: Final = "SELECT match_revision FROM matcher.activation WHERE intent_id = $1"


class HotListStore:
    """The table of hot lists."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, hot_list_id: uuid.UUID) -> HotList:
        """The list with that id. Raises HotListNotFoundError."""
        async with connection(self._pool) as held:
            return await _read(held, hot_list_id)

    async def page(self, agency_ori: str, after: str, size: int) -> tuple[HotList, ...]:
        """At most `size` lists of the agency whose name comes after `after`, by name."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_PAGE, agency_ori, after, size)
        return tuple(_hot_list(row) for row in rows)

    async def create(self, act: Act, agency_ori: str, name: str, source: Source) -> HotList:
        """The list as stored; the same again for an act that is stored already. Raises AlreadyExistsError."""
        async with transaction(self._pool) as held:
            if await claim(held, act) and not await held.fetchval(
                _INSERT, act.hot_list_id, agency_ori, name, source.value, act.intent_id
            ):
                raise AlreadyExistsError("the agency has a hot list of this name", resource="name")
            return await _read(held, act.hot_list_id)

    async def activate(self, act: Act, version: int) -> tuple[HotList, int]:
        """The list with `version` active, and the revision from which it is. Raises HotListNotFoundError."""
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                revision = await held.fetchval(_ACTIVATED, act.intent_id)
                return await _read(held, act.hot_list_id), revision
            if not await held.fetchval(_HAS_VERSION, act.hot_list_id, version):
                raise HotListNotFoundError(
                    "the hot list has no such version", resource=f"{act.hot_list_id}/{version}"
                )
            revision = await held.fetchval(_NEXT_REVISION)
            await held.execute(_SET_ACTIVE, act.hot_list_id, version, act.act_time)
            change = (revision, act.hot_list_id, version, act.intent_id, act.act_time)
            await held.execute(_ACTIVATION, *change)
            await held.execute("SELECT pg_notify($1, $2)", CHANNEL, str(revision))
            return await _read(held, act.hot_list_id), revision


async def _read(held: Connection, hot_list_id: uuid.UUID) -> HotList:
    row = await held.fetchrow(_GET, hot_list_id)
    if row is None:
        raise HotListNotFoundError("there is no such hot list", resource=str(hot_list_id))
    return _hot_list(row)


def _hot_list(row: asyncpg.Record) -> HotList:
    return HotList(**{**dict(row), "source": Source(row["source"])})
