"""Commits that share a flush."""

import asyncio
import contextvars
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import StoppingError, StorageUnavailableError
from services.common.groupcommit import GroupCommit


class Disk:
    """A flush that tests hold up and let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0

    async def flush(self, batch: Sequence[int]) -> Sequence[int | Exception]:
        """Twice each item; an error for a negative one; raises for a batch with 0 in it."""
        self.under_way += 1
        assert self.under_way == 1
        self.batches.append(list(batch))
        await self.gate.wait()
        await asyncio.sleep(0)
        self.under_way -= 1
        if 0 in batch:
            raise OSError
        return [KeyError(item) if item < 0 else 2 * item for item in batch]


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@settings(max_examples=60)
@given(
    items=st.lists(st.integers(-3, 50), max_size=60),
    cancelled=st.sets(st.integers(0, 59)),
    most_in_batch=st.integers(1, 8),
    pauses=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_every_submitter_gets_its_own_answer_or_its_batchs_error(
    items: list[int], cancelled: set[int], most_in_batch: int, pauses: list[bool]
) -> None:
    async def scenario() -> None:
        disk = Disk()
        commits = GroupCommit(disk.flush, most_in_batch=most_in_batch)
        tasks = []
        for item, pause in zip(items, pauses, strict=False):
            tasks.append(asyncio.create_task(commits.submit(item)))
            if pause:
                await asyncio.sleep(0)
        for n in cancelled & set(range(len(tasks))):
            tasks[n].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await commits.close()

        flushed = [item for batch in disk.batches for item in batch]
        assert all(0 < len(batch) <= most_in_batch for batch in disk.batches)
        for n, (item, answer) in enumerate(zip(items, answers, strict=True)):
            if isinstance(answer, asyncio.CancelledError):
                assert n in cancelled
            elif isinstance(answer, OSError):
                assert any(item in batch and 0 in batch for batch in disk.batches)
            elif isinstance(answer, KeyError):
                assert answer.args == (item,)
                assert item < 0
            else:
                assert answer == 2 * item
        kept = [item for n, item in enumerate(items) if n not in cancelled]
        remaining = iter(flushed)
        assert all(item in remaining for item in kept), "in the order of submission, none lost"
        assert len(flushed) <= len(items)

    asyncio.run(scenario())


async def test_a_lone_item_is_flushed_at_once_and_those_that_come_meanwhile_together() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush)

    first = asyncio.create_task(commits.submit(1))
    await _settle()
    others = [asyncio.create_task(commits.submit(n)) for n in (2, 3, 4)]
    await _settle()
    assert disk.batches == [[1]]
    disk.gate.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert disk.batches == [[1], [2, 3, 4]]


async def test_a_submitter_that_is_cancelled_in_the_flush_leaves_the_others_theirs() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush)
    blocker = asyncio.create_task(commits.submit(1))
    await _settle()
    tasks = [asyncio.create_task(commits.submit(n)) for n in (2, 3)]
    await _settle()
    disk.gate.set()
    while len(disk.batches) < 2:  # noqa: ASYNC110 - the flush is to be caught half way
        await asyncio.sleep(0)

    tasks[0].cancel()

    assert await tasks[1] == 6
    assert await blocker == 2
    assert tasks[0].cancelled()
    assert disk.batches == [[1], [2, 3]]


async def test_a_submitter_that_is_cancelled_before_the_flush_takes_its_item_back() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush)
    blocker = asyncio.create_task(commits.submit(1))
    await _settle()
    taken_back = asyncio.create_task(commits.submit(2))
    kept = asyncio.create_task(commits.submit(3))
    await _settle()

    taken_back.cancel()
    disk.gate.set()

    assert (await blocker, await kept) == (2, 6)
    assert disk.batches == [[1], [3]]


async def test_one_item_more_than_may_wait_is_refused_and_the_others_are_not() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush, most_waiting=2)
    blocker = asyncio.create_task(commits.submit(1))
    await _settle()
    waiting = [asyncio.create_task(commits.submit(n)) for n in (2, 3)]
    await _settle()

    with pytest.raises(StorageUnavailableError):
        await commits.submit(4)

    disk.gate.set()
    assert await asyncio.gather(blocker, *waiting) == [2, 4, 6]


async def test_close_answers_what_was_submitted_and_takes_nothing_more() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush, most_in_batch=1)
    tasks = [asyncio.create_task(commits.submit(n)) for n in (1, 2, 3)]
    await _settle()

    closing = asyncio.create_task(commits.close())
    await _settle()
    with pytest.raises(StoppingError):
        await commits.submit(4)
    assert not closing.done()
    disk.gate.set()
    await closing

    assert [task.result() for task in tasks] == [2, 4, 6]


async def test_giving_up_a_close_does_not_tear_the_flush() -> None:
    disk = Disk()
    disk.gate.clear()
    commits = GroupCommit(disk.flush)
    task = asyncio.create_task(commits.submit(1))
    await _settle()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await commits.close()
    disk.gate.set()

    assert await task == 2


async def test_close_without_any_work_returns() -> None:
    await GroupCommit(Disk().flush).close()


async def test_a_flush_that_is_cancelled_from_inside_fails_all_who_wait_and_the_next_one_works() -> None:
    calls = 0

    async def flush(batch: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise asyncio.CancelledError
        return batch

    commits = GroupCommit(flush, most_in_batch=1)
    answers = await asyncio.gather(*(commits.submit(n) for n in (1, 2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [StorageUnavailableError, StorageUnavailableError]
    assert await commits.submit(3) == 3


async def test_a_flush_with_another_number_of_results_answers_nobody_wrongly() -> None:
    async def flush(batch: Sequence[int]) -> Sequence[int]:
        return [*batch, 99]

    with pytest.raises(RuntimeError, match="another number"):
        await GroupCommit(flush).submit(1)


async def test_the_worker_has_nothing_of_the_call_that_started_it() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("of_a_call")
    seen = []

    async def flush(batch: Sequence[int]) -> Sequence[int]:
        seen.append(variable.get("nothing"))
        return batch

    variable.set("request 1")
    await GroupCommit(flush).submit(1)

    assert seen == ["nothing"]


async def test_what_comes_in_the_pause_after_a_flush_of_several_goes_together() -> None:
    disk = Disk()
    commits = GroupCommit(disk.flush, pace_seconds=0.2)
    await asyncio.gather(*(commits.submit(item) for item in (1, 2, 3)))

    later = []
    for item in range(4, 9):
        later.append(asyncio.create_task(commits.submit(item)))
        await _settle()

    assert len(disk.batches) == 1
    assert await asyncio.gather(*later) == [8, 10, 12, 14, 16]
    assert disk.batches == [[1, 2, 3], [4, 5, 6, 7, 8]]


async def test_one_who_submits_alone_waits_for_no_pace() -> None:
    disk = Disk()
    commits = GroupCommit(disk.flush, pace_seconds=3600)

    assert [await commits.submit(item) for item in (1, 2, 3)] == [2, 4, 6]
    await commits.close()
