"""The outbox as its drainer sees it: what the log has not heard yet, and how far it has."""

import json
from dataclasses import dataclass

from services.alerts.rows import Row
from services.alerts.store_batch import OutboxItem
from services.common.pg import Pool, connection

_PENDING = """
SELECT outbox_id, item_id, action, resource, agency_ori, event_time, details, subject_id, result
FROM alerts.outbox WHERE outbox_id > (SELECT recorded_through FROM alerts.outbox_head)
ORDER BY outbox_id LIMIT $1
"""
# Never backwards: another replica may be further.
_ADVANCE = "UPDATE alerts.outbox_head SET recorded_through = $1 WHERE recorded_through < $1"
_DEPTH = """
SELECT count(*) FROM alerts.outbox WHERE outbox_id > (SELECT recorded_through FROM alerts.outbox_head)
"""


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item and its place in the outbox."""

    outbox_id: int
    item: OutboxItem


class OutboxStore:
    """Reads the outbox in order. Several replicas may drain at once: the log takes each item once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def pending(self, limit: int) -> tuple[PendingItem, ...]:
        """The first items that the log has not heard, at most `limit`."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_PENDING, limit)
        return tuple(PendingItem(row["outbox_id"], _item(row)) for row in rows)

    async def recorded(self, through: int) -> None:
        """Remembers that the log has every item up to `through`."""
        async with connection(self._pool) as conn:
            await conn.execute(_ADVANCE, through)

    async def depth(self) -> int:
        """How many items the log has not heard."""
        async with connection(self._pool) as conn:
            count: int = await conn.fetchval(_DEPTH)
        return count


def _item(row: Row) -> OutboxItem:
    return OutboxItem(
        item_id=row["item_id"],
        action=row["action"],
        resource=row["resource"],
        agency_ori=row["agency_ori"],
        event_time=row["event_time"],
        details=json.loads(row["details"]),
        subject_id=row["subject_id"],
        result=row["result"],
    )
