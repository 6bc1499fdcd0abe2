"""Local lists in the database. One method is one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.common.errors import WrongStateError
from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.entry import Category, Vehicle
from services.matcher.core.hot_list import Act
from services.matcher.core.local import (
    MOST_ENTRIES,
    MOST_WILDCARDS,
    EndReason,
    Grounds,
    LocalEntry,
    Owner,
    OwnerKind,
    Watched,
)
from services.matcher.core.wildcard import ANY, is_wildcard
from services.matcher.errors import LocalEntryNotFoundError
from services.matcher.store_acts import claim
from services.matcher.store_revision import lock_revision, next_revision

if TYPE_CHECKING:
    import asyncpg

_WATCHED: Final = (
    "pattern, state, plate_type, category, vehicle_year, vehicle_make, vehicle_model, vehicle_style,"
    " vehicle_color"
)
_GROUNDS: Final = "case_number_kind, case_number, outside_agency, purpose, offence_code"
_COUNTED: Final = (
    "coalesce(e.reads_at_end, l.read_count) - e.reads_before AS read_count,"
    " coalesce(t.match_count, 0) AS match_count"
)
_ENTRY: Final = (
    "SELECT e.entry_id, l.agency_ori, l.owner_kind, l.owner_key, l.unit,"  # noqa: S608 - constants
    f" {_WATCHED}, {_GROUNDS}, e.account_id, e.added_at, e.expires_at, e.added_revision, e.end_reason,"
    f" e.ended_at, e.ended_revision, {_COUNTED} FROM matcher.local_entry AS e"
    " JOIN matcher.local_list AS l USING (hot_list_id) LEFT JOIN matcher.local_tally AS t USING (entry_id)"
)
_GET: Final = f"{_ENTRY} WHERE e.entry_id = $1"
_LIVE: Final = f"{_ENTRY} WHERE e.end_reason IS NULL AND e.expires_at > $1 ORDER BY e.added_revision"
_CROWDED: Final = f"{_ENTRY} WHERE e.end_reason IS NULL AND e.expires_at > $1 AND t.match_count >= $2"
# A list of one's own, of the own unit, of a sensor of the agency; with $4 (the unit's coordinator) those of
# the unit's people, and with $5 (the statewide coordinator) all of the agency.
_SEEN: Final = (
    "l.agency_ori = $1 AND ((l.owner_kind = 1 AND l.owner_key = $2)"
    " OR (l.owner_kind = 2 AND l.owner_key = $3) OR l.owner_kind = 3 OR ($4 AND l.unit = $3) OR $5)"
)
_PAGE: Final = (
    f"{_ENTRY} WHERE {_SEEN} AND e.added_revision < $6"
    " AND ($7 OR (e.end_reason IS NULL AND e.expires_at > $8)) ORDER BY e.added_revision DESC LIMIT $9"
)
_SUSPENDED: Final = (
    f"{_ENTRY} WHERE {_SEEN} AND e.end_reason = 4 AND e.ended_at > $6 ORDER BY e.ended_at DESC LIMIT 200"
)
_SUSPENDED_OF_LIST: Final = (
    f"{_ENTRY} WHERE e.hot_list_id = $1 AND e.end_reason = 4 AND e.ended_at > $2 ORDER BY e.ended_at DESC"
)
_LIST: Final = (
    "INSERT INTO matcher.local_list (hot_list_id, agency_ori, owner_kind, owner_key, unit, intent_id)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hot_list_id) DO UPDATE SET unit = EXCLUDED.unit"
)
_COUNT_LIVE: Final = (
    "SELECT count(*) FILTER (WHERE e.hot_list_id = $2) AS entries,"
    " count(*) FILTER (WHERE strpos(e.pattern, $4) > 0) AS wildcards"
    " FROM matcher.local_entry AS e JOIN matcher.local_list AS l USING (hot_list_id)"
    " WHERE l.agency_ori = $1 AND e.end_reason IS NULL AND e.expires_at > $3"
)
_ADD: Final = (
    f"INSERT INTO matcher.local_entry (entry_id, hot_list_id, {_WATCHED}, {_GROUNDS},"  # noqa: S608 - constants
    " account_id, intent_id, added_at, expires_at, added_revision, reads_before)"
    " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,"
    " read_count FROM matcher.local_list WHERE hot_list_id = $2"
)
_END: Final = (
    "UPDATE matcher.local_entry AS e SET end_reason = $2, ended_at = $3, ended_revision = $4,"
    " end_intent_id = $5, reads_at_end = l.read_count FROM matcher.local_list AS l"
    " WHERE e.entry_id = $1 AND e.end_reason IS NULL AND l.hot_list_id = e.hot_list_id"
)
_IS_OPEN: Final = "SELECT end_reason IS NULL FROM matcher.local_entry WHERE entry_id = $1"
_ENDED_BY: Final = "SELECT ended_revision FROM matcher.local_entry WHERE end_intent_id = $1"
# In one order everywhere, so that two replicas never wait for one another.
_COUNT_READS: Final = "UPDATE matcher.local_list SET read_count = read_count + $2 WHERE hot_list_id = $1"
_COUNT_MATCHES: Final = (
    "INSERT INTO matcher.local_tally (entry_id, match_count) VALUES ($1, $2)"
    " ON CONFLICT (entry_id) DO UPDATE SET match_count = local_tally.match_count + EXCLUDED.match_count"
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at local lists, and how far."""

    agency_ori: str
    account_id: str
    unit: str
    sees_unit: bool
    sees_agency: bool

    def arguments(self) -> tuple[object, ...]:
        """As the statements take it."""
        return self.agency_ori, self.account_id, self.unit, self.sees_unit, self.sees_agency


