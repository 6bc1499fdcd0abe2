"""Ends timers when their time is over. Every replica does it, and the database takes each end once."""

import asyncio
import time

import structlog

from services.alerts.core.timers import Deadlines
from services.alerts.store_timers import EndTimers, TimerStore
from services.alerts.store_writer import Change, Done
from services.common.groupcommit import GroupCommit

log = structlog.get_logger()

_TICK_SECONDS = 0.5
# How often all running timers are asked for again: what other replicas have ended is forgotten, and what a
# restored database numbers anew is found.
_ANEW_SECONDS = 60.0
_MOST_AT_ONCE = 50


class TimerWatch:
    """Follows the running timers until it is cancelled."""

    def __init__(self, store: TimerStore, writes: GroupCommit[Change, Done]) -> None:
        self._store = store
        self._writes = writes
        self._deadlines = Deadlines()
        self._last = 0
        self._asked_anew = float("-inf")

    async def run(self) -> None:
        """Never returns. A failure is logged and tried again: a timer that was not ended stays over."""
        while True:
            try:
                more = await self._once()
            except Exception as error:  # whatever it was, who waits for an answer needs the next try
                log.warning("timers_wait", error=type(error).__name__)
                more = False
            if not more:
                await asyncio.sleep(_TICK_SECONDS)

    async def _once(self) -> bool:
        """Whether more timers are over than were ended at once."""
        await self._learn(time.monotonic())
        over = self._deadlines.due(time.monotonic(), _MOST_AT_ONCE)
        if over:
            await self._writes.submit(EndTimers(over))
            self._deadlines.drop(over)
        return len(over) == _MOST_AT_ONCE

    async def _learn(self, now: float) -> None:
        anew = now - self._asked_anew >= _ANEW_SECONDS
        running = await self._store.running(0 if anew else self._last)
        if anew:
            self._deadlines.keep(running)
            self._asked_anew, self._last = now, 0
        # The answer took its time: what is left is counted from when it was asked for, so never too long.
        self._deadlines.learn(running, now)
        self._last = max([self._last, *running])
