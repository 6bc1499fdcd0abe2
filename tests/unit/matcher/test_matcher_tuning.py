"""How much a list's estimate is believed, and what a match must be for that."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.errors import StorageUnavailableError
from services.matcher.app_list_tally import ListTally
from services.matcher.core.budget import surer
from services.matcher.core.entry import NO_VEHICLE, Category, Entry, Source
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndexBuilder
from services.matcher.core.match import Grade, Match, find_matches
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, Sighting
from services.matcher.core.tuning import (
    LEAST_FACTOR,
    MOST_FACTOR,
    BudgetKind,
    Evidence,
    Tuning,
    next_factor,
    verdict_of,
)
from services.matcher.store_tuning import Counted
from tests.support.clock import ManualClock

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MILLION = 1_000_000


@pytest.mark.clause("III.B.3.o", "III.D.4")
@pytest.mark.parametrize(
    ("verification", "disposition", "expected"),
    [
        (notice_pb2.VERIFICATION_STATE_NEW, alerts_pb.DISPOSITION_UNSPECIFIED, None),
        (notice_pb2.VERIFICATION_STATE_VERIFYING, alerts_pb.DISPOSITION_UNSPECIFIED, None),
        (notice_pb2.VERIFICATION_STATE_CONFIRMED, alerts_pb.DISPOSITION_UNSPECIFIED, True),
        (notice_pb2.VERIFICATION_STATE_CONFIRMED, alerts_pb.DISPOSITION_STOPPED, True),
        (notice_pb2.VERIFICATION_STATE_STALE, alerts_pb.DISPOSITION_FALSE_ALARM, True),
        (notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED, alerts_pb.DISPOSITION_NO_ACTION, None),
        (notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED, alerts_pb.DISPOSITION_FALSE_ALARM, False),
        (notice_pb2.VERIFICATION_STATE_NEW, alerts_pb.DISPOSITION_FALSE_ALARM, False),
        (notice_pb2.VERIFICATION_STATE_NEW, alerts_pb.DISPOSITION_NOT_LOCATED, None),
        (notice_pb2.VERIFICATION_STATE_MISREAD, alerts_pb.DISPOSITION_UNSPECIFIED, False),
        (notice_pb2.VERIFICATION_STATE_WRONG_STATE, alerts_pb.DISPOSITION_NO_ACTION, False),
    ],
)
def test_only_what_people_said_of_the_plate_counts(
    verification: int, disposition: int, expected: bool | None
) -> None:
    assert verdict_of(verification, disposition) is expected


@pytest.mark.clause("III.B.3.o")
def test_a_list_with_more_wrong_alarms_than_its_budget_explains_is_believed_half() -> None:
    assert next_factor(1.0, 1.0, Evidence(reads=100_000, matches=5, right=0, wrong=3)) == 0.5
    assert next_factor(0.5, 1.0, Evidence(reads=100_000, matches=5, right=40, wrong=3)) == 0.25


@pytest.mark.clause("III.B.3.o")
def test_two_wrong_alarms_say_nothing_however_few_the_reads() -> None:
    assert next_factor(1.0, 1.0, Evidence(reads=10, matches=2, right=0, wrong=2)) == 1.0


@pytest.mark.clause("III.B.3.o")
@pytest.mark.parametrize("wrong", [0, 3, 5])
def test_a_list_that_stays_about_its_budget_is_left_alone(wrong: int) -> None:
    assert next_factor(1.0, 1.0, Evidence(3 * MILLION, matches=40, right=20, wrong=wrong)) == 1.0


@pytest.mark.clause("III.B.3.o")
def test_a_list_that_is_surely_far_below_its_budget_is_believed_twice() -> None:
    assert next_factor(1.0, 1.0, Evidence(10 * MILLION, matches=30, right=30, wrong=0)) == 2.0
    assert next_factor(1.0, 1.0, Evidence(20 * MILLION, matches=30, right=29, wrong=1)) == 2.0


@pytest.mark.clause("III.B.3.o")
@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(10 * MILLION, matches=9, right=9, wrong=0),
        Evidence(5 * MILLION, matches=30, right=30, wrong=0),
        # One of thirty was judged wrong: of three hundred ten may be.
        Evidence(20 * MILLION, matches=300, right=29, wrong=1),
    ],
)
def test_too_little_evidence_makes_no_list_bolder(evidence: Evidence) -> None:
    assert next_factor(1.0, 1.0, evidence) == 1.0


@pytest.mark.clause("III.B.3.o")
def test_a_factor_stays_within_its_bounds() -> None:
    worst, best = Evidence(1, 99, 0, 99), Evidence(999 * MILLION, 99, 99, 0)

    assert next_factor(LEAST_FACTOR, 1.0, worst) == LEAST_FACTOR
    assert next_factor(MOST_FACTOR, 1.0, best) == MOST_FACTOR
    assert next_factor(1.0, 300.0, Evidence(10**12, 10**6, 10**6, 0)) == 2.0


def test_no_probability_is_lowered_by_being_surer() -> None:
    assert surer(0.5, 1.0) == pytest.approx(0.5)
    assert surer(0.5, 4.0) == pytest.approx(0.5)
    assert surer(0.5, 0.25) == pytest.approx(0.8)
    assert 0.99 < surer(0.99, 0.25) < 1


def a_list(tuning: Tuning, size: int = 1) -> ActiveList:
    builder = ListIndexBuilder()
    plates = [f"ZZ{n:05d}" for n in range(size - 1)]
    builder.add(
        Entry(uuid.uuid4(), plate, "IL", Category.WANTED, "1", NO_VEHICLE) for plate in ["AB12345", *plates]
    )
    header = ListHeader(uuid.UUID(int=1), "x", "IL0160000", Source.AGENCY, 1, NOW, NOW, tuning=tuning)
    return ActiveList(header, builder.build())


def found(tuning: Tuning, certainty: float, size: int = 1, read: str = "AB12345") -> list[Match]:
    """What a read matches whose last character is with `certainty` the 5 of AB12345."""
    positions = [((char, 0.9995),) for char in "AB12345"]
    last = sorted([("5", certainty), ("6", 1 - certainty)], key=lambda pair: pair[0] != read[-1])
    positions[-1] = tuple(last)  # type: ignore[assignment]
    seen = Sighting(Lattice(read, tuple(positions)), (("IL", 0.97),), NOW - timedelta(seconds=1))
    index = Index(1, NOW, (a_list(tuning, size),))
    return [
        one
        for one in find_matches(seen, index, frozenset({0}), NOW, MatchSettings())
        if one.entry.plate == "AB12345"
    ]


@pytest.mark.clause("III.B.3.o", "IV.C.1")
def test_what_sounded_is_for_a_check_only_once_its_list_was_wrong_too_often() -> None:
    (before,) = found(Tuning(), 0.40)
    (after,) = found(Tuning(sounding=1 / 64), 0.40)

    assert before.grade is Grade.SOUND
    assert after.grade is Grade.CHECK
    assert after.probability == before.probability


@pytest.mark.clause("III.B.3.o", "IV.C.1")
def test_a_sure_read_of_a_listed_plate_sounds_however_often_its_list_was_wrong() -> None:
    (match,) = found(Tuning(sounding=LEAST_FACTOR, checked=LEAST_FACTOR), 0.9999)

    assert match.grade is Grade.SOUND


@pytest.mark.clause("III.B.3.o")
def test_a_list_with_too_many_wrong_checks_shows_less() -> None:
    assert found(Tuning(), 0.1, read="AB12346")
    assert not found(Tuning(checked=1 / 64), 0.1, read="AB12346")
    assert found(Tuning(checked=1 / 64), 0.9, read="AB12346")


class Store:
    """Adds up what it is given, unless it is away."""

    def __init__(self) -> None:
        self.down = False
        self.counted: dict[uuid.UUID, Counted] = {}

    async def count(self, counted: Mapping[uuid.UUID, Counted]) -> None:
        if self.down:
            raise StorageUnavailableError("away")
        self.counted.update(counted)


HEADER = ListHeader(uuid.UUID(int=1), "x", "IL0160000", Source.AGENCY, 1, NOW, NOW)
LOCAL = replace(HEADER, hot_list_id=uuid.UUID(int=2), is_local=True)


def match(header: ListHeader, grade: Grade) -> Match:
    listed = Entry(uuid.uuid4(), "AB12345", "IL", Category.FELONY, "1", NO_VEHICLE)
    blank: Any = None
    return Match(header, listed, 1.0, blank, grade, ())


@pytest.mark.clause("III.B.3.o")
async def test_reads_and_matches_of_uploaded_lists_are_counted_by_how_loud_they_are() -> None:
    store = Store()
    tally = ListTally(store, ManualClock())
    both, none = frozenset({0, 1}), frozenset[int]()
    sound, check = match(HEADER, Grade.SOUND), match(HEADER, Grade.CHECK)
    tally.note_compared(
        [HEADER, LOCAL],
        [both, both, both, none],
        ["AB12345", "CD67890", "XY1", "AB12345"],
        [(check, sound, match(LOCAL, Grade.SOUND)), (check,), (), ()],
    )

    await tally.settle()

    assert store.counted == {HEADER.hot_list_id: Counted(reads=3, sounded=1, checked=1)}


@pytest.mark.clause("III.B.3.o")
async def test_a_car_that_is_followed_is_one_match_an_hour_and_every_read_counts() -> None:
    store, clock = Store(), ManualClock()
    tally = ListTally(store, clock)
    for minutes in (0, 10, 40, 11):
        clock.advance(timedelta(minutes=minutes))
        tally.note_compared([HEADER], [frozenset({0})], ["AB12345"], [(match(HEADER, Grade.SOUND),)])

    await tally.settle()

    assert store.counted == {HEADER.hot_list_id: Counted(reads=4, sounded=2)}


async def test_what_could_not_be_stored_is_stored_later() -> None:
    store = Store()
    tally = ListTally(store, ManualClock())
    tally.note_compared([HEADER], [frozenset({0})], ["AB12345"], [(match(HEADER, Grade.CHECK),)])
    store.down = True
    with pytest.raises(StorageUnavailableError):
        await tally.settle()
    store.down = False

    await tally.settle()

    assert store.counted == {HEADER.hot_list_id: Counted(reads=1, checked=1)}


def test_the_numbers_are_those_of_the_contracts() -> None:
    assert BudgetKind.SOUNDING == Grade.SOUND == hit_pb2.MATCH_GRADE_SOUND
    assert BudgetKind.CHECKED == Grade.CHECK == hit_pb2.MATCH_GRADE_CHECK
