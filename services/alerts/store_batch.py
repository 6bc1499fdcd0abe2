"""One transaction of the writer while it is being built."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable
from uuid import UUID

from services.alerts import metrics
from services.alerts.core.model import FeedKind
from services.alerts.core.timers import Periods
from services.alerts.rows import Row
from services.alerts.store_consequences import Consequences
from services.common.errors import StorageUnavailableError
from services.common.pg import Connection

# Locks the head: every replica's batches come one after the other from here to COMMIT.
_LOCK = "SELECT next_position, last_mark, subscription_revision FROM alerts.feed_head FOR UPDATE"
_ADVANCE = "UPDATE alerts.feed_head SET next_position = $1, last_mark = $2, subscription_revision = $3"
_FEED = "INSERT INTO alerts.feed (position, alert_id, kind, feed_time, mark) VALUES ($1, $2, $3, $4, $5)"
_OUTBOX = """
INSERT INTO alerts.outbox (item_id, action, resource, agency_ori, event_time, details, subject_id, result)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_NOTIFY_FEED = "SELECT pg_notify('alerts_feed', $1)"
_NOTIFY_OUTBOX = "SELECT pg_notify('alerts_outbox', '')"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Longest step between marks of one batch, in microseconds; by chance, so that marks do not count.
_MARK_STEP = 200


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """An event for the log, or the outcome of the intent `subject_id`, where that is set.

    `result` is a number of alpr.audit.v1.OutcomeResult. `item_id` makes sending again harmless.
    """

    item_id: UUID
    action: str
    resource: str
    agency_ori: str
    event_time: datetime
    details: Mapping[str, str] = field(default_factory=dict)
    subject_id: UUID | None = None
    result: int | None = None


@runtime_checkable
class OwnChange(Protocol):
    """A change that knows by itself how it is written into a batch."""

    async def write_into(self, batch: "Batch", new_id: Callable[[], UUID]) -> UUID:
        """What the change belongs to, once it is in the batch.

        Raises:
            AlprError: It is refused, and nothing was written; the batch may go on.
        """


class Batch:
    """Feed positions and log items that belong to the open transaction of `conn`.

    Positions are given out in memory and written at the end, so a change that is refused leaves no gap.
    `then` is what follows from its changes.
    """

    def __init__(self, conn: Connection, now: datetime, head: Row, then: Consequences) -> None:
        self.conn = conn
        self.now = now
        self.then = then
        self._next_position: int = head["next_position"]
        # A clock that was set back must not turn the feed round.
        self._mark = max(head["last_mark"], (now - _EPOCH) // _MICROSECOND)
        self._revision: int = head["subscription_revision"]
        self._had_revision = self._revision
        self._feed: list[tuple[int, UUID, int, datetime, int]] = []
        self._items: list[OutboxItem] = []

    @classmethod
    async def begin(cls, conn: Connection, now: datetime, periods: Periods | None = None) -> "Batch":
        """A batch under the lock of the head, which the end of the transaction gives back."""
        head = await conn.fetchrow(_LOCK)
        if head is None:
            raise StorageUnavailableError("the feed has no head; the schema is not complete")
        return cls(conn, now, head, Consequences(periods or Periods()))

    @property
    def last_position(self) -> int:
        """The last position given out, by this batch or before; 0 before the first."""
        return self._next_position - 1

    @property
    def item_ids(self) -> list[UUID]:
        """Ids of the items that are on their way to the log."""
        return [item.item_id for item in self._items]

    def announce(self, alert_id: UUID, kind: FeedKind) -> None:
        """Gives the change of an alert the next position of the feed."""
        self._mark += 1 + secrets.randbelow(_MARK_STEP)
        self._feed.append((self._next_position, alert_id, int(kind), self.now, self._mark))
        self._next_position += 1

    def revise_subscriptions(self) -> tuple[int, int]:
        """The revision after one more change of subscriptions, and the position from which on it counts."""
        self._revision += 1
        return self._revision, self._next_position

    def report(self, item: OutboxItem) -> None:
        """Puts `item` on the way to the log."""
        self._items.append(item)

    async def write(self) -> None:
        """Writes positions and items, and wakes the replicas, once a batch: each NOTIFY takes a lock."""
        await self.then.write(self.conn, self.now)
        if self._feed or self._revision != self._had_revision:
            await self.conn.executemany(_FEED, self._feed)
            await self.conn.execute(_ADVANCE, self._next_position, self._mark, self._revision)
            await self.conn.execute(_NOTIFY_FEED, str(self._next_position - 1))
        if self._items:
            await self.conn.executemany(_OUTBOX, [_values(item) for item in self._items])
            await self.conn.execute(_NOTIFY_OUTBOX)

    def count(self) -> None:
        """Counts what the batch put into the feed, once it is committed."""
        for _, _, kind, *_ in self._feed:
            metrics.FEED_ITEMS.labels(FeedKind(kind).name.lower()).inc()


def _values(item: OutboxItem) -> tuple[object, ...]:
    return (
        item.item_id,
        item.action,
        item.resource,
        item.agency_ori,
        item.event_time,
        json.dumps(dict(item.details)),
        item.subject_id,
        item.result,
    )
