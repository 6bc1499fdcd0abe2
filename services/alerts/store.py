"""What the alerts service reads from its schema. One method is one look; the writer is in store_writer.py."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.model import (
    Alert,
    Disposition,
    EntryState,
    Escalation,
    Facet,
    FeedItem,
    FeedKind,
    Match,
    Step,
    Verification,
)
from services.alerts.rows import MATCH_COLUMNS, SIGHTING_COLUMNS, alert_of, escalation_of, facet_of, match_of
from services.common.errors import StorageUnavailableError
from services.common.pg import Connection, Pool, connection

_HEAD = """
SELECT epoch, next_position - 1 AS last_position, resync_from, subscription_revision FROM alerts.feed_head
"""
_FEED = """
SELECT position, alert_id, kind, feed_time, mark FROM alerts.feed
WHERE position > $1 ORDER BY position LIMIT $2
"""
# Much sooner than other statements: a link that went silent keeps everybody's alerts until it is given up.
_TAIL_SECONDS = 5.0
_BEFORE = "SELECT min(position) - 1 FROM alerts.feed WHERE feed_time >= $1"
_MARK = "SELECT mark FROM alerts.feed WHERE position = $1"
_FEED_TIME = "SELECT feed_time FROM alerts.feed WHERE position = $1"
# The newest sighting through its index, whatever the number of hits; the same below for each entry.
_ALERTS = f"""
SELECT a.alert_id, a.raise_time, a.acknowledged, a.verification_state, a.disposition, s.*,
    EXISTS (SELECT FROM alerts.alert_step c
            WHERE c.alert_id = a.alert_id AND c.by_centre AND c.agency_ori = a.sensor_agency_ori)
    OR EXISTS (SELECT FROM alerts.broadcast b
               WHERE b.alert_id = a.alert_id AND b.agency_ori = a.sensor_agency_ori) AS centre_has_seen,
    coalesce(t.escalated, false) AS escalated, t.acknowledge_by, t.verify_by
FROM alerts.alert a CROSS JOIN LATERAL (
    SELECT {SIGHTING_COLUMNS} FROM alerts.hit h WHERE h.alert_id = a.alert_id
    ORDER BY h.capture_time DESC, h.read_id DESC LIMIT 1
) s LEFT JOIN LATERAL (
    SELECT bool_or(t.state = 3) AS escalated, min(t.due_time) FILTER (WHERE t.kind = 1) AS acknowledge_by,
        (array_agg(t.due_time ORDER BY t.round DESC, t.due_time) FILTER (WHERE t.kind = 2))[1] AS verify_by
    FROM alerts.timer t WHERE t.alert_id = a.alert_id
) t ON true WHERE a.alert_id = ANY($1::uuid[])
"""  # noqa: S608 - constants of this package
# `sounded` too: as EXISTS it would be answered from one scan of all hits there ever were.
_MATCHES = f"""
SELECT e.alert_id, m.*, w.withdraw_time, w.reason, s.sounded IS NOT NULL AS sounded
FROM alerts.alert_entry e CROSS JOIN LATERAL (
    SELECT {MATCH_COLUMNS}, match_revision FROM alerts.hit h
    WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
    ORDER BY h.capture_time DESC, h.read_id DESC LIMIT 1
) m LEFT JOIN LATERAL (
    SELECT w.withdraw_time, w.reason FROM alerts.withdrawal w
    WHERE w.entry_id = e.entry_id AND w.match_revision > m.match_revision
    ORDER BY w.match_revision LIMIT 1
) w ON true LEFT JOIN LATERAL (
    SELECT true AS sounded FROM alerts.hit h
    WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
    AND h.match_grade = 1 LIMIT 1
) s ON true WHERE e.alert_id = ANY($1::uuid[])
"""  # noqa: S608 - constants of this package
_FACETS = """
SELECT alert_id, entry_id, list_version, sensor_id, sensor_group, latitude, longitude, percent, severity,
       sensor_unit
FROM alerts.alert_facet WHERE alert_id = ANY($1::uuid[])
"""
_ESCALATIONS = """
SELECT alert_id, escalation_id, kind, round, due_time, escalate_time
FROM alerts.escalation WHERE alert_id = ANY($1::uuid[]) ORDER BY escalate_time, kind
"""
_STEPS = """
SELECT step_time, account_id, verified_state, disposition, system, response_id, entry_state, by_centre,
       reported_by, report_number
