"""The log's tables. One method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.checkpoint import Checkpoint
from services.audit.core.entry import REQUEST_DIGEST, Entry, Field
from services.audit.core.numbering import Known, Numbering, Position, number
from services.audit.errors import LogClosedError
from services.audit.store_reader import AnyConnection, Reader
from services.common import pg
from services.common.merkle import Frontier, leaf_hash
from services.common.pg import transaction

# The row lock makes commit order equal index order across replicas (ADR 0005).
_LOCK_HEAD = """
    SELECT size, frontier, checkpoint, EXISTS (SELECT FROM audit.log_closed) AS closed
    FROM audit.log_head FOR UPDATE
"""
_HEAD = "SELECT size, frontier, checkpoint FROM audit.log_head"
_KNOWN = """
    SELECT leaf.request_key, leaf.log_index, coalesce(field.value, '') AS digest
    FROM audit.log_leaf AS leaf
    LEFT JOIN audit.log_field AS field ON field.log_index = leaf.log_index AND field.name = $2
    WHERE leaf.request_key = ANY($1::text[])
"""
# Leaves, fields and the new head in one statement: one round trip, one commit. The head moves on from where
# the caller took it to be, and the registry stands where it did when this was decided, or nothing happens.
_INSERT = """
    WITH head AS (
        UPDATE audit.log_head SET size = $11, frontier = $12, checkpoint = $13
        WHERE size = $14 AND NOT EXISTS (SELECT FROM audit.log_closed)
          AND ($15::bigint IS NULL OR $15 = (SELECT revision FROM audit.registry_head))
        RETURNING size
    ), leaves AS (
        INSERT INTO audit.log_leaf (log_index, entry_id, request_key, record_time, leaf, leaf_hash)
        SELECT new.*
        FROM head,
             unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[], $6::bytea[]) AS new
    ), fields AS (
        INSERT INTO audit.log_field (log_index, name, salt, value)
        SELECT new.* FROM head, unnest($7::bigint[], $8::text[], $9::bytea[], $10::text[]) AS new
    )
    SELECT size FROM head
"""
_LEAF_HASHES = (
    "SELECT leaf_hash FROM audit.log_leaf WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index"
)
_ENTRY = """
    SELECT leaf.log_index, leaf.entry_id, leaf.request_key, leaf.record_time, leaf.leaf,
           array_agg(field.name ORDER BY field.name COLLATE "C") AS names,
           array_agg(field.salt ORDER BY field.name COLLATE "C") AS salts,
           array_agg(field.value ORDER BY field.name COLLATE "C") AS values
    FROM audit.log_leaf AS leaf
    JOIN audit.log_field AS field USING (log_index)
"""
_END = "GROUP BY leaf.log_index ORDER BY leaf.log_index"
_ENTRIES = f"""
    {_ENTRY}
    WHERE leaf.log_index >= $1 AND leaf.log_index < $2
      AND field.log_index >= $1 AND field.log_index < $2  -- a range does not pass through the join by itself
    {_END}
"""
_ENTRIES_AT = f"{_ENTRY} WHERE leaf.log_index = ANY($1::bigint[]) {_END}"
# Fired also under session_replication_role = replica: "A".
_GUARDS = """
    SELECT class.relname || '.' || trigger.tgname AS guard
    FROM pg_trigger AS trigger JOIN pg_class AS class ON class.oid = trigger.tgrelid
    WHERE class.relnamespace = 'audit'::regnamespace AND trigger.tgenabled = 'A'
"""
_INDEX_OF = "SELECT log_index FROM audit.log_leaf WHERE entry_id = $1::uuid"


# What refuses changes of the log to everybody whom PostgreSQL lets it refuse.
GUARDS = frozenset(
    {
        *("log_leaf.keep", "log_leaf.keep_all", "log_field.keep", "log_field.keep_all"),
        *("log_head.grow", "log_head.keep", "log_head.keep_all"),
        *("redaction.acts", "redaction.keep", "redaction.keep_all"),
    }
)


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far the log has come, as committed."""

    frontier: Frontier
    checkpoint: str

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append, when it was made, and the registry's revision that it depends on, if any."""

    entry: Entry
    record_time: datetime
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What a batch became: a position for each entry, the hashes that were added, the head after it.

    An entry without a position was not appended: the registry has moved on from its revision.
    """

    positions: tuple[Position | None, ...]
    first: int
    leaf_hashes: tuple[bytes, ...]
    head: LogHead


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as stored."""

    log_index: int
    entry: Entry
    record_time: datetime


