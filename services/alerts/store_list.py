"""The alerts of an agency, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.alerts.core.listing import Last, Place, Wanted
from services.alerts.core.model import Alert, Partition
from services.alerts.core.view import visible_to
from services.alerts.store import load_alerts
from services.common.pg import Pool, transaction

# What an agency may not see of an alert does not decide whether the alert is in its list: the entry of
# another agency has no category here.
_IN = """
a.motor_carrier = $2 AND a.raise_time >= $3 AND a.raise_time < $4
AND ($5::timestamptz IS NULL OR (a.raise_time, a.alert_id) < ($5, $6))
AND (NOT $7 OR NOT a.acknowledged)
AND (cardinality($8::smallint[]) = 0 OR a.verification_state = ANY($8))
AND (cardinality($9::smallint[]) = 0
     OR EXISTS (SELECT FROM alerts.hit h WHERE h.alert_id = a.alert_id AND h.category = ANY($9)
                AND (a.sensor_agency_ori = $1 OR h.list_agency_ori = $1)))
"""
# Own cameras, and others that its lists are compared on: each along an index, as far as the page goes.
_PAGE = """
SELECT alert_id, raise_time FROM (
    (SELECT a.alert_id, a.raise_time FROM alerts.alert a
     WHERE a.sensor_agency_ori = $1 AND {wanted} ORDER BY a.raise_time DESC, a.alert_id DESC LIMIT $10)
    UNION ALL
    (SELECT a.alert_id, a.raise_time FROM alerts.alert a
     WHERE a.sensor_agency_ori <> $1 AND {wanted} AND a.alert_id IN (
        SELECT h.alert_id FROM alerts.hit h
        WHERE h.list_agency_ori = $1 AND h.list_agency_ori <> h.sensor_agency_ori)
     ORDER BY a.raise_time DESC, a.alert_id DESC LIMIT $10)
) found ORDER BY raise_time DESC, alert_id DESC LIMIT $10
"""
_OF_ALL = _PAGE.format(wanted=_IN)
_OF_PLATE = _PAGE.format(wanted=f"a.plate = $11 AND {_IN}")


@dataclass(frozen=True, slots=True)
class AlertList:
    """Alerts as the agency sees them, newest first; `last` is where the page ends, None for the last one."""

    alerts: tuple[Alert, ...]
    last: Last | None


class ListStore:
    """What alerts there were."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, wanted: Wanted, place: Place, agency_ori: str, size: int) -> AlertList:
        """At most `size` alerts from `place` on."""
        # One snapshot: an alert of the page is as it was when it was found.
        async with transaction(self._pool, readonly=True) as held:
            # One more than the page has tells whether there are more.
            query = (_OF_PLATE, wanted.plate) if wanted.plate else (_OF_ALL,)
            rows = await held.fetch(query[0], *_values(wanted, place, agency_ori), size + 1, *query[1:])
            kept = rows[:size]
            found = await load_alerts(held, [row["alert_id"] for row in kept])
        seen = [visible_to(found[row["alert_id"]], agency_ori, wanted.partition) for row in kept]
        last = Last(kept[-1]["raise_time"], kept[-1]["alert_id"]) if len(rows) > size else None
        return AlertList(tuple(alert for alert in seen if alert is not None), last)


def _values(wanted: Wanted, place: Place, agency_ori: str) -> Sequence[object]:
    return (
        agency_ori,
        wanted.partition is Partition.MOTOR_CARRIER,
        place.start,
        place.end,
        place.last.raise_time if place.last else None,
        place.last.alert_id if place.last else None,
        wanted.only_unacknowledged,
        [int(one) for one in wanted.states],
        [int(one) for one in wanted.categories],
    )
