"""The index that follows the database, and the stream that overlaps its batches."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest

from services.common.errors import StorageUnavailableError
from services.common.stopping import Stopping
from services.matcher import app_index
from services.matcher.app_index import IndexFollower
from services.matcher.core.columns import columns_of
from services.matcher.core.entry import Source
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndex
from services.matcher.core.scope import Scope
from services.matcher.errors import IndexBehindError
from services.matcher.pipeline import Pipeline
from tests.support.clock import ManualClock

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIST = uuid.UUID(int=1)
# Compiles what an index is made with, so that none of the tests below waits for it.
Index(0, NOW, ())


class Stored:
    """Lists at a revision that tests set; each load makes a new version of one list."""

    def __init__(self) -> None:
        self.at = 1
        self.down = False
        self.loads: list[Mapping[tuple[uuid.UUID, int], ListIndex]] = []
        self.let_load = asyncio.Event()
        self.let_load.set()

    async def revision(self) -> int:
        if self.down:
            raise StorageUnavailableError("away")
        return self.at

    async def scope(self) -> Scope:
        return Scope()

    async def load(
        self, loaded: Mapping[tuple[uuid.UUID, int], ListIndex]
    ) -> tuple[int, tuple[ActiveList, ...]]:
        self.loads.append(loaded)
        await self.let_load.wait()
        header = ListHeader(LIST, "x", "IL0160000", Source.LEADS, self.at, NOW, NOW)
        return self.at, (ActiveList(header, ListIndex(columns_of([]))),)


@pytest.fixture
async def stored() -> Stored:
    return Stored()


@pytest.fixture
async def follower(stored: Stored) -> AsyncIterator[IndexFollower]:
    made = IndexFollower(stored, ManualClock())
    task = asyncio.create_task(made.follow())
    yield made
    task.cancel()
    await asyncio.wait({task})


async def test_nothing_is_answered_before_the_first_load(stored: Stored) -> None:
    follower = IndexFollower(stored, ManualClock())

    with pytest.raises(IndexBehindError):
        follower.current()


async def test_a_wake_up_loads_at_once_and_hands_over_what_is_loaded(
    follower: IndexFollower, stored: Stored
) -> None:
    await follower.reach(1, 1)
    stored.at = 2
    follower.wake("2")

    await follower.reach(2, 0.5)

    assert follower.current().revision == 2
    assert list(stored.loads[1]) == [(LIST, 1)]


async def test_a_change_without_a_notification_is_seen_within_a_second_or_so(
    follower: IndexFollower, stored: Stored
) -> None:
    await follower.reach(1, 1)
    stored.at = 2

    await follower.reach(2, 1.5)


async def test_the_old_index_answers_while_the_new_one_loads_but_not_for_ever(
    follower: IndexFollower, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_index, "TRUSTED_S", 0.8)
    await follower.reach(1, 1)
    stored.let_load.clear()
    stored.at = 2
    follower.wake()
    await asyncio.sleep(0.1)

    assert follower.current().revision == 1
    await asyncio.sleep(0.8)
    with pytest.raises(IndexBehindError):
        follower.current()
    with pytest.raises(IndexBehindError):
        await follower.reach(2, 0.1)
    stored.let_load.set()
    await follower.reach(2, 1)
    await asyncio.sleep(0.05)
    assert follower.current().revision == 2


async def test_an_index_that_nobody_can_confirm_is_not_used(
    follower: IndexFollower, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_index, "TRUSTED_S", 1.2)
    await follower.reach(1, 1)
    stored.down = True
    follower.wake()
    await asyncio.sleep(1.4)

    with pytest.raises(IndexBehindError):
        await follower.check()
    stored.down = False
    follower.wake()
    await asyncio.sleep(0.05)
    await follower.check()


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_a_pipeline_answers_in_order_whatever_ends_first() -> None:
    async def handle(number: int) -> int:
        await asyncio.sleep(0.02 * (3 - number % 4))
        return number

    answers = [one async for one in Pipeline(4, Stopping()).run(numbers(12), handle)]

    assert answers == list(range(12))


async def test_a_pipeline_that_fails_ends_what_is_under_way() -> None:
    ended: list[int] = []

    async def handle(number: int) -> int:
        if number == 1:
            raise StorageUnavailableError("away")
        try:
            await asyncio.sleep(0.02 if number == 0 else 60)
        finally:
            ended.append(number)
        return number

    answers = []
    with pytest.raises(StorageUnavailableError):
        async for one in Pipeline(4, Stopping()).run(numbers(12), handle):
            answers.append(one)
    await asyncio.sleep(0)

    assert answers == [0]
    assert sorted(ended) == [0, 2, 3, 4] or sorted(ended) == [0, 2, 3]


async def test_a_pipeline_that_is_to_stop_takes_no_more_and_answers_the_rest() -> None:
    stopping = Stopping()

    async def handle(number: int) -> int:
        if number == 1:
            stopping.set()
        await asyncio.sleep(0.05)
        return number

    answers = [one async for one in Pipeline(2, stopping).run(numbers(50), handle)]

    assert answers == list(range(len(answers)))
    assert 2 <= len(answers) < 10