FROM alerts.alert_step WHERE alert_id = $1 ORDER BY step_number
"""


@dataclass(frozen=True, slots=True)
class FeedHead:
    """Where the feed is: epoch, last position (0 before the first), and from when to read after a restore.

    `subscription_revision` counts the changes of subscriptions before it.
    """

    epoch: int
    last_position: int
    resync_from: datetime
    subscription_revision: int = 0


class AlertStore:
    """Alerts, their history and the feed, as they are on disk."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def check(self) -> None:
        """Returns when the database answers. Raises StorageUnavailableError."""
        await self.head()

    async def head(self) -> FeedHead:
        """The head of the feed at this moment."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_HEAD, timeout=_TAIL_SECONDS)
        if row is None:
            raise StorageUnavailableError("the feed has no head; the schema is not complete")
        return FeedHead(**row)

    async def feed_after(self, position: int, limit: int) -> tuple[FeedItem, ...]:
        """At most `limit` items after `position`, in order, each with its alert as it is now."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_FEED, position, limit, timeout=_TAIL_SECONDS)
            alerts = await load_alerts(conn, {row["alert_id"] for row in rows})
        return tuple(
            FeedItem(
                row["position"],
                row["feed_time"],
                FeedKind(row["kind"]),
                alerts[row["alert_id"]],
                row["mark"],
            )
            for row in rows
        )

    async def position_before(self, moment: datetime) -> int | None:
        """The position before the first item of `moment` or later; None when there is no such item."""
        async with connection(self._pool) as conn:
            position: int | None = await conn.fetchval(_BEFORE, moment)
        return position

    async def mark_at(self, position: int) -> int:
        """The mark of `position`; 0 when it has not been given out."""
        async with connection(self._pool) as conn:
            return await conn.fetchval(_MARK, position, timeout=_TAIL_SECONDS) or 0

    async def feed_time(self, position: int) -> datetime | None:
        """When `position` was given out; None when it has not been."""
        async with connection(self._pool) as conn:
            moment: datetime | None = await conn.fetchval(_FEED_TIME, position)
        return moment

    async def alert(self, alert_id: UUID) -> Alert | None:
        """The alert as it is now, with every entry; None when there is none of that id."""
        async with connection(self._pool) as conn:
            return (await load_alerts(conn, {alert_id})).get(alert_id)

    async def history(self, alert_id: UUID) -> tuple[Step, ...]:
        """What people did about the alert, oldest first."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_STEPS, alert_id)
        steps: list[Step] = []
        state = Verification.NEW
        for row in rows:
            state = Verification(row["verified_state"] or state)
            steps.append(
                Step(
                    step_time=row["step_time"],
                    account_id=row["account_id"],
                    verification=state,
                    disposition=Disposition(row["disposition"] or 0),
                    system=row["system"],
                    response_id=row["response_id"],
                    entry_state=EntryState(row["entry_state"] or 0),
                    by_centre=row["by_centre"],
                    reported_by=row["reported_by"],
                    report_number=row["report_number"],
                )
            )
        return tuple(steps)


async def load_alerts(conn: Connection, alert_ids: Collection[UUID]) -> Mapping[UUID, Alert]:
    """Those of the alerts that there are, as they are now."""
    if not alert_ids:
        return {}
    matches: defaultdict[UUID, list[Match]] = defaultdict(list)
    facets: defaultdict[UUID, list[Facet]] = defaultdict(list)
    # Alerts first: an entry that joins in between is shown early, which does no harm; the other way round an
    # alert raised in between would come without entries.
    rows = await conn.fetch(_ALERTS, list(alert_ids))
    for row in await conn.fetch(_MATCHES, list(alert_ids)):
        matches[row["alert_id"]].append(match_of(row))
    for row in await conn.fetch(_FACETS, list(alert_ids)):
        facets[row["alert_id"]].append(facet_of(row))
    escalations = await _escalations(conn, [row["alert_id"] for row in rows if row["escalated"]])
    return {
        key: alert_of(row, matches[key], facets[key], escalations[key])
        for row in rows
        if (key := row["alert_id"])
    }


async def _escalations(conn: Connection, alert_ids: Sequence[UUID]) -> defaultdict[UUID, list[Escalation]]:
    found: defaultdict[UUID, list[Escalation]] = defaultdict(list)
    # Few alerts escalate: the feed does not ask for the others.
    for row in await conn.fetch(_ESCALATIONS, alert_ids) if alert_ids else ():
        found[row["alert_id"]].append(escalation_of(row))
    return found
