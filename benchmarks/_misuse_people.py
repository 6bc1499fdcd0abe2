"""The people of a simulated agency, and their lawful work of a year: what is not to be taken for misuse."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
PLAIN_CODES = (
    "BURGLARY",
    "STOLEN_VEHICLE",
    "HIT_AND_RUN",
    "ROBBERY",
    "VEHICULAR_HIJACKING",
    "HOMICIDE",
    "KIDNAPPING",
)
OPEN_CODES = (
    "THEFT",
    "ASSAULT_BATTERY",
    "DRUG_TRAFFICKING",
    "MISSING_PERSON",
    "WANTED_PERSON",
    "OTHER_FELONY",
    "FRAUD",
)
_THING_WORDS = """
sedan pickup truck minivan motorcycle trailer coupe cargo van garage pharmacy jewellery store gas station
warehouse bank branch liquor store schoolyard parking deck overpass toll plaza motel diner residence church
airport terminal
"""
_DONE_WORDS = """
fled from the left after seen leaving struck pedestrian near broke window at took purse outside shots fired by
passenger of forged cheques passed at abducted child from threatened clerk in followed victim from dumped
behind
"""
_THINGS = tuple(_THING_WORDS.split())
_DONE = tuple(_DONE_WORDS.split())
_THIN = (
    "matter",
    "situation",
    "follow up matter",
    "general matter",
    "something odd",
    "checking something",
    "per request",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question or a refusal, as the log has it."""

    moment: datetime
    person: int
    plate: str
    case: str
    code: str
    purpose: str
    kind: str = "query"
    action: str = "question.reads"
    clauses: str = ""


