"""Versions of hot lists in the database: upload. One method is one transaction."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.entry import Category, ListRow, entry_id
from services.matcher.core.hot_list import Act, UploadHeader, VersionSummary
from services.matcher.store_acts import claim

if TYPE_CHECKING:
    import asyncpg

# Of one statement. A million rows take about 40 seconds in all; a file of 2 GiB has some 25 million.
_LONGEST_UPLOAD_S: Final = 3600
_ROWS_A_STEP: Final = 2000

_CONTENT: Final = "plate_type, vehicle_year, vehicle_make, vehicle_model, vehicle_style, vehicle_color"
_COLUMNS: Final = f"entry_id, category, plate, state, record_number, {_CONTENT}"
_STAGED: Final = ("intent_id", *_COLUMNS.split(", "))
# A file may list an entry twice, for instance once for every alias of a wanted person. Which row of several
# that differ in the vehicle alone is kept must not depend on their order, or the next upload seems a change.
_DISTINCT: Final = (
    "DELETE FROM matcher.stage AS s USING"  # noqa: S608 - constants
    f" (SELECT ctid, row_number() OVER (PARTITION BY entry_id ORDER BY {_CONTENT}) AS n"
    " FROM matcher.stage WHERE intent_id = $1) AS d WHERE s.ctid = d.ctid AND d.n > 1"
)
_UNSTAGE: Final = "DELETE FROM matcher.stage WHERE intent_id = $1"
_LOCK: Final = (
    "SELECT latest_version, active_version FROM matcher.hot_list WHERE hot_list_id = $1 FOR NO KEY UPDATE"
)
_IN_ACTIVE: Final = (
    "e.hot_list_id = $1 AND e.first_version <= $2 AND (e.last_version IS NULL OR e.last_version >= $2)"
)
_ADDED: Final = (
    "SELECT count(*) FROM matcher.stage AS s WHERE s.intent_id = $3 AND NOT EXISTS"  # noqa: S608 - constants
    f" (SELECT FROM matcher.hot_list_entry AS e WHERE {_IN_ACTIVE} AND e.entry_id = s.entry_id)"
)
_REMOVED: Final = (
    f"SELECT count(*) FROM matcher.hot_list_entry AS e WHERE {_IN_ACTIVE}"  # noqa: S608 - constants
    " AND NOT EXISTS (SELECT FROM matcher.stage AS s"
    " WHERE s.intent_id = $3 AND s.entry_id = e.entry_id)"
)
_CATEGORIES: Final = (
    "SELECT category, count(*) AS entries FROM matcher.stage WHERE intent_id = $1"
    " GROUP BY category ORDER BY category"
)
_VERSION: Final = (
    "INSERT INTO matcher.hot_list_version (hot_list_id, version, intent_id, upload_time, format, sha256,"
    " size_bytes, attestation, row_count, entry_count, added_count, removed_count, categories,"
    " category_counts)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)
_END: Final = (
    "UPDATE matcher.hot_list_entry AS e SET last_version = $2 WHERE e.hot_list_id = $1"
    " AND e.last_version IS NULL AND NOT EXISTS (SELECT FROM matcher.stage AS s"
    " WHERE s.intent_id = $3 AND s.entry_id = e.entry_id"
    " AND (s.plate_type, s.vehicle_year, s.vehicle_make, s.vehicle_model, s.vehicle_style, s.vehicle_color)"
    " = (e.plate_type, e.vehicle_year, e.vehicle_make, e.vehicle_model, e.vehicle_style, e.vehicle_color))"
)
_BEGIN: Final = (
    f"INSERT INTO matcher.hot_list_entry (hot_list_id, first_version, {_COLUMNS})"  # noqa: S608 - constants
    f" SELECT $1, $2, {_COLUMNS} FROM matcher.stage AS s WHERE s.intent_id = $3 AND NOT EXISTS"
    " (SELECT FROM matcher.hot_list_entry AS e"
    " WHERE e.hot_list_id = $1 AND e.last_version IS NULL AND e.entry_id = s.entry_id)"
)
_LATEST: Final = "UPDATE matcher.hot_list SET latest_version = $2 WHERE hot_list_id = $1"
_SUMMARY: Final = (
    "SELECT version, row_count, categories, category_counts, added_count, removed_count"
    " FROM matcher.hot_list_version WHERE intent_id = $1"
)


class VersionStore:
    """The versions of hot lists and their entries."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, intent_id: uuid.UUID) -> VersionSummary | None:
        """The version that was stored under that intent, if one was."""
        async with connection(self._pool) as held:
            row = await held.fetchrow(_SUMMARY, intent_id)
        return _summary(row) if row else None

    async def add(self, act: Act, header: UploadHeader, rows: Iterator[ListRow]) -> VersionSummary:
        """The new version with all of `rows`; the stored one for an act that is stored already."""
        async with transaction(self._pool) as held:
            await held.execute(f"SET LOCAL statement_timeout = '{_LONGEST_UPLOAD_S}s'")
            row_count = await _stage(held, act, rows)
            if await claim(held, act):
                await _store(held, act, header, row_count)
            await held.execute(_UNSTAGE, act.intent_id, timeout=_LONGEST_UPLOAD_S)
            stored = await held.fetch(_SUMMARY, act.intent_id)
            return _summary(stored[0])


