"""Misuse of a simulated year: episodes of the kinds that came to light elsewhere, hidden in lawful work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks._misuse_people import BEGIN, DAYS, Agency, Ask, Person, _poisson


@dataclass(frozen=True, slots=True)
class Episode:
    """Misuse by one person, from `first` to `last`; `kind` is the rule that is meant to find it."""

    person: int
    kind: str
    first: datetime
    last: datetime


class Misuse:
    """Draws episodes and what is asked in them."""

    def __init__(self, agency: Agency) -> None:
        self._agency = agency
        self._rng = agency.rng

    def of_year(self, per_kind: int) -> Iterator[tuple[Episode, list[Ask]]]:
        """Episodes of every kind; nobody has more than one."""
        people = [
            one
            for one in self._agency.people
            if one.last_day - one.first_day > 200 and one.role != "dispatch"
        ]
        leavers = [one for one in self._agency.people if one.last_day < DAYS and one.last_day > 80]
        chosen = self._rng.sample(people, min(len(people), 5 * per_kind))
        kinds = ("REPEAT_TARGET", "CASE_REUSE", "OWN_HOURS", "SPIKE", "VAGUE_PURPOSE")
        taken = set()
        for number, one in enumerate(chosen):
            taken.add(one.number)
            yield self._one(kinds[number % 5], one)
        free = [one for one in leavers if one.number not in taken]
        for one in self._rng.sample(free, min(len(free), per_kind)):
            yield self._one("LEAVER", one)

    def _one(self, kind: str, one: Person) -> tuple[Episode, list[Ask]]:
        asked = sorted(getattr(self, f"_{kind.lower()}")(one), key=lambda ask: ask.moment)
        return Episode(one.number, kind, asked[0].moment, asked[-1].moment), asked

    def _days(self, one: Person, least: int, most: int) -> range:
        length = self._rng.randrange(least, most)
        begin = self._rng.randrange(one.first_day + 40, max(one.first_day + 41, one.last_day - length))
        return range(begin, min(begin + length, one.last_day))

    def _reason(self, one: Person, honest: float = 0.6) -> tuple[str, str, str]:
        """A case that is made up or borrowed, a code, and words to go with it."""
        rng, agency = self._rng, self._agency
        if one.cases and rng.random() < 0.3:
            case = rng.choice(one.cases)
            return case.number, case.code, case.text
        code = agency.code()
        return agency.case(), code, agency.purpose(code, one) if rng.random() < honest else agency.thin()

    def _when(self, day: int, one: Person, off: float) -> datetime:
        if self._rng.random() < off:
            return BEGIN + timedelta(days=day, hours=one.shift(day) + self._rng.uniform(11, 22))
        return self._agency.at(day, one)

    def _repeat_target(self, one: Person) -> Iterator[Ask]:
        """A former partner is followed for weeks."""
        target, style = self._agency.plate(), self._rng.choice(("new", "new", "borrowed", "one"))
        rate, off = self._rng.uniform(0.12, 0.7), self._rng.uniform(0, 0.5)
        fixed = self._reason(one)
        days = self._days(one, 21, 150)
        for day in days:
            for _ in range(_poisson(self._rng, rate) + (day in (days[0], days[-1]))):
                case, code, text = fixed if style == "one" else self._reason(one)
                yield Ask(self._when(day, one, off), one.number, target, case, code, text)

    def _case_reuse(self, one: Person) -> Iterator[Ask]:
        """One number serves for whoever is of interest."""
        agency, rate = self._agency, self._rng.uniform(0.4, 2.5)
        case, days = agency.case(), self._days(one, 20, 70)
        same = self._rng.random() < 0.4
        first = agency.code()
        for day in days:
            for _ in range(_poisson(self._rng, rate) + (day in (days[0], days[-1]))):
                code = first if same else agency.code()
                yield Ask(
                    agency.at(day, one), one.number, agency.plate(), case, code, agency.purpose(code, one)
                )

    def _own_hours(self, one: Person) -> Iterator[Ask]:
        """At home, at night, out of curiosity."""
        agency, rate = self._agency, self._rng.uniform(0.15, 0.6)
        days = self._days(one, 14, 70)
        for day in days:
            for _ in range(_poisson(self._rng, rate) + (day in (days[0], days[-1]))):
                moment = BEGIN + timedelta(days=day, hours=one.shift(day) + self._rng.uniform(12, 21))
                for _ in range(self._rng.choice((1, 1, 2, 4))):
                    yield Ask(moment, one.number, agency.plate(), *self._reason(one))

    def _spike(self, one: Person) -> Iterator[Ask]:
        """Everybody who parks at a rally, or a list for a friend."""
        agency, plates = self._agency, self._rng.randrange(25, 160)
        day = self._days(one, 2, 4)[0]
        one_case = self._reason(one) if self._rng.random() < 0.6 else None
        for _ in range(plates):
            moment = agency.at(day + self._rng.choice((0, 0, 0, 1)), one)
            yield Ask(moment, one.number, agency.plate(), *(one_case or self._reason(one)))

    def _vague_purpose(self, one: Person) -> Iterator[Ask]:
        """Nothing that is asked has a reason in words."""
        agency, share = self._agency, self._rng.uniform(0.5, 0.95)
        days = self._days(one, 30, 90)
        for day in days:
            for _ in range(_poisson(self._rng, max(one.rate / 2, 0.6)) + (day in (days[0], days[-1]))):
                code = agency.code()
                text = agency.thin() if self._rng.random() < share else agency.purpose(code, one)
                yield Ask(agency.at(day, one), one.number, agency.plate(), agency.case(), code, text)

    def _leaver(self, one: Person) -> Iterator[Ask]:
        """Somebody who goes takes along what he can, or comes back."""
        agency, rng = self._agency, self._rng
        if rng.random() < 0.35:
            day = one.last_day
            for _ in range(rng.randrange(3, 12)):
                moment = BEGIN + timedelta(days=day + rng.randrange(0, 12), hours=rng.uniform(0, 24))
                yield Ask(moment, one.number, "", "", "", "", "refusal", "question.reads", "III.B.3.o/over")
            return
        for day in range(max(one.last_day - rng.randrange(4, 12), one.first_day), one.last_day):
            for _ in range(_poisson(rng, max(one.rate, 1.5) * rng.uniform(1.5, 4)) + 1):
                yield Ask(agency.at(day, one), one.number, agency.plate(), *self._reason(one))
            if rng.random() < 0.4:
                yield Ask(
                    agency.at(day, one),
                    one.number,
                    "",
                    agency.case(),
                    "THEFT",
                    "records for the file",
                    "intent",
                    "dissemination.export",
                )