@dataclass(slots=True)
class Person:
    """Somebody with an account."""

    number: int
    role: str
    start: int
    rate: float
    rotates: bool
    title_only: float
    template: bool
    beat: int
    first_day: int = 0
    last_day: int = DAYS
    end_known: int = DAYS
    away: tuple[tuple[int, int], ...] = ()
    cases: list[Case] = field(default_factory=list)

    def works(self, day: int, rng: random.Random) -> bool:
        """True on a working day."""
        if not self.first_day <= day < self.last_day or any(a <= day < b for a, b in self.away):
            return False
        return rng.random() < 5 / 7

    def shift(self, day: int) -> int:
        """The hour at which the shift of that day begins."""
        return (self.start + 8 * (day // 28)) % 24 if self.rotates else self.start


@dataclass(slots=True)
class Case:
    """An investigation that goes on for days."""

    number: str
    code: str
    keys: list[str]
    first: int
    last: int
    text: str
    team: list[int]


class Agency:
    """An agency of people whose habits are drawn from the seed."""

    def __init__(self, rng: random.Random, people: int) -> None:
        self.rng = rng
        self._plates = 0
        self._cases = 0
        self._open: list[tuple[str, str, str, str]] = []
        self.rotating = rng.uniform(0.2, 0.6)
        self.lazy = rng.uniform(0.1, 0.5)
        self.solo = rng.uniform(0.3, 0.6)
        self.overtime = rng.uniform(0.03, 0.10)
        self.people = [self._person(number) for number in range(people)]
        self.known = [[self.plate() for _ in range(12)] for _ in range(max(people // 4, 1))]

    def _person(self, number: int) -> Person:
        rng = self.rng
        role = rng.choices(("patrol", "detective", "analyst", "dispatch"), (62, 24, 4, 10))[0]
        rate = {"patrol": (0.6, 3.5), "detective": (2, 8), "analyst": (12, 30), "dispatch": (6, 22)}[role]
        start = rng.choice((6, 14, 22)) if role in ("patrol", "dispatch") else rng.choice((12, 13, 14, 15))
        one = Person(
            number=number,
            role=role,
            start=start,
            rate=rng.uniform(*rate),
            rotates=role in ("patrol", "dispatch") and rng.random() < self.rotating,
            title_only=rng.choice((0.0, 0.2, self.lazy, 0.9)),
            template=rng.random() < 0.3,
            beat=rng.randrange(max(1, 1 + number // 4)),
        )
        if rng.random() < 0.07:
            one.first_day = rng.randrange(20, 300)
        elif rng.random() < 0.08:
            one.last_day = rng.randrange(90, DAYS)
            one.end_known = max(0, one.last_day - rng.choice((5, 14, 30)))
        one.away = tuple((day, day + rng.randrange(4, 16)) for day in rng.sample(range(DAYS), 3))
        return one

    def plate(self) -> str:
        """A plate that nobody has asked about."""
        self._plates += 1
        return f"{chr(65 + self._plates % 26)}{chr(65 + self._plates // 26 % 26)}{self._plates:06d}"

    def case(self) -> str:
        """A case number that is new."""
        self._cases += 1
        return f"2026-{self._cases:06d}"

    def purpose(self, code: str, person: Person) -> str:
        """Words for it, as this person writes them."""
        rng, title = self.rng, code.lower().replace("_", " ")
        if code in PLAIN_CODES and rng.random() < person.title_only:
            return f"{title} investigation"
        if person.template and rng.random() < 0.7:
            return f"{title}, vehicle of interest seen by witness"
        return f"{title} {rng.choice(_DONE)} {rng.choice(_THINGS)} {rng.choice(_DONE)} {rng.choice(_THINGS)}"

    def thin(self) -> str:
        """Words that get past the gate and say nothing."""
        return self.rng.choice(_THIN)

    def code(self) -> str:
        """An offence code."""
        return self.rng.choice(PLAIN_CODES if self.rng.random() < 0.65 else OPEN_CODES)

    def at(self, day: int, person: Person) -> datetime:
        """A moment of that day's shift, now and then of the overtime after it."""
        hours = self.rng.uniform(0, 8) if self.rng.random() > self.overtime else self.rng.uniform(8, 11)
        return BEGIN + timedelta(days=day, hours=person.shift(day) + hours)

    def lawful(self) -> Iterator[Ask]:
        """A year of lawful work, day by day, in no order within a day."""
        details = {self.rng.randrange(DAYS) for _ in range(30)}
        majors = {self.rng.randrange(DAYS - 5) for _ in range(10)}
        for day in range(DAYS):
            working = [one for one in self.people if one.works(day, self.rng)]
            for one in working:
                yield from getattr(self, f"_{one.role}")(day, one)
            if day in details and working:
                yield from self._detail(
                    day, self.rng.sample(working, min(len(working), self.rng.choice((1, 2, 4, 6))))
                )
            if day in majors and working:
                yield from self._major(day)
            self._open = self._open[-400:]
            yield from self._stray(day)

    def _patrol(self, day: int, one: Person) -> Iterator[Ask]:
        rng = self.rng
        for _ in range(_poisson(rng, one.rate)):
            moment = self.at(day, one)
            if self._open and rng.random() < 0.12:
                case, code, text, plate = rng.choice(self._open[-60:])
                yield Ask(moment, one.number, plate, case, code, text)
                continue
            case, code = self.case(), self.code()
            text = self.purpose(code, one)
            known = self.known[one.beat % len(self.known)]
            for _ in range(rng.choices((1, 2, 3), (75, 18, 7))[0]):
                plate = rng.choice(known) if rng.random() < 0.08 else self.plate()
                yield Ask(moment, one.number, plate, case, code, text)
                self._open.append((case, code, text, plate))

    def _detective(self, day: int, one: Person) -> Iterator[Ask]:
        rng = self.rng
        one.cases = [case for case in one.cases if case.last >= day]
        while len(one.cases) < 3:
            one.cases.append(self._investigation(day, one))
        for _ in range(_poisson(rng, one.rate)):
            moment = self.at(day, one)
            if rng.random() < 0.015:
                moment = BEGIN + timedelta(
                    days=day, hours=rng.uniform(0, 24)
                )  # called out, or a tip comes in
            case = rng.choice(one.cases)
            plate = rng.choice(case.keys) if rng.random() < 0.6 else self.plate()
            code = case.code if rng.random() > 0.02 else self.code()  # the charge changes
            text = case.text if rng.random() < 0.7 else self.purpose(code, one)
            yield Ask(moment, one.number, plate, case.number, code, text)
            if rng.random() < 0.01:
                yield Ask(moment, one.number, "", case.number, code, text, "intent", "dissemination.export")

    def _investigation(self, day: int, one: Person) -> Case:
        rng, code = self.rng, self.code()
        last = day + min(90, 3 + int(rng.expovariate(1 / 18)))
        made = Case(
            self.case(),
            code,
            [self.plate() for _ in range(rng.choice((1, 1, 2, 4)))],
            day,
            last,
            self.purpose(code, one),
            [],
        )
        if rng.random() > self.solo:
            others = [each for each in self.people if each.role == "detective" and each is not one]
            for each in rng.sample(others, min(len(others), rng.choice((1, 1, 2, 3)))):
                each.cases.append(made)
        self._open.extend((made.number, code, made.text, plate) for plate in made.keys)
        return made

    def _analyst(self, day: int, one: Person) -> Iterator[Ask]:
        rng = self.rng
        running = [case for each in self.people for case in each.cases if case.last >= day]
        for _ in range(_poisson(rng, one.rate) if running else 0):
            case = rng.choice(running)
            plate = rng.choice(case.keys) if rng.random() < 0.5 else self.plate()
            yield Ask(
                self.at(day, one), one.number, plate, case.number, case.code, self.purpose(case.code, one)
            )

    def _dispatch(self, day: int, one: Person) -> Iterator[Ask]:
        rng = self.rng
        for _ in range(_poisson(rng, one.rate)):
            moment = self.at(day, one)
            if self._open and rng.random() < 0.6:
                case, code, text, plate = rng.choice(self._open[-80:])
                yield Ask(moment, one.number, plate, case, code, text)
            else:
                code = self.code()
                yield Ask(moment, one.number, self.plate(), self.case(), code, self.purpose(code, one))

    def _detail(self, day: int, team: list[Person]) -> Iterator[Ask]:
        """A detail looks at many plates under one number, for a shift or two."""
        case, plates = self.case(), self.rng.randrange(15, 60)
        for one in team:
            for later in range(self.rng.choice((1, 1, 2))):
                for _ in range(plates):
                    yield Ask(
                        self.at(day + later, one),
                        one.number,
                        self.plate(),
                        case,
                        "CRIMPAT_DETAIL",
                        "CRIMPAT Detail",
                    )

    def _major(self, day: int) -> Iterator[Ask]:
        """A crime that everybody works on for days."""
        case, code = self.case(), self.rng.choice(PLAIN_CODES)
        keys = [self.plate() for _ in range(4)]
        for one in self.rng.sample(self.people, min(len(self.people), self.rng.randrange(15, 40))):
            for later in range(self.rng.randrange(1, 4)):
                if not one.first_day <= day + later < one.last_day:
                    continue
                off = self.rng.uniform(0, 24) if self.rng.random() < 0.3 else None
                for _ in range(self.rng.randrange(3, 50)):
                    moment = (
                        self.at(day + later, one)
                        if off is None
                        else BEGIN + timedelta(days=day + later, hours=off)
                    )
                    plate = self.rng.choice(keys) if self.rng.random() < 0.3 else self.plate()
                    yield Ask(moment, one.number, plate, case, code, self.purpose(code, one))

    def _stray(self, day: int) -> Iterator[Ask]:
        """Somebody whose account has ended tries once, not knowing it."""
        for one in self.people:
            if one.last_day == day and self.rng.random() < 0.15:
                yield Ask(
                    self.at(day, one),
                    one.number,
                    "",
                    "",
                    "",
                    "",
                    "refusal",
                    "question.reads",
                    "III.B.3.o/over",
                )


def _poisson(rng: random.Random, mean: float) -> int:
    """A number of events whose mean is `mean`."""
    count, left = 0, rng.expovariate(1)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1)
    return count
