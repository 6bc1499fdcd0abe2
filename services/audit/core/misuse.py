"""Rules that flag what may be misuse, from what one person asked (ENF-051 III.B.3.o, III.C.2.d, IV.A.2).

A flag is never a verdict: it says what was seen and opens a review. Everything here follows from the log, so
that who has the log finds the same flags. docs/misuse-rules.md says what each rule counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from services.audit.core.conduct import Asked

REMEMBERED = timedelta(days=60)
"""How far back the rules look."""
QUIET = timedelta(days=30)
"""For so long the same thing is not flagged again."""
_THREE_WEEKS = timedelta(days=21)
_SETTLED = timedelta(days=10)
_A_MONTH = timedelta(days=30)
_SAME_SHIFT = timedelta(hours=5)
_SLACK = timedelta(days=7)
_WORKING_WEEK = timedelta(days=7)
_HOURS = 24
_NEAR = 3
_ENOUGH_DAYS = 8
_LONGEST_SHIFT = 13
_LATELY = 20


class Rule(StrEnum):
    """The rules; the names are those of the contract without their prefix."""

    REPEAT_TARGET = "REPEAT_TARGET"
    CASE_REUSE = "CASE_REUSE"
    OWN_HOURS = "OWN_HOURS"
    SPIKE = "SPIKE"
    VAGUE_PURPOSE = "VAGUE_PURPOSE"
    INTERLEAVED = "INTERLEAVED"
    LEAVER = "LEAVER"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules count with; an agency may set each (see RULES for what they mean)."""

    repeat_days: int = 4
    repeat_cases: int = 3
    repeat_alone_days: int = 12
    case_plates: int = 12
    case_days: int = 6
    case_offences: int = 3
    hours_days: int = 3
    spike_plates: int = 30
    spike_times: int = 4
    vague_of_twenty: int = 10
    barred_tries: int = 3
    leaver_days: int = 14
    leaver_times: int = 2
    leaver_plates: int = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw.

    Args:
        rule: Which rule.
        about: What sets it apart from other findings of the rule: digest of a plate or case, or "".
        log_index: The entry at which it became so.
        moment: The hour of that entry.
        evidence: What was counted, by name.
        entries: Entries that were counted, the last ones at most.
    """

    rule: Rule
    about: str
    log_index: int
    moment: datetime
    evidence: Mapping[str, int]
    entries: tuple[int, ...]


class Company(Protocol):
    """What others of the agency asked in the same time."""

    def in_case(self, case: str) -> int:
        """How many others asked under that case number."""

    def at_target(self, target: str) -> int:
        """How many others asked about that plate."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What else is known of the person: the end of the account, if one is set."""

    end_time: datetime | None = None


@dataclass(slots=True)
class _Day:
    """What was asked on one day."""

    rows: list[Asked] = field(default_factory=list)
    hours: set[int] = field(default_factory=set)
    plates: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Memory:
    """What the person asked lately, by what it is about."""

    targets: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    cases: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    days: dict[date, _Day] = field(default_factory=lambda: defaultdict(_Day))
    purposes: deque[Asked] = field(default_factory=lambda: deque(maxlen=_LATELY))
    barred: deque[Asked] = field(default_factory=lambda: deque(maxlen=_LATELY))
    keys: set[tuple[object, ...]] = field(default_factory=set)

    def add(self, one: Asked) -> bool:
        """True when there was none like it."""
        key = one.key
        if key in self.keys:
            return False
        self.keys.add(key)
        if one.barred:
            self.barred.append(one)
            return True
        today = self.days[one.hour.date()]
        today.rows.append(one)
        today.hours.add(one.hour.hour)
        if one.target:
            today.plates.add(one.target)
            self.targets[one.target].append(one)
        if one.case:
            self.cases[one.case].append(one)
        if one.words:
            self.purposes.append(one)
        return True

    def rows(self, since: datetime) -> Iterator[Asked]:
        """What was asked since, oldest day first."""
        for day, asked in self.days.items():
            if day >= since.date():
                yield from asked.rows


