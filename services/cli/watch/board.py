"""What stands on the board: the latest word on each alert, what matters and waits longest first.

Nothing here looks at a clock or a terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import notice_pb2

# A stream goes back no further, and what is older is a question.
KEEP: Final = timedelta(hours=24)

_STANDING: Final = MappingProxyType(
    {
        notice_pb2.VERIFICATION_STATE_NEW: "UNVERIFIED",
        notice_pb2.VERIFICATION_STATE_VERIFYING: "UNVERIFIED, BEING VERIFIED",
        notice_pb2.VERIFICATION_STATE_CONFIRMED: "CONFIRMED",
        notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED: "NOT CONFIRMED",
        notice_pb2.VERIFICATION_STATE_MISREAD: "MISREAD",
        notice_pb2.VERIFICATION_STATE_WRONG_STATE: "WRONG STATE",
        notice_pb2.VERIFICATION_STATE_STALE: "STALE",
    }
)
_UNDECIDED: Final = frozenset(
    {
        notice_pb2.VERIFICATION_STATE_UNSPECIFIED,
        notice_pb2.VERIFICATION_STATE_NEW,
        notice_pb2.VERIFICATION_STATE_VERIFYING,
    }
)


class Stage(IntEnum):
    """What an alert waits for, in the order in which it does."""

    UNSEEN = 1
    UNVERIFIED = 2
    UNDISPOSED = 3
    DONE = 4


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alerts are open, and how many of the loudest kind nobody has seen."""

    urgent_unseen: int
    open: int


class Board:
    """The alerts of a watch."""

    def __init__(self) -> None:
        self._alerts: dict[str, pb.Alert] = {}

    def __len__(self) -> int:
        """How many there are, open and done."""
        return len(self._alerts)

    def take(self, alert: pb.Alert) -> None:
        """Puts `alert` on the board in place of what stood there of it. The feed is in order: the last word
        is the latest.
        """
        self._alerts[alert.alert_id] = alert

    def get(self, alert_id: str) -> pb.Alert | None:
        """The alert; None when it is not on the board."""
        return self._alerts.get(alert_id)

    def rows(self, *, with_done: bool) -> list[pb.Alert]:
        """What to show: open alerts nobody has seen, then the other open ones, each from the most severe and
        of these the longest waiting; at the end what is done, the newest first, if it is wanted.
        """
        waiting = sorted(self.open_alerts(), key=_urgency)
        if not with_done:
            return waiting
        done = (alert for alert in self._alerts.values() if stage_of(alert) is Stage.DONE)
        return waiting + sorted(done, key=raised_at, reverse=True)

    def open_alerts(self) -> list[pb.Alert]:
        """Alerts that wait for something, in no order."""
        return [alert for alert in self._alerts.values() if stage_of(alert) is not Stage.DONE]

    def counts(self) -> Counts:
        """How many wait."""
        waiting = self.open_alerts()
        urgent = sum(a.severity == pb.SEVERITY_URGENT and not a.acknowledged for a in waiting)
        return Counts(urgent, len(waiting))

    def forget(self, now: datetime) -> None:
        """Takes off what is done and older than `KEEP`. What still waits stays, however old."""
        for alert in list(self._alerts.values()):
            if stage_of(alert) is Stage.DONE and now - raised_at(alert) > KEEP:
                del self._alerts[alert.alert_id]


def stage_of(alert: pb.Alert) -> Stage:
    """What `alert` waits for. A disposition ends it, whoever recorded it and however."""
    if alert.disposition:
        return Stage.DONE
    if not alert.acknowledged:
        return Stage.UNSEEN
    undecided = alert.notice.verification_state in _UNDECIDED
    return Stage.UNVERIFIED if undecided else Stage.UNDISPOSED


def standing(alert: pb.Alert) -> str:
    """How far `alert` is verified, in capitals: UNVERIFIED until somebody confirmed it (II.A, III.D.4).

    A state that this program does not know counts as unverified.
    """
    words = _STANDING.get(alert.notice.verification_state, "UNVERIFIED")
    # Whether a confirmation is newer than the withdrawal is in the history.
    return f"WITHDRAWN, {words}" if alert.HasField("withdraw_time") else words


def is_confirmed(alert: pb.Alert) -> bool:
    """Whether the record's owner, LEADS or NCIC confirmed it, and its entry is still listed."""
    confirmed = alert.notice.verification_state == notice_pb2.VERIFICATION_STATE_CONFIRMED
    return confirmed and not alert.HasField("withdraw_time")


def raised_at(alert: pb.Alert) -> datetime:
    """When it was raised, UTC."""
    return alert.raise_time.ToDatetime(UTC)


def due_at(alert: pb.Alert) -> datetime | None:
    """Until when it is to be acknowledged or verified, what comes first (IV.D.3, III.D.4); None: neither."""
    times = []
    if alert.HasField("acknowledge_by"):
        times.append(alert.acknowledge_by.ToDatetime(UTC))
    if alert.HasField("verify_by"):
        times.append(alert.verify_by.ToDatetime(UTC))
    return min(times, default=None)


def nearest(rows: Sequence[pb.Alert], alert_id: str, index: int) -> str:
    """The id to select when the rows have changed: the same alert wherever it stands now, else the one at its
    place, else "" when there is none. A new alert never slips under a finger that is about to press a key.
    """
    if any(alert.alert_id == alert_id for alert in rows):
        return alert_id
    return rows[min(index, len(rows) - 1)].alert_id if rows else ""


def _urgency(alert: pb.Alert) -> tuple[bool, int, datetime, str]:
    return (alert.acknowledged, -alert.severity, raised_at(alert), alert.alert_id)
