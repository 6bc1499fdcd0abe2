"""The active lists as the index needs them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.columns import Columns
from services.matcher.core.copied import CopiedEntries
from services.matcher.core.entry import Entry, Source
from services.matcher.core.index import SMALL_LIST, ActiveList, ListHeader, ListIndex, ListIndexBuilder
from services.matcher.core.scope import Scope
from services.matcher.core.tuning import Tuning
from services.matcher.snapshots import Snapshots
from services.matcher.store_local_index import read_local_lists
from services.matcher.store_scope import read_scope

if TYPE_CHECKING:
    import asyncpg

_PART_BYTES: Final = 4 << 20
_LONGEST_LOAD_S: Final = 600

_REVISION: Final = "SELECT match_revision FROM matcher.revision WHERE only_row"
_FACTOR: Final = (
    "(SELECT n.factor FROM matcher.tuning AS n WHERE n.hot_list_id = l.hot_list_id AND n.budget = {}"
    " ORDER BY n.number DESC LIMIT 1)"
)
# A list is as old as its source's file, where that is known: to upload it again does not make it younger.
_ACTIVE: Final = (
    "SELECT l.hot_list_id, l.name, l.agency_ori, l.source, l.active_version,"  # noqa: S608 - constants
    " l.activated_at,"
    " coalesce(v.source_time, v.upload_time) AS upload_time, v.expire_time,"
    f" coalesce({_FACTOR.format(1)}, 1) AS sounding, coalesce({_FACTOR.format(2)}, 1) AS checked"
    " FROM matcher.hot_list AS l JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
)
# What is compared now, and what may be next.
_KEPT: Final = "SELECT hot_list_id, active_version, latest_version FROM matcher.hot_list"
# The newest version of a large list that is not compared yet; the smallest first.
_NEXT: Final = (
    "SELECT v.hot_list_id, v.version FROM matcher.hot_list AS l JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.latest_version"
    " WHERE v.version IS DISTINCT FROM l.active_version AND v.entry_count > $1"
    " AND (v.expire_time IS NULL OR v.expire_time > clock_timestamp()) ORDER BY v.entry_count"
)
_ENTRY_COUNT: Final = (
    "SELECT entry_count FROM matcher.hot_list_version WHERE hot_list_id = $1 AND version = $2"
)
# The columns that core/copied.py reads.
_ENTRIES: Final = (
    "SELECT entry_id, plate, state, category, plate_type, entry_date, expires_at,"
    " concat_ws(E'\\x1f', record_number, vehicle_year, vehicle_make, vehicle_model, vehicle_style,"
    " vehicle_color)"
    " FROM matcher.hot_list_entry"
    " WHERE hot_list_id = $1 AND first_version <= $2 AND (last_version IS NULL OR last_version >= $2)"
)


class IndexStore:
    """Reads the active lists in one snapshot."""

    def __init__(self, pool: Pool, snapshots: Snapshots | None = None) -> None:
        self._pool = pool
        self._snapshots = snapshots or Snapshots(None)
        # One list at a time is read from the database: whoever comes second finds the file.
        self._reading = asyncio.Lock()

    async def revision(self) -> int:
        """The revision that the database is at."""
        async with connection(self._pool) as held:
            return await _read_revision(held)

    async def scope(self) -> Scope:
        """Agreements and matrix as stored now."""
        async with transaction(self._pool, readonly=True) as held:
            return await read_scope(held)

    async def load(
        self, loaded: Mapping[tuple[uuid.UUID, int], ListIndex]
    ) -> tuple[int, tuple[ActiveList, ...]]:
        """The revision and all active lists at it; a version that is in `loaded` is not read again."""
        async with transaction(self._pool, readonly=True) as held:
            await held.execute(f"SET LOCAL statement_timeout = '{_LONGEST_LOAD_S}s'")
            revision = await _read_revision(held)
            headers = [_header(row) for row in await held.fetch(_ACTIVE)]
            lists = []
            for header in headers:
                known = loaded.get((header.hot_list_id, header.version))
                lists.append(ActiveList(header, known or await self._entries(held, header)))
            for header, entries in await read_local_lists(held):
                known = loaded.get((header.hot_list_id, header.version))
                lists.append(ActiveList(header, known or _local(entries)))
            kept = {row["hot_list_id"]: [*row.values()][1:] for row in await held.fetch(_KEPT)}
        await asyncio.to_thread(self._snapshots.keep_only, kept)
        return revision, tuple(lists)

    async def unprepared(self) -> tuple[tuple[uuid.UUID, int], ...]:
        """Newest versions of large lists that are not compared yet and have no file, the smallest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_NEXT, SMALL_LIST)
        return tuple(tuple(row) for row in rows if not self._snapshots.has(*row))

    async def prepare(self, hot_list_id: uuid.UUID, version: int) -> None:
        """Writes the file of a version of a large list, if it has none.

        Its activation then takes no longer than to read the file.
        """
        async with self._reading:
            if self._snapshots.has(hot_list_id, version):
                return
            async with transaction(self._pool, readonly=True) as held:
                if (await held.fetchval(_ENTRY_COUNT, hot_list_id, version) or 0) <= SMALL_LIST:
                    return
                await held.execute(f"SET LOCAL statement_timeout = '{_LONGEST_LOAD_S}s'")
                columns = await _copied(held, hot_list_id, version)
            await asyncio.to_thread(self._snapshots.save, hot_list_id, version, columns)

    async def _entries(self, held: Connection, header: ListHeader) -> ListIndex:
        """The entries of one list: from its snapshot, or else from the database, and then there is one."""
        version = (header.hot_list_id, header.version)
        async with self._reading:
            kept = await asyncio.to_thread(self._snapshots.load, *version)
            if kept is not None:
                return ListIndex(kept)
            columns = await _copied(held, *version)
            await asyncio.to_thread(self._snapshots.save, *version, columns)
        return ListIndex(columns)


async def _read_revision(held: Connection) -> int:
    revision: int = await held.fetchval(_REVISION)
    return revision


async def _copied(held: Connection, hot_list_id: uuid.UUID, version: int) -> Columns:
    """The entries of one version, packed in a thread while the loop goes on serving."""
    copied = CopiedEntries()

    async def take(part: bytes) -> None:
        await asyncio.to_thread(copied.add, part)

    parts = _Gathered(take)
    await held.copy_from_query(
        _ENTRIES,
        hot_list_id,
        version,
        output=parts.add,
        format="binary",
        timeout=_LONGEST_LOAD_S,
    )
    await parts.end()
    return await asyncio.to_thread(copied.columns)


class _Gathered:
    """Hands small parts on in large ones: a thread for every few rows would take longer than the rows."""

    def __init__(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        self._take = take
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, part: bytes) -> None:
        """Takes a part."""
        self._parts.append(part)
        self._size += len(part)
        if self._size >= _PART_BYTES:
            await self.end()

    async def end(self) -> None:
        """Hands on what is left."""
        part, self._parts, self._size = b"".join(self._parts), [], 0
        await self._take(part)


def _local(entries: Iterable[Entry]) -> ListIndex:
    builder = ListIndexBuilder()
    builder.add(entries)
    return builder.build()


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
        tuning=Tuning(row["sounding"], row["checked"]),
    )
