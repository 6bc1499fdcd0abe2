"""Timers that run, and what happens when one ends (ENF-051 III.D.4, IV.D.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.alerts import metrics
from services.alerts.core.model import Alert, EscalationKind, FeedKind
from services.alerts.core.timers import waits_for
from services.alerts.rows import Row
from services.alerts.store import load_alerts
from services.alerts.store_batch import Batch, OutboxItem
from services.common.pg import Pool, connection

ANSWERED, ESCALATED = 2, 3
_PAGE = 10_000

# How long each still runs, by the clock that set it; set back, it must not make it longer than it was.
_RUNNING = """
SELECT timer_id,
    extract(epoch FROM least(due_time - clock_timestamp(), due_time - start_time))::float8 AS left_seconds
FROM alerts.timer WHERE state = 1 AND timer_id > $1 ORDER BY timer_id LIMIT $2
"""
_ENDED = """
SELECT t.timer_id, t.alert_id, t.kind, t.round, t.due_time,
    (SELECT max(n.round) FROM alerts.timer n
     WHERE n.alert_id = t.alert_id AND n.kind = t.kind) AS newest_round
FROM alerts.timer t WHERE t.timer_id = ANY($1::bigint[]) AND t.state = 1 ORDER BY t.due_time, t.timer_id
"""
_ESCALATE = """
INSERT INTO alerts.escalation (escalation_id, alert_id, kind, round, due_time, escalate_time)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING escalation_id
"""
_END = "UPDATE alerts.timer SET state = $2 WHERE timer_id = $1"


class TimerStore:
    """Which timers run."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def running(self, after: int) -> Mapping[int, float]:
        """Seconds that each running timer after that id has left, in the order of ids; below 0: over."""
        left: dict[int, float] = {}
        async with connection(self._pool) as conn:
            while rows := await conn.fetch(_RUNNING, after, _PAGE):
                left.update({row["timer_id"]: row["left_seconds"] for row in rows})
                after = rows[-1]["timer_id"]
        return left


@dataclass(frozen=True, slots=True)
class EndTimers:
    """Timers whose time is over. What was not done by now escalates, once, whoever says it and how often."""

    timer_ids: tuple[int, ...]

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """An id of no meaning, once every timer that still ran has ended."""
        rows = await batch.conn.fetch(_ENDED, list(self.timer_ids))
        alerts = await load_alerts(batch.conn, {row["alert_id"] for row in rows})
        for row in rows:
            alert, kind = alerts[row["alert_id"]], EscalationKind(row["kind"])
            # A verification that was decided and begun again has a timer of its own.
            waits = waits_for(alert, kind) and row["round"] == row["newest_round"]
            escalated = waits and await _escalate(batch, row, alert, new_id)
            await batch.conn.execute(_END, row["timer_id"], ESCALATED if escalated else ANSWERED)
        return new_id()


async def _escalate(batch: Batch, row: Row, alert: Alert, new_id: Callable[[], UUID]) -> bool:
    """Whether it escalated now; a louder timer of the same kind may have been first."""
    escalation_id = await batch.conn.fetchval(
        _ESCALATE, new_id(), row["alert_id"], row["kind"], row["round"], row["due_time"], batch.now
    )
    if escalation_id is None:
        return False
    kind = EscalationKind(row["kind"])
    batch.announce(alert.alert_id, FeedKind.UPDATED)
    batch.then.call(alert.agencies)
    batch.report(
        OutboxItem(
            item_id=new_id(),
            action="alert.escalated",
            resource=str(alert.alert_id),
            agency_ori=alert.sighting.sensor_agency_ori,
            event_time=batch.now,
            details={
                "escalation_id": str(escalation_id),
                "kind": kind.name,
                "due_time": row["due_time"].isoformat(),
            },
        )
    )
    metrics.ESCALATIONS.labels(kind.name.lower()).inc()
    return True