class LocalStore:
    """Local lists, their entries, and how much those match."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, entry_id: uuid.UUID) -> LocalEntry:
        """The entry. Raises LocalEntryNotFoundError."""
        async with connection(self._pool) as held:
            return await _read(held, entry_id)

    async def add(self, act: Act, entry: LocalEntry) -> tuple[LocalEntry, int]:
        """The entry as stored, and the revision from which it counts; for a stored act the same again.

        Raises:
            WrongStateError: The list is full, or the agency has too many wildcards.
        """
        async with transaction(self._pool) as held:
            if await claim(held, act):
                # The lock on the revision makes one addition wait for another: counting is safe.
                revision = await next_revision(held)
                await _check_room(held, entry)
                await _insert(held, act, entry, revision)
            stored = await _read(held, entry.entry_id)
            return stored, stored.added_revision

    async def end(self, act: Act, entry_id: uuid.UUID, reason: EndReason) -> tuple[LocalEntry, int]:
        """The entry, ended, and the revision from which it is; 0 when it had ended before.

        Raises:
            LocalEntryNotFoundError: There is none.
        """
        async with transaction(self._pool) as held:
            if await claim(held, act):
                # Before a revision is taken: none may be taken for nothing.
                await lock_revision(held)
                if await held.fetchval(_IS_OPEN, entry_id):
                    revision = await next_revision(held)
                    await held.execute(_END, entry_id, reason.value, act.act_time, revision, act.intent_id)
            ended: int = await held.fetchval(_ENDED_BY, act.intent_id) or 0
            return await _read(held, entry_id), ended

    async def page(
        self, viewer: Viewer, *, with_ended: bool, before: int, now: datetime, size: int
    ) -> tuple[LocalEntry, ...]:
        """At most `size` entries added before the revision `before`, newest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_PAGE, *viewer.arguments(), before, with_ended, now, size)
        return tuple(_entry(row) for row in rows)

    async def suspended(self, viewer: Viewer, since: datetime) -> tuple[LocalEntry, ...]:
        """Entries that suspended themselves after `since`, latest first, at most 200."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_SUSPENDED, *viewer.arguments(), since)
        return tuple(_entry(row) for row in rows)

    async def suspended_of_list(self, hot_list_id: uuid.UUID, since: datetime) -> tuple[LocalEntry, ...]:
        """The same of one list."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_SUSPENDED_OF_LIST, hot_list_id, since)
        return tuple(_entry(row) for row in rows)

    async def count(self, reads: Mapping[uuid.UUID, int], matches: Mapping[uuid.UUID, int]) -> None:
        """Adds reads compared, by list, and matches, by entry."""
        async with transaction(self._pool) as held:
            await held.executemany(_COUNT_READS, sorted(reads.items()))
            await held.executemany(_COUNT_MATCHES, sorted(matches.items()))

    async def crowded(self, now: datetime, fewest: int) -> tuple[LocalEntry, ...]:
        """Live entries with at least `fewest` matches."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_CROWDED, now, fewest)
        return tuple(_entry(row) for row in rows)


async def read_live(held: Connection, now: datetime) -> tuple[LocalEntry, ...]:
    """All live entries of all agencies, in the order in which they were added."""
    return tuple(_entry(row) for row in await held.fetch(_LIVE, now))


async def _check_room(held: Connection, entry: LocalEntry) -> None:
    owner = entry.owner
    (counts,) = await held.fetch(_COUNT_LIVE, owner.agency_ori, owner.hot_list_id, entry.added_at, ANY)
    if counts["entries"] >= MOST_ENTRIES:
        raise WrongStateError(
            f"the local list has {MOST_ENTRIES} live entries; take some off", metadata={"state": "FULL"}
        )
    if is_wildcard(entry.watched.pattern) and counts["wildcards"] >= MOST_WILDCARDS:
        raise WrongStateError(
            f"your agency has {MOST_WILDCARDS} live entries with wildcards; take some off",
            metadata={"state": "FULL"},
        )


async def _insert(held: Connection, act: Act, entry: LocalEntry, revision: int) -> None:
    owner, watched, grounds, vehicle = entry.owner, entry.watched, entry.grounds, entry.watched.vehicle
    kept_by = (owner.agency_ori, owner.kind.value, owner.key, owner.unit)
    await held.execute(_LIST, owner.hot_list_id, *kept_by, act.intent_id)
    await held.execute(
        _ADD,
        *(entry.entry_id, owner.hot_list_id),
        *(watched.pattern, watched.state, watched.plate_type, watched.category.value),
        *(vehicle.year, vehicle.make, vehicle.model, vehicle.style, vehicle.color),
        *(grounds.case_number_kind, grounds.case_number, grounds.outside_agency),
        *(grounds.purpose, grounds.offence_code),
        *(entry.account_id, act.intent_id, entry.added_at, entry.expires_at, revision),
    )


async def _read(held: Connection, entry_id: uuid.UUID) -> LocalEntry:
    row = await held.fetchrow(_GET, entry_id)
    if row is None:
        raise LocalEntryNotFoundError("there is no such entry of a local list", resource=str(entry_id))
    return _entry(row)


def _entry(row: asyncpg.Record) -> LocalEntry:
    vehicle = Vehicle(*(row[f"vehicle_{name}"] for name in ("year", "make", "model", "style", "color")))
    return LocalEntry(
        entry_id=row["entry_id"],
        owner=Owner(row["agency_ori"], OwnerKind(row["owner_kind"]), row["owner_key"], row["unit"]),
        watched=Watched(row["pattern"], row["state"], row["plate_type"], Category(row["category"]), vehicle),
        grounds=Grounds(*(row[name] for name in _GROUNDS.split(", "))),
        account_id=row["account_id"],
        added_at=row["added_at"],
        expires_at=row["expires_at"],
        added_revision=row["added_revision"],
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        ended_at=row["ended_at"],
        read_count=row["read_count"],
        match_count=row["match_count"],
    )
