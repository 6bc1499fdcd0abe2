"""What follows from the changes of a batch: messages to patrol assets, timers, a call to those who wait."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.alerts.core.dispatch import DeliveryKind
from services.alerts.core.model import EscalationKind, Severity
from services.alerts.core.timers import Periods, kinds_for
from services.common.pg import Connection

# To everyone who was told of the alert. A further camera is news once until the device has it, for a message
# shows the alert as it is when it is sent; and it is none to those who were told to stand down.
_TELL = """
INSERT INTO alerts.delivery (delivery_id, alert_id, asset_id, kind, delivery_time)
SELECT gen_random_uuid(), said.alert_id, told.asset_id, said.kind, $3
FROM unnest($1::uuid[], $2::smallint[]) WITH ORDINALITY AS said (alert_id, kind, place)
JOIN alerts.told_asset told USING (alert_id)
CROSS JOIN LATERAL (
    SELECT d.kind, EXISTS (SELECT FROM alerts.delivery_step s WHERE s.delivery_id = d.delivery_id) AS received
    FROM alerts.delivery d WHERE d.alert_id = told.alert_id AND d.asset_id = told.asset_id
    ORDER BY d.delivery_number DESC LIMIT 1
) newest
WHERE said.kind <> 2 OR newest.kind <> 8 AND (newest.kind > 2 OR newest.received)
ORDER BY said.place, told.asset_id
RETURNING asset_id
"""
# One clock for start and end, and none of the services': the database's.
_TIME = """
INSERT INTO alerts.timer (alert_id, kind, level, round, start_time, due_time)
SELECT asked.alert_id, asked.kind, asked.level, asked.round, clock.now, clock.now + asked.period
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::integer[], $5::interval[])
    AS asked (alert_id, kind, level, round, period)
CROSS JOIN (SELECT clock_timestamp() AS now) clock
ON CONFLICT DO NOTHING
"""
_NOTIFY = "SELECT pg_notify('alerts_dispatch', $1)"
# A notification holds less than 8,000 bytes; an empty one calls everybody.
_MOST_NAMED = 150


class Consequences:
    """Collected while a batch is built, and written with it, in the order in which they were said."""

    def __init__(self, periods: Periods) -> None:
        self._periods = periods
        self._said: dict[tuple[UUID, DeliveryKind], None] = {}
        self._timers: list[tuple[UUID, EscalationKind, Severity, int]] = []
        self._called: set[str] = set()

    def tell(self, alert_id: UUID, kind: DeliveryKind) -> None:
        """Tells every asset that was told of the alert; the same twice in one batch is said once."""
        self._said[alert_id, kind] = None

    def watch(self, alert_id: UUID, level: Severity) -> None:
        """Sets the timers of an alert that has a hit of severity `level`, where they are not set yet."""
        self._timers += [(alert_id, kind, level, 0) for kind in kinds_for(level)]

    def watch_verification(self, alert_id: UUID, level: Severity, number: int) -> None:
        """Sets the timer of a verification that begins with step `number`; 0 is the first."""
        self._timers.append((alert_id, EscalationKind.NOT_VERIFIED, level, number))

    def call(self, keys: Iterable[str]) -> None:
        """Wakes streams: of an asset by its id, of escalations by the agency's ORI."""
        self._called.update(keys)

    async def write(self, conn: Connection, now: datetime) -> None:
        """Writes all of it, inside the transaction of the batch."""
        if self._said:
            alert_ids, kinds = zip(*self._said, strict=True)
            rows = await conn.fetch(_TELL, alert_ids, [int(kind) for kind in kinds], now)
            self.call(str(row["asset_id"]) for row in rows)
        if self._timers:
            await conn.execute(_TIME, *zip(*map(self._values, self._timers), strict=True))
        if self._called:
            named = ",".join(sorted(self._called)) if len(self._called) <= _MOST_NAMED else ""
            await conn.execute(_NOTIFY, named)

    def _values(self, timer: tuple[UUID, EscalationKind, Severity, int]) -> tuple[object, ...]:
        alert_id, kind, level, number = timer
        return (alert_id, int(kind), int(level), number, self._periods.of(kind, level))
