"""Versions of hot lists in the database: upload. One method is one transaction."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from services.common.errors import WrongStateError
from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.entry import Category, ListRow, entry_id
from services.matcher.core.hot_list import (
    NOTHING_FOUND,
    Act,
    Checked,
    Removal,
    UploadHeader,
    UploadKind,
    VersionSummary,
)
from services.matcher.errors import AbsentEntriesError
from services.matcher.store_acts import claim
from services.matcher.store_difference import CONTENT, content_of, count_difference
from services.matcher.store_findings import add_findings, read_findings

if TYPE_CHECKING:
    import asyncpg

# Of one statement. A million rows take about 40 seconds in all; a file of 2 GiB has some 25 million.
LONGEST_UPLOAD_S: Final = 3600
_ROWS_A_STEP: Final = 2000
_NOTES_SHOWN: Final = 100

_COLUMNS: Final = f"entry_id, category, plate, state, record_number, {CONTENT}"
_STAGED: Final = ("intent_id", *_COLUMNS.split(", "))
# A file may list an entry twice, for instance once for every alias of a wanted person. Which row of several
# that differ in the vehicle alone is kept must not depend on their order, or the next upload seems a change.
_DISTINCT: Final = (
    "DELETE FROM matcher.stage AS s USING"  # noqa: S608 - constants
    f" (SELECT ctid, row_number() OVER (PARTITION BY entry_id ORDER BY {CONTENT}) AS n"
    " FROM matcher.stage WHERE intent_id = $1) AS d WHERE s.ctid = d.ctid AND d.n > 1"
)
# PostgreSQL knows nothing yet of rows that came in this transaction, and would look each up by itself.
_MANY_ROWS: Final = 5000
_AT_LENGTH: Final = "SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '128MB'"
_UNSTAGE: Final = "DELETE FROM matcher.stage WHERE intent_id = $1"
LOCK: Final = (
    "SELECT latest_version, active_version, immigration_file"
    " FROM matcher.hot_list WHERE hot_list_id = $1 FOR NO KEY UPDATE"
)
"""Whoever holds this row is alone in changing its list."""
LAST_ACTIVE: Final = (
    "SELECT version FROM matcher.activation WHERE hot_list_id = $1 AND version IS NOT NULL"
    " ORDER BY match_revision DESC LIMIT 1"
)
"""The version that reads are compared with, or were before the list went out of use."""
_INSERT: Final = (
    "INSERT INTO matcher.hot_list_version (hot_list_id, version, intent_id, upload_time, format, sha256,"
    " size_bytes, attestation, kind, base_version, source_time, expire_time, row_count, compared_version,"
    " immigration_file, note_count, entry_count, added_count, removed_count, categories, category_counts,"
    " complete)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
    " $15 OR EXISTS (SELECT FROM matcher.hot_list_version AS b"
    " WHERE b.hot_list_id = $1 AND b.version = $10 AND b.immigration_file),"
    " $16, 0, 0, 0, '{}', '{}', false)"
)
_SAME_STAGED: Final = "SELECT FROM matcher.stage AS s WHERE s.intent_id = $3 AND s.entry_id = e.entry_id"
_SAME_CONTENT: Final = f" AND ({content_of('s')}) IS NOT DISTINCT FROM ({content_of('e')})"
_END: Final = (
    "UPDATE matcher.hot_list_entry AS e SET last_version = $2 WHERE e.hot_list_id = $1"
    " AND e.last_version IS NULL AND "
)
# What ends: in a whole list what is not there as it was, in an increment what is named.
_ENDS: Final[Mapping[UploadKind, str]] = {
    UploadKind.FULL: f"{_END}NOT EXISTS ({_SAME_STAGED}{_SAME_CONTENT})",
    UploadKind.ADD: f"{_END}EXISTS ({_SAME_STAGED}) AND NOT EXISTS ({_SAME_STAGED}{_SAME_CONTENT})",
    UploadKind.REMOVE: f"{_END}EXISTS ({_SAME_STAGED})",
}
_OPEN: Final = (
    "(SELECT FROM matcher.hot_list_entry AS e"
    " WHERE e.hot_list_id = $1 AND e.last_version IS NULL AND e.entry_id = s.entry_id)"
)
_BEGIN: Final = (
    f"INSERT INTO matcher.hot_list_entry (hot_list_id, first_version, {_COLUMNS})"  # noqa: S608 - constants
    f" SELECT $1, $2, {_COLUMNS} FROM matcher.stage AS s WHERE s.intent_id = $3 AND NOT EXISTS {_OPEN}"
)
_ABSENT: Final = f"SELECT count(*) FROM matcher.stage AS s WHERE s.intent_id = $2 AND NOT EXISTS {_OPEN}"  # noqa: S608
# The version before, with what began and without what ended: it costs what has changed, not what there is.
_CATEGORIES: Final = (
    "SELECT category, sum(entries)::bigint AS entries FROM ("
    " SELECT unnest(categories) AS category, unnest(category_counts) AS entries"
    " FROM matcher.hot_list_version WHERE hot_list_id = $1 AND version = $2 - 1"
    " UNION ALL SELECT category, count(*) FROM matcher.hot_list_entry"
    " WHERE hot_list_id = $1 AND first_version = $2 GROUP BY category"
    " UNION ALL SELECT category, -count(*) FROM matcher.hot_list_entry"
    " WHERE hot_list_id = $1 AND last_version = $2 - 1 GROUP BY category"
    ") AS parts GROUP BY category HAVING sum(entries) > 0 ORDER BY category"
)
_COMPLETE: Final = (
    "UPDATE matcher.hot_list_version SET entry_count = $3, added_count = $4, removed_count = $5,"
    " categories = $6, category_counts = $7, complete = true WHERE hot_list_id = $1 AND version = $2"
)
_LATEST: Final = "UPDATE matcher.hot_list SET latest_version = $2 WHERE hot_list_id = $1"
_SUMMARY: Final = (
    "SELECT v.version, v.row_count, v.entry_count, v.categories, v.category_counts, v.added_count,"
    " v.removed_count, v.compared_version, coalesce(c.entry_count, 0) AS compared_count, v.note_count"
    " FROM matcher.hot_list_version AS v LEFT JOIN matcher.hot_list_version AS c"
    " ON c.hot_list_id = v.hot_list_id AND c.version = v.compared_version WHERE v.intent_id = $1"
)


class VersionStore:
    """The versions of hot lists and their entries."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, intent_id: uuid.UUID) -> VersionSummary | None:
        """The version that was stored under that intent, if one was."""
        async with connection(self._pool) as held:
            return await _read(held, intent_id)

    async def add(
        self, act: Act, header: UploadHeader, rows: Iterator[ListRow], checked: Checked = NOTHING_FOUND
    ) -> VersionSummary:
        """The new version with all of `rows`; the stored one for an act that is stored already.

        Raises:
            WrongStateError: The version that an increment changes is not the newest, or rows of file N were
                taken and the list's setting has changed meanwhile.
            AbsentEntriesError: An increment removes what is not there.
        """
        async with transaction(self._pool) as held:
            await held.execute(f"SET LOCAL statement_timeout = '{LONGEST_UPLOAD_S}s'")
            row_count = await _stage(held, act, rows)
            if row_count > _MANY_ROWS:
                await held.execute(_AT_LENGTH)
            if await claim(held, act):
                await _store(held, act, header, row_count, checked)
            await held.execute(_UNSTAGE, act.intent_id, timeout=LONGEST_UPLOAD_S)
            stored = await _read(held, act.intent_id)
            assert stored is not None  # noqa: S101 - stored above, or by the call that claimed the act
            return stored


