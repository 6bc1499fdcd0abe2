"""Counting what the entries of local lists match."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.errors import StorageUnavailableError
from services.matcher.app_tally import LocalTally
from services.matcher.core.entry import NO_VEHICLE, Category, Entry, Source
from services.matcher.core.index import ListHeader
from services.matcher.core.match import Match
from tests.support.clock import ManualClock

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Store:
    """Adds up what it is given, unless it is away."""

    def __init__(self) -> None:
        self.down = False
        self.counted: list[tuple[dict[uuid.UUID, int], dict[uuid.UUID, int]]] = []

    async def count(self, reads: Mapping[uuid.UUID, int], matches: Mapping[uuid.UUID, int]) -> None:
        if self.down:
            raise StorageUnavailableError("away")
        self.counted.append((dict(reads), dict(matches)))

    async def crowded(self, now: datetime, fewest: int) -> tuple[()]:
        return ()


def header(number: int, *, is_local: bool = True) -> ListHeader:
    return ListHeader(
        hot_list_id=uuid.UUID(int=number),
        name="x",
        agency_ori="IL0160000",
        source=Source.AGENCY,
        version=1,
        upload_time=NOW,
        activated_at=NOW,
        is_local=is_local,
    )


HEADERS = [header(1, is_local=False), header(2), header(3)]


def match(number: int, entry: int) -> Match:
    listed = Entry(uuid.UUID(int=entry), "ABC?23", "IL", Category.FELONY, "1", NO_VEHICLE)
    blank: Any = None
    return Match(HEADERS[number], listed, 1.0, blank, blank, ())


def a_tally(store: Any, clock: ManualClock | None = None) -> LocalTally:
    acts: Any = None
    return LocalTally(acts, store, clock or ManualClock())


@pytest.mark.clause("II.D")
async def test_reads_count_for_the_lists_that_they_were_compared_with_and_matches_once_a_read() -> None:
    store = Store()
    tally = a_tally(store)
    everywhere, third = frozenset({0, 1, 2}), frozenset({0, 2})

    tally.note_compared(
        HEADERS,
        [everywhere, everywhere, third],
        ["ABC1", "ABC2", "ABC3"],
        [(match(1, 10), match(1, 10), match(2, 20)), (match(0, 5),), (match(2, 20),)],
    )
    await tally.settle()

    assert store.counted == [
        (
            {uuid.UUID(int=2): 2, uuid.UUID(int=3): 3},
            {uuid.UUID(int=10): 1, uuid.UUID(int=20): 2},
        )
    ]


async def test_without_local_lists_nothing_is_stored() -> None:
    store = Store()
    tally = a_tally(store)

    tally.note_compared(HEADERS[:1], [frozenset({0})], ["ABC1"], [(match(0, 5),)])

    assert await tally.settle() == 0
    assert store.counted == []


async def test_what_could_not_be_stored_is_counted_the_next_time_and_once() -> None:
    store = Store()
    tally = a_tally(store)
    tally.note_compared(HEADERS, [frozenset({1})], ["ABC1"], [(match(1, 10),)])
    store.down = True
    with pytest.raises(StorageUnavailableError):
        await tally.settle()

    store.down = False
    tally.note_compared(HEADERS, [frozenset({1})], ["ABC2"], [()])
    await tally.settle()
    await tally.settle()

    assert store.counted == [({uuid.UUID(int=2): 2}, {uuid.UUID(int=10): 1})]


@pytest.mark.clause("II.D")
async def test_reads_of_one_plate_within_an_hour_are_one_match_however_many_cameras_see_it() -> None:
    store, clock = Store(), ManualClock()
    tally = a_tally(store, clock)

    def seen(*plates: str) -> None:
        times = len(plates)
        tally.note_compared(HEADERS, [frozenset({1})] * times, plates, [(match(1, 10),)] * times)

    seen("ABC123", "ABC123", "ABC923")
    await tally.settle()
    clock.advance(timedelta(minutes=59))
    seen("ABC123")
    await tally.settle()
    clock.advance(timedelta(minutes=1))
    seen("ABC123", "ABC123")
    await tally.settle()

    entry = uuid.UUID(int=10)
    assert [matches for _, matches in store.counted] == [{entry: 2}, {}, {entry: 1}]
    assert [sum(reads.values()) for reads, _ in store.counted] == [3, 1, 2]
