"""The active lists as the index needs them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection
from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.index import ActiveList, ListHeader, ListIndex, ListIndexBuilder
from services.matcher.core.scope import Scope
from services.matcher.store_local_index import read_local_lists
from services.matcher.store_scope import read_scope

if TYPE_CHECKING:
    import asyncpg

_ENTRIES_A_STEP: Final = 2000
_LONGEST_LOAD_S: Final = 600

_REVISION: Final = "SELECT match_revision FROM matcher.revision WHERE only_row"
# A list is as old as its source's file, where that is known: to upload it again does not make it younger.
_ACTIVE: Final = (
    "SELECT l.hot_list_id, l.name, l.agency_ori, l.source, l.active_version, l.activated_at,"
    " coalesce(v.source_time, v.upload_time) AS upload_time, v.expire_time"
    " FROM matcher.hot_list AS l JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
)
_ENTRIES: Final = (
    "SELECT entry_id, plate, state, category, record_number, plate_type, entry_date, expires_at,"
    " vehicle_year, vehicle_make, vehicle_model, vehicle_style, vehicle_color FROM matcher.hot_list_entry"
    " WHERE hot_list_id = $1 AND first_version <= $2 AND (last_version IS NULL OR last_version >= $2)"
)


class IndexStore:
    """Reads the active lists in one snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def revision(self) -> int:
        """The revision that the database is at."""
        async with connection(self._pool) as held:
            return await _read_revision(held)

    async def scope(self) -> Scope:
        """Agreements and matrix as stored now."""
        async with (
            connection(self._pool) as held,
            held.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await read_scope(held)

    async def load(
        self, loaded: Mapping[tuple[uuid.UUID, int], ListIndex]
    ) -> tuple[int, tuple[ActiveList, ...]]:
        """The revision and all active lists at it; a version that is in `loaded` is not read again."""
        async with (
            connection(self._pool) as held,
            held.transaction(isolation="repeatable_read", readonly=True),
        ):
            await held.execute(f"SET LOCAL statement_timeout = '{_LONGEST_LOAD_S}s'")
            revision = await _read_revision(held)
            headers = [_header(row) for row in await held.fetch(_ACTIVE)]
            lists = []
            for header in headers:
                known = loaded.get((header.hot_list_id, header.version))
                lists.append(ActiveList(header, known or await _entries(held, header)))
            for header, entries in await read_local_lists(held):
                known = loaded.get((header.hot_list_id, header.version))
                lists.append(ActiveList(header, known or _local(entries)))
        return revision, tuple(lists)


async def _read_revision(held: Connection) -> int:
    revision: int = await held.fetchval(_REVISION)
    return revision


async def _entries(held: Connection, header: ListHeader) -> ListIndex:
    """The entries of one list, packed in a thread while the loop goes on serving."""
    builder = ListIndexBuilder()
    cursor = await held.cursor(_ENTRIES, header.hot_list_id, header.version, timeout=_LONGEST_LOAD_S)
    while rows := await cursor.fetch(_ENTRIES_A_STEP, timeout=_LONGEST_LOAD_S):
        await asyncio.to_thread(_add, builder, rows)
    return builder.build()


def _local(entries: Iterable[Entry]) -> ListIndex:
    builder = ListIndexBuilder()
    builder.add(entries)
    return builder.build()


def _add(builder: ListIndexBuilder, rows: list[asyncpg.Record]) -> None:
    builder.add(_entry(row) for row in rows)


def _entry(row: asyncpg.Record) -> Entry:
    entry_id, plate, state, category, record_number, plate_type, entry_date, expires_at, *vehicle = row
    listed = Vehicle(*vehicle)
    return Entry(
        entry_id, plate, state, Category(category), record_number, listed, plate_type, entry_date, expires_at
    )


def _header(row: asyncpg.Record) -> ListHeader:
    return ListHeader(
        hot_list_id=row["hot_list_id"],
        name=row["name"],
        agency_ori=row["agency_ori"],
        source=Source(row["source"]),
        version=row["active_version"],
        upload_time=row["upload_time"],
        activated_at=row["activated_at"],
        expires_at=row["expire_time"],
    )
