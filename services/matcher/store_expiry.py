"""Notes in the database that the time of entries and lists was over."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.common.pg import Pool, connection, transaction
from services.matcher.core.look_back import ChangeKind
from services.matcher.store_revision import lock_revision, next_revision

# An alert of last week is not open any more.
_LONG_OVER: Final = "interval '7 days'"
_MOST: Final = 100
# The changes that are due, as the columns of matcher.look_back.
_LOCAL: Final = (
    "SELECT 4 AS kind, e.hot_list_id, e.entry_id AS changed_id, e.intent_id,"  # noqa: S608 - constants
    " 0::bigint AS version, 0::bigint AS previous_version, e.expires_at AS changed_at,"
    " NULL::timestamptz AS since FROM matcher.local_entry AS e"
    " WHERE e.end_reason IS NULL AND e.expired_revision IS NULL"
    f" AND e.expires_at <= $1 AND e.expires_at > $1 - {_LONG_OVER}"
)
_LISTS: Final = (
    "SELECT 5, l.hot_list_id, l.hot_list_id, v.intent_id, 0, v.version, v.expire_time, NULL"
    " FROM matcher.hot_list AS l JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
    " WHERE v.expire_time <= $1 AND NOT EXISTS (SELECT FROM matcher.look_back AS b"
    " WHERE b.hot_list_id = l.hot_list_id AND b.kind = 5 AND b.previous_version = v.version)"
)
_ENTRIES: Final = (
    "SELECT 6, l.hot_list_id, l.hot_list_id, v.intent_id, v.version, 0, $1, s.since"
    " FROM matcher.hot_list AS l JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
    " CROSS JOIN LATERAL (SELECT coalesce(max(b.changed_at), 'epoch') AS since"
    " FROM matcher.look_back AS b WHERE b.hot_list_id = l.hot_list_id AND b.kind = 6) AS s"
    " WHERE EXISTS (SELECT FROM matcher.hot_list_entry AS e WHERE e.hot_list_id = l.hot_list_id"
    " AND e.expires_at > s.since AND e.expires_at <= $1 AND e.first_version <= v.version"
    " AND (e.last_version IS NULL OR e.last_version >= v.version))"
)
_DUE: Final = f"{_LOCAL} UNION ALL {_LISTS} UNION ALL {_ENTRIES} LIMIT {_MOST}"
_IS_DUE: Final = f"SELECT EXISTS ({_DUE})"
_NOTE: Final = (
    "INSERT INTO matcher.look_back (match_revision, kind, hot_list_id, changed_id, intent_id, version,"
    " previous_version, changed_at, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)
_NOTE_LOCAL: Final = "UPDATE matcher.local_entry SET expired_revision = $2 WHERE entry_id = $1"


class ExpiryStore:
    """What has run out by the clock."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note(self, now: datetime) -> int:
        """How many changes were noted, at most 100: what ran out until `now` and was not noted before."""
        async with connection(self._pool) as held:
            if not await held.fetchval(_IS_DUE, now):
                return 0
        async with transaction(self._pool) as held:
            # Whoever comes second waits here, and finds nothing left to note.
            await lock_revision(held)
            due = await held.fetch(_DUE, now)
            for row in due:
                revision = await next_revision(held)
                await held.execute(_NOTE, revision, *row.values())
                if row["kind"] == ChangeKind.ENTRY_EXPIRED:
                    await held.execute(_NOTE_LOCAL, row["changed_id"], revision)
            return len(due)
