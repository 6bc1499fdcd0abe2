"""What people found of alerts, in the order of the feed, for the matcher's thresholds (ENF-051 III.B.3.o)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.model import Disposition, MatchGrade, Verification
from services.alerts.store import AlertStore
from services.common.pg import Pool, connection

# Every step of a person takes a position of the feed, so nothing is missed between two pages.
_PAGE = "SELECT position, alert_id FROM alerts.feed WHERE position > $1 ORDER BY position LIMIT $2"
_ALERTS = """
SELECT alert_id, raise_time, verification_state, disposition FROM alerts.alert
WHERE alert_id = ANY($1::uuid[]) AND step_count > 0 ORDER BY alert_id
"""
# `sounded` through its index, as in store.py.
_MATCHES = """
SELECT e.alert_id, e.entry_id, h.hot_list_id, s.sounded IS NOT NULL AS sounded
FROM alerts.alert_entry e CROSS JOIN LATERAL (
    SELECT h.hot_list_id FROM alerts.hit h
    WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version LIMIT 1
) h LEFT JOIN LATERAL (
    SELECT true AS sounded FROM alerts.hit h
    WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
    AND h.match_grade = 1 LIMIT 1
) s ON true WHERE e.alert_id = ANY($1::uuid[]) ORDER BY e.alert_id, e.entry_id
"""


@dataclass(frozen=True, slots=True)
class JudgedMatch:
    """A match of an alert; its grade is SOUND when it ever sounded there."""

    hot_list_id: UUID
    entry_id: UUID
    grade: MatchGrade


@dataclass(frozen=True, slots=True)
class JudgedAlert:
    """An alert about which somebody did something, as it is now."""

    alert_id: UUID
    raise_time: datetime
    verification: Verification
    disposition: Disposition
    matches: tuple[JudgedMatch, ...]


@dataclass(frozen=True, slots=True)
class DispositionPage:
    """Judged alerts of some positions of the feed; `last_position` is where the next page begins."""

    alerts: tuple[JudgedAlert, ...]
    last_position: int
    epoch: int
    has_more: bool


class DispositionStore:
    """Reads the feed from any position on."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._feed = AlertStore(pool)

    async def page(self, after: int, epoch: int, size: int) -> DispositionPage:
        """What people did at the `size` positions after `after`; from the start with another `epoch`."""
        head = await self._feed.head()
        start = after if epoch == head.epoch else 0
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_PAGE, start, size)
            wanted = list({row["alert_id"] for row in rows})
            judged = await conn.fetch(_ALERTS, wanted)
            matches = await conn.fetch(_MATCHES, [row["alert_id"] for row in judged])
        by_alert: defaultdict[UUID, list[JudgedMatch]] = defaultdict(list)
        for row in matches:
            grade = MatchGrade.SOUND if row["sounded"] else MatchGrade.CHECK
            by_alert[row["alert_id"]].append(JudgedMatch(row["hot_list_id"], row["entry_id"], grade))
        return DispositionPage(
            alerts=tuple(
                JudgedAlert(
                    alert_id=row["alert_id"],
                    raise_time=row["raise_time"],
                    verification=Verification(row["verification_state"]),
                    disposition=Disposition(row["disposition"]),
                    matches=tuple(by_alert[row["alert_id"]]),
                )
                for row in judged
            ),
            last_position=rows[-1]["position"] if rows else start,
            epoch=head.epoch,
            has_more=len(rows) == size,
        )
