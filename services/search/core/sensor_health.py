"""When a sensor needs a hand: held against its history, its surveyed place and our clock (ENF-051 III.B.2.c).

Each rule says of one kind that it holds (with words), that it does not, or nothing: then it is as it was.
What opens a notice is farther off than what clears it, so that notices do not flicker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from services.search.core.sensor_activity import FAR_METRES, hour_of

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5

HISTORY: Final = timedelta(days=28)
"""What counts as a sensor's own history."""
_SHORTEST_HISTORY: Final = timedelta(days=3)

# In a time in which 20 reads are usual, none is chance once in some hundred million times if reads come
# independently, and still rare if traffic comes in waves.
_EXPECTED_IN_SILENCE: Final = 20.0
_SHORTEST_SILENCE: Final = timedelta(minutes=15)
_LONGEST_SILENCE: Final = timedelta(days=3)
_LONGEST_SILENCE_OF_NEW: Final = _DAY
_REPORT_OVERDUE: Final = timedelta(minutes=15)
_STILL_REPORTING: Final = timedelta(days=7)
_REPORT_FRESH: Final = timedelta(minutes=10)

_CLOCK_OPENS: Final = timedelta(seconds=5)
_CLOCK_CLEARS: Final = timedelta(seconds=2)
_LATE_OPENS: Final = timedelta(minutes=5)
_LATE_CLEARS: Final = timedelta(minutes=2)
_FEW_READS: Final = 5
_RATE_HOURS: Final = 6
_RATE_EXPECTED: Final = 60.0
_RATE_OPENS: Final = 0.3
_RATE_CLEARS: Final = 0.5
_INCOMPLETE_HOURS: Final = 3
_INCOMPLETE_READS: Final = 10
_STORAGE_OPENS: Final = 0.95
_STORAGE_CLEARS: Final = 0.9


class Kind(StrEnum):
    """What may be wrong; the names are those of the contract without their prefix."""

    SILENT = "SILENT"
    MOVED = "MOVED"
    CLOCK_WRONG = "CLOCK_WRONG"
    BACKLOG = "BACKLOG"
    LOW_RATE = "LOW_RATE"
    INCOMPLETE = "INCOMPLETE"
    STORAGE_FULL = "STORAGE_FULL"


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a sensor, as stored (services.search.core.sensor_activity.HourCount)."""

    start: datetime
    reads: int
    received: int
    quarantined: int
    judged: int
    far: int
    least_delay: timedelta | None


@dataclass(frozen=True, slots=True)
class Usual:
    """What a sensor's history lets expect.

    Attributes:
        reads: Reads in the history by weekend or not, and hour of the day (UTC).
        days: Days in the history: working days, days of weekends.
    """

    reads: Mapping[tuple[bool, int], int]
    days: tuple[float, float]

    def expected(self, start: datetime, end: datetime) -> float:
        """Reads that are usual between two moments in UTC."""
        total, hour = 0.0, hour_of(start)
        while hour < end:
            share = (min(end, hour + _HOUR) - max(start, hour)) / _HOUR
            weekend = hour.weekday() >= _SATURDAY
            days = self.days[weekend]
            if days > 0:
                total += share * self.reads.get((weekend, hour.hour), 0) / days
            hour += _HOUR
        return total


def usual_of(reads: Mapping[tuple[bool, int], int], start: datetime, end: datetime) -> Usual | None:
    """The history between two full hours in UTC, None while it is too short to say what is usual."""
    if end - start < _SHORTEST_HISTORY:
        return None
    days, moment = [0.0, 0.0], start
    while moment < end:
        following = min(end, datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + _DAY)
        days[moment.weekday() >= _SATURDAY] += (following - moment) / _DAY
        moment = following
    return Usual(reads, (days[0], days[1]))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one sensor at one moment.

    Attributes:
        placed: It is known where it stands: it is fixed, or portable within its periods.
        approved_from: Its deployment is approved since then; None when it is not approved now.
        hours: Its hours of at least the last day, ascending; hours without anything may be missing.
        usual: None while its history is too short.
        clock_offset: Its clock minus ours, as it reported.
    """

    sensor_id: str
    placed: bool
    approved_from: datetime | None
    hours: Sequence[Hour] = ()
    usual: Usual | None = None
    last_capture: datetime | None = None
    last_receive: datetime | None = None
    drift_metres: float | None = None
    last_report: datetime | None = None
    clock_offset: timedelta | None = None
    backlog_count: int | None = None
    backlog_since: datetime | None = None
    storage_used: float | None = None

    def since(self, moment: datetime) -> list[Hour]:
        """The hours from the one of `moment` on."""
        first = hour_of(moment)
        return [hour for hour in self.hours if hour.start >= first]

    def least_delay(self, now: datetime) -> timedelta | None:
        """The shortest delay of what was received in this hour and the one before; None for a few reads."""
        recent = self.since(now - _HOUR)
        if sum(hour.received for hour in recent) < _FEW_READS:
            return None
        return min((hour.least_delay for hour in recent if hour.least_delay is not None), default=None)

    def reports(self, now: datetime) -> bool:
        """Whether what the sensor said of itself is of now."""
        return self.last_report is not None and now - self.last_report <= _REPORT_FRESH

    def clock(self, now: datetime) -> timedelta | None:
        """How far the sensor's clock is ahead: as it reported, or as reads from the future prove."""
        if self.reports(now) and self.clock_offset is not None:
            return self.clock_offset
        delay = self.least_delay(now)
        return -delay if delay is not None and delay < timedelta() else None


Findings = dict[Kind, str | None]
"""By kind: words for what is wrong, None for nothing; a kind that is missing is as it was."""