class Conduct:
    """One person's questions, one after another, and what the rules make of each."""

    def __init__(
        self,
        limits: Limits,
        standing: Standing,
        past: Iterable[Asked] = (),
        raised: Mapping[tuple[Rule, str], datetime] = MappingProxyType({}),
    ) -> None:
        self._limits = limits
        self.standing = standing
        self._raised = dict(raised)
        self._memory = _Memory()
        self._day: date | None = None
        self._usual_hours: frozenset[int] = frozenset()
        self._usual_plates = 0.0
        for one in past:
            self._memory.add(one)

    def see(self, one: Asked, company: Company) -> list[Finding]:
        """What the rules find at this question; it comes after those of before."""
        self._begin_day(one.hour)
        if not self._memory.add(one):
            return []
        found = (rule(self, one, company) for rule in _CHECKS)
        return [finding for finding in found if finding and self._is_new(finding)]

    def interleaved(self, log_index: int, moment: datetime) -> list[Finding]:
        """What follows from an event that says so: one account on two devices in turns (III.B.3.k)."""
        found = Finding(Rule.INTERLEAVED, "", log_index, moment, MappingProxyType({}), (log_index,))
        return [found] if self._is_new(found) else []

    def _is_new(self, found: Finding) -> bool:
        before = self._raised.get((found.rule, found.about))
        if before is not None and found.moment - before < QUIET:
            return False
        self._raised[found.rule, found.about] = found.moment
        return True

    def _begin_day(self, moment: datetime) -> None:
        """Forgets what is too long ago, and works out what is usual, once for each day of questions."""
        if self._day == moment.date():
            return
        self._day = moment.date()
        first = (moment - REMEMBERED).date()
        if min(self._memory.days, default=first) < first - _SLACK:
            kept = list(self._memory.rows(moment - REMEMBERED))
            barred = self._memory.barred
            self._memory = _Memory(barred=barred)
            for one in kept:
                self._memory.add(one)
        before = [day for when, day in self._memory.days.items() if first <= when < self._day]
        # Another shift is no habit on its first days, and neither are hours that are misused.
        settled = self._day - _SETTLED
        days = self._memory.days.items()
        self._usual_hours = _usual_hours([day for when, day in days if settled - _A_MONTH <= when < settled])
        self._usual_plates = sum(len(day.plates) for day in before) / len(before) if before else 0.0

    def _lately(self, rows: Iterable[Asked], moment: datetime) -> list[Asked]:
        return [row for row in rows if moment - row.hour <= REMEMBERED]

    def repeat_target(self, one: Asked, company: Company) -> Finding | None:
        """The same plate over and over, for cases that nobody else works on."""
        if not one.target or company.at_target(one.target) > 1:
            return None
        rows = self._lately(self._memory.targets[one.target], one.hour)
        alone = [row for row in rows if not company.in_case(row.case)]
        days, cases = {row.hour.date() for row in alone}, {row.case for row in alone}
        many = len(days) >= self._limits.repeat_days and len(cases) >= self._limits.repeat_cases
        if not (many or len(days) >= self._limits.repeat_alone_days):
            return None
        return _found(Rule.REPEAT_TARGET, one.target, alone, days=len(days), cases=len(cases))

    def case_reuse(self, one: Asked, company: Company) -> Finding | None:
        """One case number for whatever there is to ask."""
        if not one.case or company.in_case(one.case):
            return None
        rows = self._lately(self._memory.cases[one.case], one.hour)
        days, plates = {row.hour.date() for row in rows}, {row.target for row in rows}
        offences = {row.offence for row in rows}
        if len(plates) < self._limits.case_plates or len(days) < self._limits.case_days:
            return None
        # Who investigates comes back to some plates; who needs a number takes it for each once.
        if len(offences) < self._limits.case_offences and len(plates) * 10 < len(rows) * 9:
            return None
        return _found(
            Rule.CASE_REUSE, one.case, rows, plates=len(plates), days=len(days), offences=len(offences)
        )

    def own_hours(self, one: Asked, company: Company) -> Finding | None:
        """Questions at hours at which the person does not work, while work at the usual ones goes on."""
        usual = self._usual_hours
        if not usual or one.barred or _is_near(one.hour.hour, usual):
            return None
        lately = list(self._memory.rows(one.hour - _THREE_WEEKS))
        usually = {row.hour for row in lately if row.hour.hour in usual}
        outside = [
            row
            for row in lately
            if not _is_near(row.hour.hour, usual)
            and not company.in_case(row.case)
            and not any(abs(row.hour - hour) <= _SAME_SHIFT for hour in usually)
        ]
        days = {row.hour.date() for row in outside}
        first = min(days, default=one.hour.date())
        # Not at the edges, where one shift meets the next.
        middle = {hour for hour in usual if {(hour - 2) % _HOURS, (hour + 2) % _HOURS} <= usual}
        since = {row.hour for row in lately if row.hour.date() >= first}
        at_work = [hour for hour in since if hour.hour in middle]
        if len(days) < self._limits.hours_days or 3 * len(at_work) < len(since):
            return None
        return _found(Rule.OWN_HOURS, "", outside, days=len(days), hours_at_work=len(at_work))

    def spike(self, one: Asked, company: Company) -> Finding | None:
        """Many more plates in a day than on other days, alone."""
        today = self._memory.days.get(one.hour.date(), _Day())
        if len(today.plates) < self._limits.spike_plates:
            return None
        rows = [row for row in today.rows if not company.in_case(row.case)]
        plates = len({row.target for row in rows if row.target})
        if plates < max(self._limits.spike_plates, self._limits.spike_times * self._usual_plates):
            return None
        usually = round(self._usual_plates)
        return _found(Rule.SPIKE, "", rows, plates=plates, usually=usually)

    def vague_purpose(self, one: Asked, company: Company) -> Finding | None:
        """Purposes that got past the gate and say nothing."""
        rows = [row for row in self._memory.purposes if one.hour - row.hour <= QUIET]
        thin = [row for row in rows if row.thin]
        if not one.thin or len(thin) < self._limits.vague_of_twenty:
            return None
        return _found(Rule.VAGUE_PURPOSE, "", thin, thin=len(thin), of=len(rows))

    def leaver(self, one: Asked, company: Company) -> Finding | None:
        """Tries after the end, or a harvest before it."""
        if one.barred:
            tries = self._lately(self._memory.barred, one.hour)
            many = len(tries) >= self._limits.barred_tries
            return _found(Rule.LEAVER, "barred", tries, tries=len(tries)) if many else None
        end, days = self.standing.end_time, self._limits.leaver_days
        # An account that lives for hours anyway has no usual pace yet.
        if end is None or end - one.hour > timedelta(days=days) or len(self._memory.days) < _ENOUGH_DAYS:
            return None
        lately = list(self._memory.rows(max(one.hour - _WORKING_WEEK, end - timedelta(days=days))))
        leaving = [row for row in lately if row.leaves]
        plates = {row.target for row in lately if row.target and not company.in_case(row.case)}
        worked = len({row.hour.date() for row in lately})
        usual = max(self._usual_plates * worked, self._limits.leaver_plates)
        if not leaving and len(plates) < self._limits.leaver_times * usual:
            return None
        return _found(Rule.LEAVER, "", lately, plates=len(plates), files=len(leaving), usually=round(usual))


