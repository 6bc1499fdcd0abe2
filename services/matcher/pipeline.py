"""Requests of a stream that are worked on side by side and answered in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Stopping(Protocol):
    """Says that the process is to end."""

    async def wait(self) -> object:
        """Returns when it is."""


class Pipeline:
    """Works on up to `depth` requests of one stream at a time, and reads no more until one is answered."""

    def __init__(self, depth: int, stopping: Stopping) -> None:
        self._depth = depth
        self._stopping = stopping

    async def run(
        self, requests: AsyncIterator[_Request], handle: Callable[[_Request], Awaitable[_Response]]
    ) -> AsyncGenerator[_Response]:
        """The answers in the order of `requests`.

        The first request that fails ends the stream with its error, after the answers before it. When the
        process is to end no further request is taken; those under way are still answered.
        """
        waiting: asyncio.Queue[asyncio.Task[_Response] | None] = asyncio.Queue()
        slots = asyncio.Semaphore(self._depth)
        tasks: set[asyncio.Task[_Response]] = set()

        async def take() -> None:
            try:
                async for request in requests:
                    await slots.acquire()
                    waiting.put_nowait(_started(handle(request), tasks))
            finally:
                waiting.put_nowait(None)

        taker = asyncio.create_task(take())
        stopper = asyncio.create_task(self._stop(taker))
        try:
            while (task := await waiting.get()) is not None:
                yield await task
                slots.release()
            await asyncio.wait({taker})
            if not taker.cancelled():
                taker.result()
        finally:
            for one in (stopper, taker, *tasks):
                one.cancel()

    async def _stop(self, taker: asyncio.Task[None]) -> None:
        await self._stopping.wait()
        taker.cancel()


def _started(work: Awaitable[_Response], tasks: set[asyncio.Task[_Response]]) -> asyncio.Task[_Response]:
    """A task that is in `tasks` while it is under way."""

    async def run() -> _Response:
        return await work

    def forget(task: asyncio.Task[_Response]) -> None:
        tasks.discard(task)
        # Looked at here, or asyncio complains of errors behind the one that ended the stream.
        _ = task.cancelled() or task.exception()

    task = asyncio.create_task(run())
    tasks.add(task)
    task.add_done_callback(forget)
    return task
