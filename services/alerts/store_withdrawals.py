"""Records that entries are listed no longer, inside a batch of the writer."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.dispatch import DeliveryKind
from services.alerts.core.model import FeedKind, WithdrawReason
from services.alerts.store_batch import Batch, OutboxItem

# Entries that never raised anything are left out: a list changes by thousands, few of which were ever seen.
_RECORD = """
INSERT INTO alerts.withdrawal
    (entry_id, match_revision, hot_list_id, intent_id, withdraw_time, reason, record_time)
SELECT DISTINCT asked.entry_id, $2::bigint, $3::uuid, $4::uuid, $5::timestamptz, $6::smallint, $7::timestamptz
FROM unnest($1::uuid[]) AS asked (entry_id) JOIN alerts.alert_entry e USING (entry_id)
ON CONFLICT DO NOTHING RETURNING entry_id
"""
_OPEN_ALERTS = """
SELECT DISTINCT e.alert_id, e.entry_id, a.sensor_agency_ori
FROM alerts.alert_entry e JOIN alerts.alert a USING (alert_id)
CROSS JOIN LATERAL (
    SELECT h.match_revision FROM alerts.hit h
    WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
    ORDER BY h.capture_time DESC, h.read_id DESC LIMIT 1
) m
WHERE e.entry_id = ANY($1::uuid[]) AND a.disposition = 0 AND m.match_revision < $2
ORDER BY e.alert_id, e.entry_id
"""
# The log takes at most 2,000 characters a detail.
_LISTED_ENTRIES = 50


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Entries that are listed no longer from `match_revision` on, and the act that took them off."""

    intent_id: UUID
    hot_list_id: UUID
    match_revision: int
    withdraw_time: datetime
    reason: WithdrawReason
    entry_ids: tuple[UUID, ...]


async def record_withdrawal(batch: Batch, change: Withdrawal, new_id: Callable[[], UUID]) -> UUID:
    """The intent of `change`; its entries are marked and open alerts announced, once only."""
    recorded = await batch.conn.fetch(
        _RECORD,
        list(change.entry_ids),
        change.match_revision,
        change.hot_list_id,
        change.intent_id,
        change.withdraw_time,
        int(change.reason),
        batch.now,
    )
    marked = [row["entry_id"] for row in recorded]
    rows = await batch.conn.fetch(_OPEN_ALERTS, marked, change.match_revision) if marked else []
    entries: defaultdict[tuple[UUID, str], list[UUID]] = defaultdict(list)
    for row in rows:
        entries[row["alert_id"], row["sensor_agency_ori"]].append(row["entry_id"])
    for (alert_id, agency_ori), withdrawn in entries.items():
        batch.announce(alert_id, FeedKind.UPDATED)
        batch.then.tell(alert_id, DeliveryKind.WITHDRAWN)
        batch.report(
            OutboxItem(
                item_id=new_id(),
                action="alert.withdrawn",
                resource=str(alert_id),
                agency_ori=agency_ori,
                event_time=batch.now,
                details={
                    "intent_id": str(change.intent_id),
                    "hot_list_id": str(change.hot_list_id),
                    "reason": change.reason.name,
                    "entries": ",".join(map(str, withdrawn[:_LISTED_ENTRIES])),
                    "entry_count": str(len(withdrawn)),
                },
            )
        )
    return change.intent_id