async def _stage(held: Connection, act: Act, rows: Iterator[ListRow]) -> int:
    """The number of rows, once they are copied aside, before any lock is taken, without repeated entries."""
    done = await held.copy_records_to_table(
        "stage",
        schema_name="matcher",
        columns=_STAGED,
        records=_records(act, rows),
        timeout=LONGEST_UPLOAD_S,
    )
    await held.execute(_DISTINCT, act.intent_id, timeout=LONGEST_UPLOAD_S)
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
        row.entry_date,
        row.expires_at,
    )


async def _store(held: Connection, act: Act, header: UploadHeader, row_count: int, checked: Checked) -> None:
    """Compares what is staged with the list, under the list's lock, and writes what differs."""
    list_id, intent_id = act.hot_list_id, act.intent_id
    (state,) = await held.fetch(LOCK, list_id, timeout=LONGEST_UPLOAD_S)
    before = state["latest_version"]
    await _check_state(held, act, header, state, checked)
    compared = await held.fetchval(LAST_ACTIVE, list_id) or 0
    file = (header.format.value, header.sha256, header.size_bytes, header.attestation)
    kind = (header.kind.value, header.base_version, header.source_time, header.expire_time)
    notes = (checked.immigration_file, checked.note_count)
    version = (list_id, before + 1, intent_id, act.act_time, *file, *kind, row_count, compared, *notes)
    await held.execute(_INSERT, *version)
    await held.execute(_ENDS[header.kind], list_id, before, intent_id, timeout=LONGEST_UPLOAD_S)
    if header.kind is not UploadKind.REMOVE:
        await held.execute(_BEGIN, list_id, before + 1, intent_id, timeout=LONGEST_UPLOAD_S)
    await _complete(held, list_id, before + 1, compared)
    await add_findings(held, intent_id, checked.notes)
    await held.execute(_LATEST, list_id, before + 1)


