"""Work on the items of a stream side by side, with the results in the order of the items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from services.common.stopping import Stopping

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def in_order(
    items: AsyncIterator[_Item],
    work: Callable[[_Item], Awaitable[_Result]],
    *,
    most: int,
    stopping: Stopping,
) -> AsyncGenerator[_Result]:
    """The results of `work` for each of `items`, in their order, at most `most` under way.

    Items are not read faster than results are taken, so that a slow reader slows its own sender. When the
    process is to end, no further item is read, and what is under way is still given.
    """
    started: asyncio.Queue[asyncio.Task[_Result] | None] = asyncio.Queue()
    room = asyncio.Semaphore(most)
    tasks: set[asyncio.Task[_Result]] = set()

    async def feed() -> None:
        async for item in items:
            await room.acquire()
            task = asyncio.ensure_future(work(item))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            started.put_nowait(task)

    async def feed_until_stopping() -> None:
        feeding, told = asyncio.ensure_future(feed()), asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({feeding, told}, return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                feeding.result()
        finally:
            feeding.cancel()
            told.cancel()
            started.put_nowait(None)

    feeder = asyncio.create_task(feed_until_stopping())
    try:
        while (task := await started.get()) is not None:
            yield await task
            room.release()
        await feeder
    finally:
        for unfinished in (feeder, *tasks):
            unfinished.cancel()
        await asyncio.gather(feeder, *tasks, return_exceptions=True)
