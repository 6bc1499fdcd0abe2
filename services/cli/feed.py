"""Pictures from a source that has a thread of its own, through a bounded queue."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class Feed(Generic[_Item]):
    """Items of a blocking source, for an event loop.

    Args:
        source: Is run in a thread.
        most: Items that wait.
        live: Nobody can hold up a camera: when `most` items wait, the oldest is dropped and counted. Of any
            other source nothing is dropped; it waits.
    """

    def __init__(self, source: Iterable[_Item], *, most: int, live: bool) -> None:
        self.dropped = 0
        self._source = source
        self._most = most
        self._live = live
        self._waiting = deque[_Item]()
        self._changed = threading.Condition()
        self._over = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    async def items(self) -> AsyncIterator[_Item]:
        """The items, in order.

        Raises:
            Exception: What the source raised, after its last item.
        """
        self._thread.start()
        try:
            while True:
                taken = await asyncio.to_thread(self._take)
                if not taken:
                    break
                yield taken[0]
        finally:
            self._end()
        if self._error is not None:
            raise self._error

    def _take(self) -> tuple[_Item, ...]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over)
            if not self._waiting:
                return ()
            item = self._waiting.popleft()
            self._changed.notify_all()
            return (item,)

    def _run(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    break
        except Exception as error:
            # Raised where the items are taken.
            self._error = error
        finally:
            if isinstance(self._source, Iterator) and hasattr(self._source, "close"):
                self._source.close()
            self._end()

    def _put(self, item: _Item) -> bool:
        """Whether more is wanted."""
        with self._changed:
            if self._live and len(self._waiting) >= self._most:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: len(self._waiting) < self._most or self._over)
            if not self._over:
                self._waiting.append(item)
                self._changed.notify_all()
            return not self._over

    def _end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