async def _check_state(
    held: Connection, act: Act, header: UploadHeader, state: asyncpg.Record, checked: Checked
) -> None:
    """Returns when the list is in the state that the upload counts on."""
    if checked.immigration_file and not state["immigration_file"]:
        raise WrongStateError(
            "file N is not allowed for the list any more", metadata={"state": "IMMIGRATION_FILE"}
        )
    if header.kind is UploadKind.FULL:
        return
    if header.base_version != state["latest_version"]:
        latest = {"state": "BASE_NOT_NEWEST", "latest_version": str(state["latest_version"])}
        raise WrongStateError("the version that the increment changes is not the newest", metadata=latest)
    if header.kind is UploadKind.REMOVE:
        absent = await held.fetchval(_ABSENT, act.hot_list_id, act.intent_id, timeout=LONGEST_UPLOAD_S)
        if absent:
            raise AbsentEntriesError(absent)


async def _complete(held: Connection, list_id: uuid.UUID, version: int, compared: int) -> None:
    """Writes what the version has come to."""
    counts = await held.fetch(_CATEGORIES, list_id, version, timeout=LONGEST_UPLOAD_S)
    categories, numbers = [row["category"] for row in counts], [row["entries"] for row in counts]
    told = await count_difference(held, list_id, compared, version) if compared else None
    added, removed = (told.added, told.removed) if told else (sum(numbers), 0)
    summary = (sum(numbers), added, removed, categories, numbers)
    await held.execute(_COMPLETE, list_id, version, *summary)


async def _read(held: Connection, intent_id: uuid.UUID) -> VersionSummary | None:
    row = await held.fetchrow(_SUMMARY, intent_id)
    if row is None:
        return None
    notes = await read_findings(held, intent_id, 0, _NOTES_SHOWN) if row["note_count"] else ()
    return VersionSummary(
        version=row["version"],
        row_count=row["row_count"],
        entry_count=row["entry_count"],
        categories=categories_of(row),
        added_count=row["added_count"],
        removal=removal_of(row),
        note_count=row["note_count"],
        notes=notes,
    )


def categories_of(row: asyncpg.Record) -> tuple[tuple[Category, int], ...]:
    """The counts by category of a row of versions."""
    counts = zip(row["categories"], row["category_counts"], strict=True)
    return tuple((Category(category), count) for category, count in counts)


def removal_of(row: asyncpg.Record) -> Removal:
    """What a version removed when it was uploaded."""
    return Removal(row["compared_version"], row["removed_count"], row["compared_count"])
