"""The agency's alerts with their hits and steps, a page at a time, for the full export (ENF-051 IV.A.3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.alerts.rows import MATCH_COLUMNS, SIGHTING_COLUMNS, Row
from services.common.pg import Connection, Pool, transaction

_HEAD = "SELECT next_position - 1 FROM alerts.feed_head"
# Motor Carrier Safety alerts are for their own roles (II.H). An alert is raised once, and positions run in
# the order of commit: no page misses one that comes later. One more than the page has tells of more.
_ALERTS = """
SELECT f.position, a.alert_id, a.plate, a.sensor_agency_ori, a.raise_time, a.acknowledged,
       a.verification_state, a.disposition, n.hits
FROM alerts.feed f JOIN alerts.alert a USING (alert_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS hits FROM alerts.hit h
    WHERE h.alert_id = a.alert_id AND (h.sensor_agency_ori = $1 OR h.list_agency_ori = $1)
) n
WHERE f.kind = 1 AND f.position > $2 AND f.position <= $3 AND n.hits > 0 AND a.motor_carrier = $5
ORDER BY f.position LIMIT $4
"""
_HITS = f"""
SELECT h.alert_id, h.hit_time, {SIGHTING_COLUMNS}, {MATCH_COLUMNS}, h.match_revision, w.withdraw_time,
       w.reason
FROM alerts.hit h LEFT JOIN LATERAL (
    SELECT w.withdraw_time, w.reason FROM alerts.withdrawal w
    WHERE w.entry_id = h.entry_id AND w.match_revision > h.match_revision
    ORDER BY w.match_revision LIMIT 1
) w ON true
WHERE h.alert_id = ANY($2::uuid[]) AND (h.sensor_agency_ori = $1 OR h.list_agency_ori = $1)
ORDER BY h.hit_time, h.read_id, h.entry_id, h.list_version
"""  # noqa: S608 - constants of this package
_STEPS = """
SELECT alert_id, step_number, intent_id, step_time, account_id, agency_ori, kind, verified_state, disposition,
       system, response_id, report_number, reported_by, confirmation_step, by_centre, entry_state
FROM alerts.alert_step WHERE agency_ori = $1 AND alert_id = ANY($2::uuid[]) ORDER BY alert_id, step_number
"""
# A car that stands in view for days must not make a page that memory does not hold.
_MOST_HITS = 20_000


@dataclass(frozen=True, slots=True)
class AlertRows:
    """An alert as it lies on disk, with those of its hits and steps that are the agency's."""

    alert: Row
    hits: Sequence[Row]
    steps: Sequence[Row]


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts in the order in which they were raised; `until` is the last position that the export goes to."""

    alerts: tuple[AlertRows, ...]
    until: int
    has_more: bool


class ExportStore:
    """What an agency owns of hits and alerts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, agency_ori: str, after: int, until: int | None, size: int, *, motor_carrier: bool
    ) -> AlertPage:
        """At most `size` alerts after position `after` and up to `until`, else to the newest of now."""
        # One snapshot: a step that is taken meanwhile is in all of the page or in none of it.
        async with transaction(self._pool, readonly=True) as held:
            head = int(await held.fetchval(_HEAD))
            end = head if until is None else min(until, head)
            found = await held.fetch(_ALERTS, agency_ori, after, end, size + 1, motor_carrier)
            kept = _within(found[:size])
            alerts = await _whole(held, agency_ori, kept)
        return AlertPage(alerts, end, len(found) > len(kept))


def _within(rows: Sequence[Row]) -> Sequence[Row]:
    """As many of the first alerts as have no more hits together than a page may; at least one."""
    hits = 0
    for number, row in enumerate(rows):
        hits += row["hits"]
        if number and hits > _MOST_HITS:
            return rows[:number]
    return rows


async def _whole(held: Connection, agency_ori: str, rows: Sequence[Row]) -> tuple[AlertRows, ...]:
    ids: list[UUID] = [row["alert_id"] for row in rows]
    hits: defaultdict[UUID, list[Row]] = defaultdict(list)
    steps: defaultdict[UUID, list[Row]] = defaultdict(list)
    for into, query in ((hits, _HITS), (steps, _STEPS)):
        for row in await held.fetch(query, agency_ori, ids):
            into[row["alert_id"]].append(row)
    return tuple(AlertRows(row, hits[row["alert_id"]], steps[row["alert_id"]]) for row in rows)
