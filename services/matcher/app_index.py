"""Keeps the index in memory at the database's revision, or refuses to be used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from services.common.clock import Clock
from services.matcher.core.index import ActiveList, Index
from services.matcher.core.scope import Scope
from services.matcher.errors import IndexBehindError
from services.matcher.metrics import INDEX_CONFIRMED, INDEX_ENTRIES, INDEX_REVISION, STORED_REVISION

if TYPE_CHECKING:
    import uuid

    from services.matcher.core.index import ListIndex

log = structlog.get_logger()

TRUSTED_S: Final = 30.0
"""How long after it was last known to be the newest an index may be used."""
_POLL_S: Final = 1.0


class Lists(Protocol):
    """Where the active lists are stored. All raise StorageUnavailableError."""

    async def load(
        self, loaded: Mapping[tuple[uuid.UUID, int], ListIndex]
    ) -> tuple[int, tuple[ActiveList, ...]]:
        """The revision and the active lists at it."""

    async def revision(self) -> int:
        """The stored revision."""

    async def scope(self) -> Scope:
        """Which lists are compared on which sensors, at the stored revision or a newer one."""


class IndexFollower:
    """The index of this replica. `follow` runs for the life of the process."""

    def __init__(self, lists: Lists, clock: Clock, home_state: str = "") -> None:
        self._lists = lists
        self._home_state = home_state
        self._clock = clock
        self._index: Index | None = None
        self._newest_at = float("-inf")
        self._changed = asyncio.Condition()
        self._woken = asyncio.Event()

    def wake(self, _: str | None = None) -> None:
        """Has the stored revision looked at now, not within the second."""
        self._woken.set()

    def current(self) -> Index:
        """The index.

        Raises:
            IndexBehindError: Nothing is loaded, or for 30 seconds nobody could say that it is the newest: a
                newer one is still being loaded, or the database cannot be reached. A missed hit is worse
                than a read that waits.
        """
        if self._index is None or _monotonic() - self._newest_at > TRUSTED_S:
            raise IndexBehindError("the hot lists in memory may be out of date", retry_after_ms=1000)
        return self._index

    @property
    def revision(self) -> int | None:
        """The revision in memory, trusted or not; None while nothing is loaded."""
        return self._index.revision if self._index else None

    async def check(self) -> None:
        """Returns while `current` answers; for health checks. Raises IndexBehindError."""
        self.current()

    async def reach(self, revision: int, timeout_s: float) -> None:
        """Returns when the index is at `revision` or newer. Raises IndexBehindError after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self._index and self._index.revision >= revision)
        except TimeoutError:
            raise IndexBehindError("the change is stored, but not yet in memory here") from None

    async def follow(self) -> None:
        """Follows the stored revision for ever; what fails is noted and tried again."""
        while True:
            try:
                await self._catch_up()
            except Exception as error:
                log.warning("index_not_followed", exc_info=error)
            # A notification can be lost with its connection; the question cannot.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _POLL_S)

    async def _catch_up(self) -> None:
        self._woken.clear()
        asked_at = _monotonic()
        revision = await self._lists.revision()
        STORED_REVISION.set(revision)
        if self._index is None or self._index.revision < revision:
            await self._load()
            # What was loaded is as old as its load was long: ask at once whether it is still the newest.
            self._woken.set()
        else:
            self._newest_at = asked_at
            INDEX_CONFIRMED.set_to_current_time()

    async def _load(self) -> None:
        """Builds the next index aside and swaps it in; the lists that did not change are shared."""
        asked_at = _monotonic()
        loaded = self._index.loaded() if self._index else {}
        revision, lists = await self._lists.load(loaded)
        # Read after the lists: what is as new as a revision or newer may be used with it.
        scope, now = await self._lists.scope(), self._clock.now()
        index = await asyncio.to_thread(Index, revision, now, lists, scope, self._index, self._home_state)
        async with self._changed:
            self._index, self._newest_at = index, asked_at
            INDEX_CONFIRMED.set_to_current_time()
            self._changed.notify_all()
        INDEX_REVISION.set(revision)
        INDEX_ENTRIES.set(index.entry_count)
        log.info("hot_lists_loaded", revision=revision, entries=index.entry_count, plates=index.plate_count)


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
