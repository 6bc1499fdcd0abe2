"""What is left to do after changes of hot lists, and who compares with what. One method, one transaction."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.look_back import URGENT, ChangeKind, ListChange

if TYPE_CHECKING:
    import asyncpg

_LEASE: Final = "60 seconds"
# Longer than any call to archive or alerts of a batch under way: after it nothing of a dead replica arrives.
_ALIVE: Final = "90 seconds"
_LONGEST_S: Final = 600

# Whoever works on a change has it for as long as the lease; another replica goes on when it dies.
_CLAIM: Final = (
    "UPDATE matcher.look_back AS l"  # noqa: S608 - constants
    f" SET next_at = clock_timestamp() + interval '{_LEASE}'"
    " WHERE match_revision = (SELECT match_revision FROM matcher.look_back"
    " WHERE done_at IS NULL AND next_at <= clock_timestamp() AND (kind = ANY($2::smallint[])) = $1"
    " ORDER BY next_at, match_revision LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version,"
    " coalesce(end_reason, 0) AS end_reason, changed_at, pass_count, since"
)
_RENEW: Final = (
    "UPDATE matcher.look_back"  # noqa: S608 - constants
    f" SET next_at = clock_timestamp() + interval '{_LEASE}' WHERE match_revision = $1 AND done_at IS NULL"
)
_PASSED: Final = (
    "UPDATE matcher.look_back SET pass_count = pass_count + 1, next_at = clock_timestamp()"
    " WHERE match_revision = $1 AND done_at IS NULL"
)
_POSTPONE: Final = (
    "UPDATE matcher.look_back SET next_at = clock_timestamp() + make_interval(secs => $2)"
    " WHERE match_revision = $1 AND done_at IS NULL"
)
_FINISH: Final = (
    "UPDATE matcher.look_back SET pass_count = pass_count + 1, done_at = clock_timestamp(), refused = $2"
    " WHERE match_revision = $1 AND done_at IS NULL"
)
_OPEN: Final = "SELECT count(*) FROM matcher.look_back WHERE done_at IS NULL"
_REPORT: Final = (
    "INSERT INTO matcher.replica (replica_id, match_revision, seen_at) VALUES ($1, $2, clock_timestamp())"
    " ON CONFLICT (replica_id) DO UPDATE SET match_revision = EXCLUDED.match_revision,"
    " seen_at = EXCLUDED.seen_at"
)
_FORGET: Final = "DELETE FROM matcher.replica WHERE seen_at < clock_timestamp() - interval '1 day'"
_LEAVE: Final = "DELETE FROM matcher.replica WHERE replica_id = $1"
_REACHED: Final = (
    "SELECT coalesce(bool_and(match_revision >= $1), false) FROM matcher.replica"  # noqa: S608 - constants
    f" WHERE seen_at > clock_timestamp() - interval '{_ALIVE}'"
)

_IN: Final = "{0}.first_version <= {1} AND ({0}.last_version IS NULL OR {0}.last_version >= {1})"
_NOT_IN_OTHER: Final = (
    "NOT EXISTS (SELECT FROM matcher.hot_list_entry AS o WHERE o.hot_list_id = $1"
    f" AND o.entry_id = e.entry_id AND {_IN.format('o', '$3')})"
)
# Entries of version $2 that version $3 does not have. What only the older one has ended before the newer one,
# what only the newer one has began after the older one: so this costs what differs, not what there is.
_ONLY_OLDER: Final = (
    f"e.first_version <= $2 AND e.last_version >= $2 AND e.last_version < $3 AND {_NOT_IN_OTHER}"
)
_ONLY_NEWER: Final = f"e.first_version > $3 AND {_IN.format('e', '$2')} AND {_NOT_IN_OTHER}"
_IDS: Final = (
    "SELECT DISTINCT e.entry_id FROM matcher.hot_list_entry AS e WHERE e.hot_list_id = $1"
    " AND {only} AND e.entry_id > $4 ORDER BY e.entry_id LIMIT $5"
)
# Of version $2: what ran out after $4 and by $3.
_EXPIRED: Final = (
    "SELECT DISTINCT e.entry_id FROM matcher.hot_list_entry AS e"  # noqa: S608 - constants
    f" WHERE e.hot_list_id = $1 AND {_IN.format('e', '$2')} AND e.expires_at <= $3 AND e.expires_at > $4"
    " AND e.entry_id > $5 ORDER BY e.entry_id LIMIT $6"
)
_PLATES: Final = (
    "SELECT DISTINCT e.plate FROM matcher.hot_list_entry AS e WHERE e.hot_list_id = $1 AND {only} LIMIT $4"
)
_KNOWN: Final = (
    "SELECT DISTINCT e.entry_id FROM matcher.hot_list_entry AS e"  # noqa: S608 - constants
    f" WHERE e.hot_list_id = $1 AND e.entry_id = ANY($3::uuid[]) AND {_IN.format('e', '$2')}"
)
_PATTERN: Final = "SELECT pattern FROM matcher.local_entry WHERE entry_id = $1"


class LookBackStore:
    """Changes whose consequences are not drawn yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, *, urgent: bool) -> ListChange | None:
        """The change of an entry (`urgent`), or else of a version, that has waited longest; None for none.

        It is nobody else's for a minute.
        """
        async with connection(self._pool) as held:
            row = await held.fetchrow(_CLAIM, urgent, [one.value for one in URGENT])
        return _change(row) if row else None

    async def renew(self, revision: int) -> None:
        """Keeps the change for another minute."""
        await self._execute(_RENEW, revision)

    async def passed(self, revision: int) -> None:
        """Notes that a pass is complete and that another one is to follow."""
        await self._execute(_PASSED, revision)

    async def postpone(self, revision: int, seconds: float) -> None:
        """Gives the change back; it is worked on again in so many seconds."""
        await self._execute(_POSTPONE, revision, seconds)

    async def finish(self, revision: int, *, refused: bool) -> None:
        """Notes that nothing is left to do; `refused` when audit does not allow it."""
        await self._execute(_FINISH, revision, refused)

    async def open_count(self) -> int:
        """Changes whose consequences are not drawn yet."""
        async with connection(self._pool) as held:
            count: int = await held.fetchval(_OPEN)
        return count

    async def all_reached(self, revision: int) -> bool:
        """True when no replica compares reads with lists older than `revision`, nor may any other."""
        async with connection(self._pool) as held:
            reached: bool = await held.fetchval(_REACHED, revision)
        return reached

    async def report(self, replica_id: uuid.UUID, revision: int) -> None:
        """Stores that the replica lives and compares with nothing older than `revision`."""
        async with connection(self._pool) as held:
            await held.execute(_REPORT, replica_id, revision)
            await held.execute(_FORGET)

    async def leave(self, replica_id: uuid.UUID) -> None:
        """Stores that the replica is no more."""
        await self._execute(_LEAVE, replica_id)

    async def patterns(self, change: ListChange, most: int) -> tuple[str, ...]:
        """Plates that the change brought, at most `most`; an entry of a local list may have wildcards."""
        async with self._at_length() as held:
            if change.kind is not ChangeKind.VERSION:
                return (await held.fetchval(_PATTERN, change.changed_id),)
            query = _PLATES.format(only=_only(change.version, change.previous_version))
            versions = (change.hot_list_id, change.version, change.previous_version)
            rows = await held.fetch(query, *versions, most, timeout=_LONGEST_S)
        return tuple(row["plate"] for row in rows)

    async def removed(self, change: ListChange, after: uuid.UUID, most: int) -> tuple[uuid.UUID, ...]:
        """Entries that the change took off, by id from `after` on, at most `most`."""
        query = _IDS.format(only=_only(change.previous_version, change.version))
        of: tuple[object, ...] = (change.hot_list_id, change.previous_version, change.version)
        if change.kind is ChangeKind.ENTRIES_EXPIRED:
            query = _EXPIRED
            of = (change.hot_list_id, change.version, change.changed_at, change.since)
        async with self._at_length() as held:
            rows = await held.fetch(query, *of, after, most, timeout=_LONGEST_S)
        return tuple(row["entry_id"] for row in rows)

    async def brought(self, change: ListChange, entry_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
        """Those of `entry_ids` that reads were not compared with before the change."""
        if change.kind is not ChangeKind.VERSION:
            return frozenset({change.changed_id}.intersection(entry_ids))
        async with connection(self._pool) as held:
            rows = await held.fetch(_KNOWN, change.hot_list_id, change.previous_version, list(entry_ids))
        return frozenset(entry_ids).difference(row["entry_id"] for row in rows)

    @contextlib.asynccontextmanager
    async def _at_length(self) -> AsyncIterator[Connection]:
        """A transaction whose statements may take long: two versions may have nothing in common."""
        async with transaction(self._pool, readonly=True) as held:
            await held.execute(f"SET LOCAL statement_timeout = '{_LONGEST_S}s'")
            yield held

    async def _execute(self, statement: str, *arguments: object) -> None:
        async with connection(self._pool) as held:
            await held.execute(statement, *arguments)


def _only(version: int, other: int) -> str:
    return _ONLY_NEWER if version > other else _ONLY_OLDER


def _change(row: asyncpg.Record) -> ListChange:
    return ListChange(
        revision=row["match_revision"],
        kind=ChangeKind(row["kind"]),
        hot_list_id=row["hot_list_id"],
        changed_id=row["changed_id"],
        intent_id=row["intent_id"],
        version=row["version"],
        previous_version=row["previous_version"],
        end_reason=row["end_reason"],
        changed_at=row["changed_at"],
        pass_count=row["pass_count"],
        since=row["since"],
    )