async def _stage(held: Connection, act: Act, rows: Iterator[ListRow]) -> int:
    """The number of rows, once they are copied aside, before any lock is taken, without repeated entries."""
    done = await held.copy_records_to_table(
        "stage",
        schema_name="matcher",
        columns=_STAGED,
        records=_records(act, rows),
        timeout=_LONGEST_UPLOAD_S,
    )
    await held.execute(_DISTINCT, act.intent_id, timeout=_LONGEST_UPLOAD_S)
    return int(done.rpartition(" ")[2])


async def _records(act: Act, rows: Iterator[ListRow]) -> AsyncIterator[tuple[object, ...]]:
    """Rows as records; they are parsed a few at a time in a thread, and never all in memory."""

    def step() -> list[tuple[object, ...]]:
        return [_record(act, row) for row in itertools.islice(rows, _ROWS_A_STEP)]

    while records := await asyncio.to_thread(step):
        for record in records:
            yield record


def _record(act: Act, row: ListRow) -> tuple[object, ...]:
    vehicle = row.vehicle
    content = (row.plate_type, vehicle.year, vehicle.make, vehicle.model, vehicle.style, vehicle.color)
    return (
        act.intent_id,
        entry_id(act.hot_list_id, row),
        row.category.value,
        row.plate,
        row.state,
        row.record_number,
        *content,
    )


async def _store(held: Connection, act: Act, header: UploadHeader, row_count: int) -> None:
    """Compares what is staged with the list, under the list's lock, and writes what differs."""
    list_id, intent_id = act.hot_list_id, act.intent_id
    (state,) = await held.fetch(_LOCK, list_id, timeout=_LONGEST_UPLOAD_S)
    before, active = state["latest_version"], state["active_version"] or 0

    async def count(query: str) -> int:
        number: int = await held.fetchval(query, list_id, active, intent_id, timeout=_LONGEST_UPLOAD_S)
        return number

    counts = await held.fetch(_CATEGORIES, intent_id, timeout=_LONGEST_UPLOAD_S)
    categories, numbers = [row["category"] for row in counts], [row["entries"] for row in counts]
    file = (header.format.value, header.sha256, header.size_bytes, header.attestation)
    summary = (row_count, sum(numbers), await count(_ADDED), await count(_REMOVED), categories, numbers)
    version = (list_id, before + 1, intent_id, act.act_time, *file, *summary)
    await held.execute(_VERSION, *version)
    await held.execute(_END, list_id, before, intent_id, timeout=_LONGEST_UPLOAD_S)
    await held.execute(_BEGIN, list_id, before + 1, intent_id, timeout=_LONGEST_UPLOAD_S)
    await held.execute(_LATEST, list_id, before + 1)


def _summary(row: asyncpg.Record) -> VersionSummary:
    counts = zip(row["categories"], row["category_counts"], strict=True)
    return VersionSummary(
        version=row["version"],
        row_count=row["row_count"],
        categories=tuple((Category(category), count) for category, count in counts),
        added_count=row["added_count"],
        removed_count=row["removed_count"],
    )
