"""What was read from the registry is used again while it stands, and never longer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.audit.remembered import Found, Remembered, SharedRead

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


class Source:
    """Gives numbers, and says how often it was asked."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.begun = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        self.begun.set()
        seen = self.value
        await asyncio.sleep(0)
        return seen

    async def found(self) -> Found[int]:
        return Found(await self.read())


async def test_all_who_ask_before_a_read_begins_share_it() -> None:
    source = Source()
    shared = SharedRead(source.read)

    assert await asyncio.gather(*(shared() for _ in range(50))) == [0] * 50
    assert source.reads == 1


async def test_who_asks_while_a_read_is_under_way_gets_a_later_one() -> None:
    source = Source()
    shared = SharedRead(source.read)
    early = asyncio.create_task(shared())
    await source.begun.wait()
    source.value = 1

    assert await shared() == 1
    assert await early == 0


async def test_a_read_that_fails_fails_for_all_who_waited_and_the_next_is_a_new_one() -> None:
    answers = iter([OSError("gone"), 7])

    async def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SharedRead(read)

    failed = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [type(one) for one in failed] == [OSError, OSError]
    assert await shared() == 7


async def test_who_gives_up_takes_the_read_from_nobody_else() -> None:
    source = Source()
    shared = SharedRead(source.read)
    leaving, staying = asyncio.create_task(shared()), asyncio.create_task(shared())
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 0
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_value_is_read_once_while_the_registry_stands() -> None:
    source = Source()
    held = Remembered(source.read)

    for _ in range(3):
        assert await held.get("a", 5, NOW, source.found) == 0
    assert source.reads == 1


@pytest.mark.parametrize(
    ("revision", "now"),
    [(6, NOW), (4, NOW), (5, NOW + timedelta(seconds=60)), (5, NOW - timedelta(seconds=1))],
    ids=["moved on", "went back", "a minute old", "a clock that went back"],
)
async def test_a_value_of_another_revision_or_time_is_read_anew(revision: int, now: datetime) -> None:
    source = Source()
    held = Remembered(source.read)
    await held.get("a", 5, NOW, source.found)
    source.value = 1

    assert await held.get("a", revision, now, source.found) == 1


async def test_a_value_is_held_no_longer_than_it_can_stand() -> None:
    source = Source()
    held = Remembered(source.read)

    async def until_soon() -> Found[int]:
        return Found(await source.read(), NOW + timedelta(seconds=2))

    await held.get("a", 5, NOW, until_soon)
    await held.get("a", 5, NOW + timedelta(seconds=1), until_soon)
    assert source.reads == 1
    await held.get("a", 5, NOW + timedelta(seconds=2), until_soon)
    assert source.reads == 2


async def test_what_is_forgotten_is_read_anew() -> None:
    source = Source()
    held = Remembered(source.read)
    await held.get("a", 5, NOW, source.found)

    held.forget("a")
    await held.get("a", 5, NOW, source.found)
    assert source.reads == 2


async def test_a_revision_that_was_read_is_the_newest_known() -> None:
    source = Source()
    held = Remembered(source.read)
    assert held.newest is None
    source.value = 9

    assert await held.revision() == 9 == held.newest
