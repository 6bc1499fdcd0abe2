"""Commits that share a flush (ADR-0005)."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from services.common import metrics, tracing
from services.common.errors import StoppingError, StorageUnavailableError

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# An item, its answer, and the trace that it is a part of.
_Submitted: TypeAlias = "tuple[_Item, asyncio.Future[_Result], SpanContext | None]"

_MOST_IN_BATCH: Final = 256
_MOST_WAITING: Final = 8192


class GroupCommit(Generic[_Item, _Result]):
    """Gathers what is submitted while a flush is under way, and flushes it together when that one returns.

    Alone, an item is flushed at once; under load batches grow until the disk keeps up. One flush runs at a
    time, in the order of submission.

    Args:
        flush: Given the items of a batch, gives one result for each, in order; an Exception among the results
            goes to that item's submitter alone. When it raises, every submitter of the batch gets that error.
        most_in_batch: Items of one flush.
        most_waiting: Items not yet in a flush; one more is refused.
        name: What metrics call it.
        pace_seconds: After a flush of several items the next begins no sooner than this after it began. For
            flushes that cost the processor more than the disk: there would be many small ones.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result | Exception]]],
        *,
        most_in_batch: int = _MOST_IN_BATCH,
        most_waiting: int = _MOST_WAITING,
        name: str = "writes",
        pace_seconds: float = 0.0,
    ) -> None:
        self._flush = flush
        self._most_in_batch = most_in_batch
        self._most_waiting = most_waiting
        self._pace_seconds = pace_seconds
        self._items = metrics.COMMIT_ITEMS.labels(name)
        self._seconds = metrics.COMMIT_SECONDS.labels(name)
        self._queued = metrics.COMMIT_WAITING.labels(name)
        self._name = f"commit.{name}"
        self._waiting: deque[_Submitted[_Item, _Result]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: _Item) -> _Result:
        """What the flush answered for `item`, after it returned.

        A submitter that is cancelled before its item is in a flush takes the item back. After that it only
        stops waiting: whether the item is stored is then not known, as after any lost answer.

        Raises:
            StorageUnavailableError: Too many items wait already.
            StoppingError: `close` was called.
            Exception: What the flush raised, or gave for this item.
        """
        if self._closed:
            raise StoppingError("the service is stopping; nothing was stored; try another replica")
        if len(self._waiting) >= self._most_waiting:
            raise StorageUnavailableError("too many writes are waiting; nothing was stored; try again")
        answer: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer, tracing.carrier()))
        if self._worker is None or self._worker.done():
            # In a context of its own: the worker outlives the call that happened to start it.
            self._worker = asyncio.create_task(self._work(), context=contextvars.Context())
        return await answer

    async def close(self) -> None:
        """Returns when everything submitted has its answer; nothing more is taken."""
        self._closed = True
        if self._worker is not None:
            # Not awaited itself: whoever gives up waiting for the close must not tear a commit.
            await asyncio.wait({self._worker})

    async def _work(self) -> None:
        while batch := self._next_batch():
            began = time.monotonic()
            self._queued.set(len(self._waiting))
            await self._flush_batch(batch)
            self._items.inc(len(batch))
            self._seconds.observe(time.monotonic() - began)
            left = began + self._pace_seconds - time.monotonic()
            if len(batch) > 1 and left > 0 and not self._closed:
                await asyncio.sleep(left)

    def _next_batch(self) -> list[_Submitted[_Item, _Result]]:
        batch: list[_Submitted[_Item, _Result]] = []
        while self._waiting and len(batch) < self._most_in_batch:
            submitted = self._waiting.popleft()
            if not submitted[1].done():
                batch.append(submitted)
        return batch

    async def _flush_batch(self, batch: list[_Submitted[_Item, _Result]]) -> None:
        results: Sequence[_Result | Exception]
        try:
            with tracing.joined(self._name, (trace for *_, trace in batch)):
                results = await self._flush([item for item, *_ in batch])
        except asyncio.CancelledError:
            # Somebody ended the worker or what it waited for. A submitter must neither wait for ever nor take
            # this for a cancellation of its own.
            _answer_all([*batch, *self._waiting], _interrupted())
            self._waiting.clear()
            raise
        except Exception as error:
            _answer_all(batch, error)
            return
        if len(results) != len(batch):
            _answer_all(batch, RuntimeError("the flush gave another number of results"))
            return
        for (_, answer, _), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)


def _answer_all(batch: Iterable[_Submitted[_Item, _Result]], error: Exception) -> None:
    for _, answer, _ in batch:
        if not answer.done():
            answer.set_exception(error)


def _interrupted() -> StorageUnavailableError:
    return StorageUnavailableError("the write was interrupted; whether it is stored is not known; try again")