class LogStore(Reader):
    """Reads and appends entries. There is no way to change one."""

    async def append(
        self,
        batch: Sequence[NewEntry],
        seal: Callable[[int, bytes], Checkpoint],
        expected: LogHead | None = None,
    ) -> Appended:
        """Appends the entries of `batch` that are not there yet, in order, and says where each one stands.

        On disk when this returns. `seal` signs the new size and root. With `expected`, the head as it was
        left, one statement does it all where nobody has appended since and no request came before.

        Raises:
            LogClosedError: The log has been found to lack what it signed.
        """
        if expected is not None and len(_revisions(batch)) <= 1:
            try:
                numbering = number([new.entry for new in batch], {}, expected.size)
                async with pg.connection(self._pool) as connection:
                    return await _insert(connection, batch, numbering, expected, seal)
            except (_MovedError, asyncpg.UniqueViolationError):
                pass  # under the lock it becomes clear which, and what is known already
        async with transaction(self._pool) as connection:
            return await append_in(connection, batch, seal)

    async def head(self) -> LogHead:
        """The newest head, of any replica."""
        return _head(await self._fetchrow(_HEAD))

    async def missing_guards(self) -> frozenset[str]:
        """The triggers that should keep the log from being changed, and are off or gone."""
        return GUARDS - {row["guard"] for row in await self._fetch(_GUARDS)}

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Hashes of the entries `start` up to, not including, `end`, in order."""
        return [row["leaf_hash"] for row in await self._fetch(_LEAF_HASHES, start, end)]

    async def entries(self, start: int, end: int) -> list[StoredEntry]:
        """The entries `start` up to, not including, `end`, in order."""
        return [_stored(row) for row in await self._fetch(_ENTRIES, start, end)]

    async def entries_at(self, places: Sequence[int]) -> list[StoredEntry]:
        """The entries at those places, in the order of the log."""
        return [_stored(row) for row in await self._fetch(_ENTRIES_AT, list(places))]

    async def find(self, entry_id: str) -> StoredEntry | None:
        """The entry with that id, or None."""
        index = await self._fetchval(_INDEX_OF, entry_id)
        found = [] if index is None else await self.entries(index, index + 1)
        return found[0] if found else None


async def append_in(
    connection: AnyConnection, batch: Sequence[NewEntry], seal: Callable[[int, bytes], Checkpoint]
) -> Appended:
    """`LogStore.append` inside a transaction of the caller, who commits it."""
    row = await connection.fetchrow(_LOCK_HEAD)
    head = _head(row)
    if row and row["closed"]:
        raise LogClosedError("the log lacks entries that it signed, and is closed until it is restored")
    newest = max(_revisions(batch), default=None)
    standing = [new for new in batch if new.revision in {None, newest}]
    try:
        appended = await _append(connection, standing, head, seal)
    except _MovedError:  # not the head, which is locked: the registry
        standing = [new for new in standing if new.revision is None]
        appended = await _append(connection, standing, head, seal)
    places = dict(zip(map(id, standing), appended.positions, strict=True))
    return replace(appended, positions=tuple(places.get(id(new)) for new in batch))


async def _append(
    connection: AnyConnection,
    batch: Sequence[NewEntry],
    head: LogHead,
    seal: Callable[[int, bytes], Checkpoint],
) -> Appended:
    known = await _known(connection, [new.entry.request_key for new in batch])
    numbering = number([new.entry for new in batch], known, head.size)
    if not numbering.fresh:
        return Appended(numbering.positions, head.size, (), head)
    return await _insert(connection, batch, numbering, head, seal)


def _revisions(batch: Sequence[NewEntry]) -> set[int]:
    return {new.revision for new in batch if new.revision is not None}


class _MovedError(Exception):
    """The head is not where it was taken to be, or the registry not where it was."""


async def _insert(
    connection: AnyConnection,
    batch: Sequence[NewEntry],
    numbering: Numbering,
    head: LogHead,
    seal: Callable[[int, bytes], Checkpoint],
) -> Appended:
    """Inserts the fresh entries after `head`.

    Raises:
        _MovedError: Somebody else has appended, the registry has changed, or the log is closed; nothing was
            inserted.
    """
    times = {new.entry.entry_id: new.record_time for new in batch}
    hashes = tuple(leaf_hash(entry.leaf) for entry in numbering.fresh)
    frontier = head.frontier.extended(hashes)
    checkpoint = seal(frontier.size, frontier.root()).text
    rows = _rows(numbering, head.size, hashes, times)
    new_head = (frontier.size, frontier.to_bytes(), checkpoint)
    revision = max(_revisions(batch), default=None)
    if await connection.fetchval(_INSERT, *rows, *new_head, head.size, revision) is None:
        raise _MovedError
    return Appended(numbering.positions, head.size, hashes, LogHead(frontier, checkpoint))


async def _known(connection: AnyConnection, keys: list[str]) -> dict[str, Known]:
    rows = await connection.fetch(_KNOWN, keys, REQUEST_DIGEST)
    return {row["request_key"]: Known(row["log_index"], row["digest"]) for row in rows}


def _rows(
    numbering: Numbering, first: int, hashes: Sequence[bytes], times: dict[str, datetime]
) -> tuple[list[Any], ...]:
    """The columns of the new leaves, then those of their fields."""
    entries = numbering.fresh
    indexes = list(range(first, first + len(entries)))
    fields = [(index, field) for index, entry in zip(indexes, entries, strict=True) for field in entry.fields]
    return (
        indexes,
        [entry.entry_id for entry in entries],
        [entry.request_key for entry in entries],
        [times[entry.entry_id] for entry in entries],
        [entry.leaf for entry in entries],
        list(hashes),
        [index for index, _ in fields],
        [field.name for _, field in fields],
        [field.salt for _, field in fields],
        [field.value for _, field in fields],
    )


def _head(row: Any) -> LogHead:
    return LogHead(Frontier.from_bytes(row["size"], row["frontier"]), row["checkpoint"])


def _stored(row: Any) -> StoredEntry:
    fields = tuple(Field(*parts) for parts in zip(row["names"], row["salts"], row["values"], strict=True))
    entry = Entry(str(row["entry_id"]), row["request_key"], fields, row["leaf"])
    return StoredEntry(row["log_index"], entry, row["record_time"])