_CHECKS: tuple[Callable[[Conduct, Asked, Company], Finding | None], ...] = (
    Conduct.repeat_target,
    Conduct.case_reuse,
    Conduct.own_hours,
    Conduct.spike,
    Conduct.vague_purpose,
    Conduct.leaver,
)


def _usual_hours(before: Sequence[_Day]) -> frozenset[int]:
    """The fewest hours in a row in which nine tenths were asked; none with few days, or hours all over."""
    if len(before) < _ENOUGH_DAYS:
        return frozenset()
    seen = Counter(hour for day in before for hour in day.hours)
    for length in range(1, _LONGEST_SHIFT + 1):
        spans = (frozenset((start + more) % _HOURS for more in range(length)) for start in range(_HOURS))
        best = max(spans, key=lambda span: sum(seen[hour] for hour in span))
        if sum(seen[hour] for hour in best) * 10 >= seen.total() * 9:
            return best
    return frozenset()


def _is_near(hour: int, usual: frozenset[int]) -> bool:
    """True within three hours of a usual one."""
    return any(min((hour - one) % _HOURS, (one - hour) % _HOURS) <= _NEAR for one in usual)


def _found(rule: Rule, about: str, rows: list[Asked], **evidence: int) -> Finding:
    entries = tuple(row.log_index for row in rows[-50:])
    return Finding(rule, about, rows[-1].log_index, rows[-1].hour, MappingProxyType(evidence), entries)
