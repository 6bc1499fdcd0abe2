"""Messages to patrol assets and escalations, as those who wait for them read them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.dispatch import DeliveryKind
from services.alerts.core.model import Alert, Escalation
from services.alerts.rows import escalation_of
from services.alerts.store import load_alerts
from services.common.pg import Pool, connection

_PAGE = 200
_MOST_RECORDS = 5000

_UNSEEN = """
SELECT d.delivery_id, d.alert_id, d.kind, d.delivery_time FROM alerts.delivery d
WHERE d.asset_id = $1 AND d.delivery_time >= $2 AND d.delivery_id <> ALL($3::uuid[])
AND NOT EXISTS (SELECT FROM alerts.delivery_step s WHERE s.delivery_id = d.delivery_id AND s.stage = 2)
ORDER BY d.delivery_number LIMIT $4
"""
_RECORDS = """
SELECT * FROM (
    SELECT d.delivery_number, d.delivery_id, d.asset_id, a.call_sign, d.kind, d.delivery_time,
        received.step_time AS receive_time, seen.step_time AS seen_time, seen.account_id AS seen_account_id,
        going.step_time AS en_route_time, going.account_id AS en_route_account_id,
        told.distance_metres, told.proposed
    FROM alerts.delivery d JOIN alerts.asset a USING (asset_id)
    JOIN alerts.told_asset told ON told.alert_id = d.alert_id AND told.asset_id = d.asset_id
    LEFT JOIN alerts.delivery_step received ON received.delivery_id = d.delivery_id AND received.stage = 1
    LEFT JOIN alerts.delivery_step seen ON seen.delivery_id = d.delivery_id AND seen.stage = 2
    LEFT JOIN alerts.en_route going ON going.delivery_id = d.delivery_id
    WHERE d.alert_id = $1 AND a.agency_ori = $2 ORDER BY d.delivery_number DESC LIMIT $3
) newest ORDER BY delivery_number
"""
_TOLD = """
SELECT asset_id FROM alerts.told_asset JOIN alerts.asset USING (asset_id)
WHERE alert_id = $1 AND agency_ori = $2
"""
_SENT = "SELECT asset_id FROM alerts.delivery WHERE broadcast_id = $1 ORDER BY delivery_number"
# Of the agency whose camera saw it, and of those whose lists have it.
_ESCALATIONS = """
SELECT e.escalation_id, e.alert_id, e.kind, e.round, e.due_time, e.escalate_time
FROM alerts.escalation e JOIN alerts.alert a USING (alert_id)
WHERE e.escalate_time >= $2 AND e.escalation_id <> ALL($3::uuid[])
AND (a.sensor_agency_ori = $1 OR EXISTS (
    SELECT FROM alerts.hit h WHERE h.alert_id = e.alert_id AND h.list_agency_ori = $1))
ORDER BY e.escalate_time, e.escalation_id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A message that nobody aboard has seen, with its alert as it is now."""

    delivery_id: UUID
    kind: DeliveryKind
    delivery_time: datetime
    alert: Alert


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What became of one message to one asset; times are None until it came so far."""

    delivery_number: int
    delivery_id: UUID
    asset_id: UUID
    call_sign: str
    kind: int
    delivery_time: datetime
    receive_time: datetime | None
    seen_time: datetime | None
    seen_account_id: str | None
    en_route_time: datetime | None
    en_route_account_id: str | None
    distance_metres: float | None
    proposed: bool


@dataclass(frozen=True, slots=True)
class Escalated:
    """An escalation, with its alert as it is now."""

    escalation: Escalation
    alert: Alert


class MessageStore:
    """Reads only; what changes goes through the writer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unseen(self, asset_id: UUID, since: datetime, but: Collection[UUID]) -> tuple[Unseen, ...]:
        """The first messages since then that nobody aboard has seen, without those of `but`, in order."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_UNSEEN, asset_id, since, list(but), _PAGE)
            alerts = await load_alerts(conn, {row["alert_id"] for row in rows})
        return tuple(
            Unseen(
                row["delivery_id"],
                DeliveryKind(row["kind"]),
                row["delivery_time"],
                alerts[row["alert_id"]],
            )
            for row in rows
        )

    async def records(self, alert_id: UUID, agency_ori: str) -> tuple[DeliveryRecord, ...]:
        """What the agency sent of the alert, the newest 5,000, oldest first."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_RECORDS, alert_id, agency_ori, _MOST_RECORDS)
        return tuple(DeliveryRecord(**row) for row in rows)

    async def told(self, alert_id: UUID, agency_ori: str) -> frozenset[UUID]:
        """The agency's assets that were told of the alert."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_TOLD, alert_id, agency_ori)
        return frozenset(row["asset_id"] for row in rows)

    async def sent_by(self, broadcast_id: UUID) -> tuple[UUID, ...]:
        """The assets that a broadcast, or a call to stand down, was sent to."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_SENT, broadcast_id)
        return tuple(row["asset_id"] for row in rows)

    async def escalations(
        self, agency_ori: str, since: datetime, but: Collection[UUID]
    ) -> tuple[Escalated, ...]:
        """The agency's first escalations since then, without those of `but`, in order."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_ESCALATIONS, agency_ori, since, list(but), _PAGE)
            alerts = await load_alerts(conn, {row["alert_id"] for row in rows})
        return tuple(Escalated(escalation_of(row), alerts[row["alert_id"]]) for row in rows)
