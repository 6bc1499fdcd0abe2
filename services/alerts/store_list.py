"""The alerts of an agency, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.alerts.core.listing import Place, Wanted
from services.alerts.core.model import Alert, Partition
from services.alerts.core.view import visible_to
from services.alerts.store import load_alerts
from services.common.pg import Pool, connection

# What an agency may not see of an alert does not decide whether the alert is in its list: the entry of
# another agency has no category here.
_PAGE = """
SELECT f.position, f.alert_id FROM alerts.feed f JOIN alerts.alert a USING (alert_id)
WHERE f.kind = 1 AND f.position <= $1 AND f.position < $2 AND f.feed_time >= $3 AND f.feed_time < $4
    AND a.motor_carrier = $5
    AND (a.sensor_agency_ori = $6
         OR EXISTS (SELECT FROM alerts.hit h WHERE h.alert_id = a.alert_id AND h.list_agency_ori = $6))
    AND ($7 = '' OR a.plate = $7)
    AND (NOT $8 OR NOT a.acknowledged)
    AND (cardinality($9::smallint[]) = 0 OR a.verification_state = ANY($9))
    AND (cardinality($10::smallint[]) = 0
         OR EXISTS (SELECT FROM alerts.hit h WHERE h.alert_id = a.alert_id AND h.category = ANY($10)
                    AND (a.sensor_agency_ori = $6 OR h.list_agency_ori = $6)))
ORDER BY f.position DESC LIMIT $11
"""


@dataclass(frozen=True, slots=True)
class AlertList:
    """Alerts as the agency sees them, newest first; `last` is the last one's position, None at the end."""

    alerts: tuple[Alert, ...]
    last: int | None


class ListStore:
    """What alerts there were."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, wanted: Wanted, place: Place, agency_ori: str, size: int) -> AlertList:
        """At most `size` alerts from `place` on."""
        # One snapshot: an alert of the page is as it was when it was found.
        async with (
            connection(self._pool) as held,
            held.transaction(isolation="repeatable_read", readonly=True),
        ):
            # One more than the page has tells whether there are more.
            rows = await held.fetch(_PAGE, *_values(wanted, place, agency_ori), size + 1)
            kept = rows[:size]
            found = await load_alerts(held, [row["alert_id"] for row in kept])
        seen = [visible_to(found[row["alert_id"]], agency_ori, wanted.partition) for row in kept]
        last = kept[-1]["position"] if len(rows) > size else None
        return AlertList(tuple(alert for alert in seen if alert is not None), last)


def _values(wanted: Wanted, place: Place, agency_ori: str) -> Sequence[object]:
    return (
        place.until,
        place.before,
        place.start,
        place.end,
        wanted.partition is Partition.MOTOR_CARRIER,
        agency_ori,
        wanted.plate,
        wanted.only_unacknowledged,
        [int(one) for one in wanted.states],
        [int(one) for one in wanted.categories],
    )
