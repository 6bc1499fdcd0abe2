"""What the database alone knows of alerts that wait, as gauges: numbers, never which."""

from typing import Final

from services.alerts.core.model import EscalationKind
from services.alerts.metrics import ESCALATED_OPEN, OUTBOX_AGE, WAITING, WAITING_AGE
from services.common.pg import Pool, connection, measure_cluster

# As `waits_for` of core/timers.py has it. Timers that run are few, and have an index.
_WAITING: Final = """
WITH begun AS (
    SELECT kind, false AS late, alert_id, start_time AS since FROM alerts.timer WHERE state = 1
    UNION ALL
    SELECT kind, true, alert_id, due_time FROM alerts.escalation
    WHERE escalate_time > clock_timestamp() - interval '1 day'
)
SELECT t.kind, t.late, count(DISTINCT t.alert_id) AS alerts,
    greatest(0, extract(epoch FROM clock_timestamp() - min(t.since)))::float8 AS age
FROM begun t JOIN alerts.alert a ON a.alert_id = t.alert_id
WHERE a.disposition = 0 AND alerts.withdrawn_at(a.alert_id) IS NULL
  AND CASE t.kind
      WHEN 1 THEN a.verification_state IN (1, 2, 3)
          AND NOT EXISTS (SELECT FROM alerts.alert_step c
              WHERE c.alert_id = a.alert_id AND c.by_centre AND c.agency_ori = a.sensor_agency_ori)
          AND NOT EXISTS (SELECT FROM alerts.broadcast b
              WHERE b.alert_id = a.alert_id AND b.agency_ori = a.sensor_agency_ori)
      ELSE a.verification_state IN (1, 2) END
GROUP BY t.kind, t.late
"""
_OUTBOX_AGE: Final = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(event_time)), 0)::float8
FROM alerts.outbox WHERE outbox_id > (SELECT recorded_through FROM alerts.outbox_head)
"""


class AlertMeasures:
    """Takes the gauges from the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self) -> None:
        """Returns when the gauges are as the database is. Raises StorageUnavailableError."""
        async with connection(self._pool) as conn:
            rows = {(row["kind"], row["late"]): row for row in await conn.fetch(_WAITING)}
            age: float = await conn.fetchval(_OUTBOX_AGE)
        for kind in EscalationKind:
            label, runs, late = kind.name.lower(), rows.get((kind, False)), rows.get((kind, True))
            WAITING.labels(label).set(runs["alerts"] if runs else 0)
            WAITING_AGE.labels(label).set(runs["age"] if runs else 0)
            ESCALATED_OPEN.labels(label).set(late["alerts"] if late else 0)
        OUTBOX_AGE.set(max(age, 0.0))
        await measure_cluster(self._pool, "records")