def findings(facts: Facts, now: datetime) -> Findings:
    """What is wrong with the sensor at `now`, in UTC. A sensor that is not approved needs nothing."""
    if facts.approved_from is None:
        return dict.fromkeys(Kind)
    found: Findings = {Kind.SILENT: _silent(facts, facts.approved_from, now)}
    for rule in (_moved, _clock_wrong, _backlog, _incomplete, _storage_full):
        found |= rule(facts, now)
    # A sensor that is silent has no rate, and reads that wait are still to come.
    return found if found[Kind.SILENT] or found.get(Kind.BACKLOG) else found | _low_rate(facts, now)


def _silent(facts: Facts, approved_from: datetime, now: datetime) -> str | None:
    heard = max(facts.last_receive or approved_from, approved_from)
    gap = now - heard
    report = facts.last_report
    if report and _REPORT_OVERDUE < now - report < _STILL_REPORTING and gap > _REPORT_OVERDUE:
        return f"It used to report on itself, and has not for {_spoken(now - report)}."
    but = " It still reports on itself." if facts.reports(now) else ""
    if facts.usual is None:
        return f"No read for {_spoken(gap)}.{but}" if gap >= _LONGEST_SILENCE_OF_NEW else None
    expected = facts.usual.expected(heard, now)
    if gap >= _LONGEST_SILENCE or (gap >= _SHORTEST_SILENCE and expected >= _EXPECTED_IN_SILENCE):
        return f"No read for {_spoken(gap)}, in which {expected:.0f} are usual.{but}"
    return None


def _moved(facts: Facts, now: datetime) -> Findings:
    recent = facts.since(now - _HOUR)
    judged, far = sum(hour.judged for hour in recent), sum(hour.far for hour in recent)
    if not facts.placed:
        return {Kind.MOVED: None}
    if judged < _FEW_READS:
        return {}
    if 2 * far <= judged:
        return {Kind.MOVED: None}
    where = f", the newest {facts.drift_metres:.0f} m away" if facts.drift_metres is not None else ""
    return {
        Kind.MOVED: f"{far} of the last {judged} reads came from over {FAR_METRES:.0f} m "
        f"off the surveyed place{where}."
    }


def _clock_wrong(facts: Facts, now: datetime) -> Findings:
    ahead = facts.clock(now)
    if ahead is None:
        # Prompt reads prove that it is not ahead; nothing proves that it is not behind but a report.
        return {Kind.CLOCK_WRONG: None} if facts.least_delay(now) is not None else {}
    if abs(ahead) > _CLOCK_OPENS:
        way = "ahead" if ahead > timedelta() else "behind"
        return {Kind.CLOCK_WRONG: f"Its clock is {_spoken(abs(ahead))} {way}."}
    return {Kind.CLOCK_WRONG: None} if abs(ahead) <= _CLOCK_CLEARS else {}


def _backlog(facts: Facts, now: datetime) -> Findings:
    waits = now - facts.backlog_since if facts.reports(now) and facts.backlog_since else timedelta()
    if waits > _LATE_OPENS:
        return {
            Kind.BACKLOG: f"{facts.backlog_count or 0} reads wait in it, the oldest for {_spoken(waits)}."
        }
    delay = facts.least_delay(now)
    if delay is not None and delay > _LATE_OPENS:
        return {Kind.BACKLOG: f"Reads come {_spoken(delay)} late: they wait, or its clock is behind."}
    prompt = delay is not None and delay <= _LATE_CLEARS
    nothing_waits = facts.reports(now) and waits <= _LATE_CLEARS and delay is None
    return {Kind.BACKLOG: None} if prompt or nothing_waits else {}


def _low_rate(facts: Facts, now: datetime) -> Findings:
    end = hour_of(now)
    start = end - _RATE_HOURS * _HOUR
    if facts.usual is None or facts.approved_from is None or facts.approved_from > start:
        return {}
    expected = facts.usual.expected(start, end)
    seen = sum(hour.reads for hour in facts.hours if start <= hour.start < end)
    if expected < _RATE_EXPECTED:
        return {}
    if seen < _RATE_OPENS * expected:
        return {Kind.LOW_RATE: f"{seen} reads in {_RATE_HOURS} hours in which {expected:.0f} are usual."}
    return {Kind.LOW_RATE: None} if seen >= _RATE_CLEARS * expected else {}


def _incomplete(facts: Facts, now: datetime) -> Findings:
    recent = facts.since(now - (_INCOMPLETE_HOURS - 1) * _HOUR)
    apart, received = sum(hour.quarantined for hour in recent), sum(hour.received for hour in recent)
    if received < _INCOMPLETE_READS:
        return {}
    if 2 * apart <= received:
        return {Kind.INCOMPLETE: None}
    return {
        Kind.INCOMPLETE: f"{apart} of {received} reads lack image, time or place, or contradict themselves."
    }


def _storage_full(facts: Facts, now: datetime) -> Findings:
    used = facts.storage_used
    if not facts.reports(now) or used is None:
        return {}
    if used >= _STORAGE_OPENS:
        return {Kind.STORAGE_FULL: f"{used:.0%} of its storage is used."}
    return {Kind.STORAGE_FULL: None} if used < _STORAGE_CLEARS else {}


def _spoken(length: timedelta) -> str:
    """The length in its two largest units, "3 h 20 min"."""
    seconds = int(length.total_seconds())
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    first = next((n for n, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    parts: list[str] = []
    for name, size in units[first : first + 2]:
        count, seconds = divmod(seconds, size)
        if count or not parts:
            parts.append(f"{count} {name}")
    return " ".join(parts)
