"""What is to be done about an alert in time, and what waits still (ENF-051 III.D.4, IV.D.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

from services.alerts.core.model import Alert, Disposition, EscalationKind, Severity, Verification

_UNDECIDED = frozenset({Verification.NEW, Verification.VERIFYING})


@dataclass(frozen=True, slots=True)
class Periods:
    """How long each thing may take.

    Attributes:
        acknowledge: Until the telecommunication centre has acknowledged an alert that sounds (IV.D.3).
        verify_urgent: Until an URGENT alert is verified; NCIC's ten minutes for an urgent confirmation.
        verify: Until any other is; NCIC's hour for a routine one.
    """

    acknowledge: timedelta = timedelta(minutes=2)
    verify_urgent: timedelta = timedelta(minutes=10)
    verify: timedelta = timedelta(hours=1)

    def of(self, kind: EscalationKind, level: Severity) -> timedelta:
        """The period of what is to be done about an alert of severity `level`."""
        if kind is EscalationKind.NOT_ACKNOWLEDGED:
            return self.acknowledge
        return self.verify_urgent if level is Severity.URGENT else self.verify


def kinds_for(level: Severity) -> tuple[EscalationKind, ...]:
    """What a hit of severity `level` sets a timer for. A notice, which nobody needs to look at, sets none."""
    return tuple(EscalationKind) if level > Severity.NOTICE else ()


def waits_for(alert: Alert, kind: EscalationKind) -> bool:
    """Whether this is still to be done: not when the alert is closed or withdrawn, or somebody did it."""
    if alert.disposition != Disposition.NONE or alert.withdrawn_at is not None:
        return False
    if kind is EscalationKind.NOT_VERIFIED:
        return alert.verification in _UNDECIDED
    denied = alert.verification not in {*_UNDECIDED, Verification.CONFIRMED}
    return not denied and not alert.due.centre_has_seen


def acknowledge_by(alert: Alert) -> datetime | None:
    """Until when the centre is to acknowledge it; None when nothing waits for that."""
    return alert.due.acknowledge_by if waits_for(alert, EscalationKind.NOT_ACKNOWLEDGED) else None


def verify_by(alert: Alert) -> datetime | None:
    """Until when it is to be verified; None when nothing waits for that."""
    return alert.due.verify_by if waits_for(alert, EscalationKind.NOT_VERIFIED) else None


class Deadlines:
    """Running timers by the seconds of a clock that never jumps.

    How long a timer still runs is asked once, when it is first heard of; from then on nobody's clock may jump
    and end it early, late or twice.
    """

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        self._order: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._ends)

    def learn(self, left_seconds: Mapping[int, float], now: float) -> None:
        """Notes timers with the seconds that each has left at `now`; a known one keeps its end."""
        for timer_id, left in left_seconds.items():
            if timer_id not in self._ends:
                self._ends[timer_id] = now + max(left, 0.0)
                heappush(self._order, (self._ends[timer_id], timer_id))

    def keep(self, timer_ids: Iterable[int]) -> None:
        """Forgets all but these."""
        kept = frozenset(timer_ids)
        self._ends = {timer_id: end for timer_id, end in self._ends.items() if timer_id in kept}
        self._order = [(end, timer_id) for timer_id, end in self._ends.items()]
        heapify(self._order)

    def due(self, now: float, most: int) -> tuple[int, ...]:
        """Timers that have ended by `now`, first ended first, at most `most`; they stay until dropped."""
        found: list[tuple[float, int]] = []
        while self._order and self._order[0][0] <= now and len(found) < most:
            end, timer_id = heappop(self._order)
            if self._ends.get(timer_id) == end:
                found.append((end, timer_id))
        for one in found:
            heappush(self._order, one)
        return tuple(timer_id for _, timer_id in found)

    def drop(self, timer_ids: Iterable[int]) -> None:
        """Forgets these. Their places in the order are skipped when they come up."""
        for timer_id in timer_ids:
            self._ends.pop(timer_id, None)
