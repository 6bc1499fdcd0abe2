"""Which texts a look-back asks for, and what a replica says of itself."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.app_replica import ReplicaReporter, RevisionsInUse
from services.matcher.core.look_back import MOST_TEXTS, texts_to_ask
from services.matcher.core.wildcard import fits
from services.matcher.errors import IndexBehindError

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PLATES = st.text(CHARACTERS, min_size=2, max_size=12)


def asked(*patterns: str) -> set[str]:
    texts = texts_to_ask(patterns)
    assert texts is not None
    assert list(texts) == sorted(set(texts))
    return set(texts)


@given(PLATES, st.data())
def test_a_plate_with_one_character_changed_dropped_or_added_is_asked_for(
    plate: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(plate) - 1))
    other = data.draw(st.sampled_from(CHARACTERS))

    texts = asked(plate)

    assert plate in texts
    assert plate[:place] + other + plate[place + 1 :] in texts
    assert plate[:place] + plate[place + 1 :] in texts
    added = plate[:place] + other + plate[place:]
    assert added in texts or len(plate) == 12
    assert all(1 <= len(text) <= 12 for text in texts)


def test_look_alikes_are_asked_for_in_any_number() -> None:
    assert {"0018GS2", "OOIBG5Z", "QD1B652"} <= asked("OO1BGSZ")


def test_what_is_no_likely_misreading_is_not_asked_for() -> None:
    assert "ACE3579" not in asked("WXY3579")


def test_a_pattern_asks_for_every_plate_that_it_matches_and_no_other() -> None:
    texts = asked("ABC?2?")

    assert len(texts) == 36**2
    assert all(fits("ABC?2?", text) for text in texts)


@pytest.mark.parametrize(
    "patterns",
    [["A????1"], [f"{number:07d}" for number in range(1000)], [f"A{n:05d}?" for n in range(6000)]],
    ids=["wide pattern", "many plates", "many patterns"],
)
def test_too_many_texts_are_none_so_that_every_read_is_asked_for(patterns: list[str]) -> None:
    assert texts_to_ask(patterns) is None


def test_a_hundred_plates_are_spelt_out() -> None:
    texts = asked(*(f"AB{number:05d}" for number in range(0, 60_000, 600)))

    assert 30_000 < len(texts) <= MOST_TEXTS


class Reports:
    """Keeps what a replica says."""

    def __init__(self) -> None:
        self.said: list[int] = []

    async def report(self, replica_id: uuid.UUID, revision: int) -> None:
        self.said.append(revision)

    async def leave(self, replica_id: uuid.UUID) -> None:
        self.said.append(-1)


class Loaded:
    """An index at some revision."""

    def __init__(self) -> None:
        self.revision: int | None = None


async def test_a_replica_says_the_oldest_lists_that_it_still_compares_with() -> None:
    reports, index, in_use = Reports(), Loaded(), RevisionsInUse()
    reporter = ReplicaReporter(reports, index, in_use)

    await reporter.report()
    index.revision = 3
    await reporter.report()
    with in_use.using(3):
        index.revision = 5
        with in_use.using(5):
            await reporter.report()
    await reporter.report()

    assert reports.said == [3, 3, 5]


async def test_nothing_is_compared_before_the_others_know_of_this_replica() -> None:
    in_use = RevisionsInUse()

    with pytest.raises(IndexBehindError), in_use.using(1):
        pass

    in_use.announced = True
    with in_use.using(1):
        assert in_use.oldest(2) == 1
    assert in_use.oldest(2) == 2
