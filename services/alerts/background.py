"""What runs beside the calls: the feed's tailer, the outbox's drainer, the timers, and what wakes them."""

import asyncio
from contextlib import AsyncExitStack

from services.alerts.bells import Bells
from services.alerts.feed import Feed
from services.alerts.outbox import OutboxDrainer
from services.alerts.timers import TimerWatch
from services.common.pg import Listener


class Background:
    """Tasks of the process, from `start` to `stop`."""

    def __init__(
        self, database_url: str, feed: Feed, drainer: OutboxDrainer, timers: TimerWatch, bells: Bells
    ) -> None:
        self._feed = feed
        self._works = (feed.run, drainer.run, timers.run)
        self._listeners = (
            Listener(database_url, "alerts_feed", lambda _: feed.wake()),
            Listener(database_url, "alerts_outbox", lambda _: drainer.wake()),
            Listener(database_url, "alerts_dispatch", bells.ring),
        )
        self._stack = AsyncExitStack()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Returns when the feed is known. Raises StorageUnavailableError when it cannot be read."""
        await self._feed.start()
        for listener in self._listeners:
            await self._stack.enter_async_context(listener)
        self._tasks = tuple(asyncio.create_task(work()) for work in self._works)

    async def stop(self) -> None:
        """Returns when all has ended. What the outbox still holds is sent by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
