"""What was read from the registry, for as long as the registry stands as it stood then.

Every question is decided by accounts, agreements and settings as they are at that moment. To read them for
each question is most of the work, and they change seldom. So one number is looked at instead, which the
database moves on in the transaction of every change (sql/0045_registry_moves.sql): by the statement that
records the question, or in a read that all share who ask meanwhile (ADR 0042).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

_Value = TypeVar("_Value")

# A database that was restored may count to the same number again, with other content.
_LONGEST: Final = timedelta(seconds=60)
_MOST_HELD: Final = 10_000


class SharedRead(Generic[_Value]):
    """One read for all who ask before it begins: an answer is never older than the question."""

    def __init__(self, read: Callable[[], Awaitable[_Value]]) -> None:
        self._read = read
        self._next: asyncio.Task[_Value] | None = None
        self._reading = asyncio.Lock()

    async def __call__(self) -> _Value:
        """What the read gives, begun after this was called.

        Raises:
            Exception: What the read raised.
        """
        if self._next is None:
            # In a context of its own: it outlives the call that happened to start it.
            self._next = asyncio.create_task(self._run(), context=contextvars.Context())
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _run(self) -> _Value:
        async with self._reading:
            self._next = None  # whoever comes from here on needs a later one
            return await self._read()


def _heard(task: asyncio.Task[_Value]) -> None:
    """Takes note of an error that all who waited for it have gone away from."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class Found(Generic[_Value]):
    """What was read, and until when it can stand, if nothing changes; None where time does not matter."""

    value: _Value
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    revision: int
    start: datetime
    end: datetime
    value: Any


class Remembered:
    """Values by key, each with the revision of the registry that it was read at or after."""

    def __init__(self, revision: Callable[[], Awaitable[int]]) -> None:
        self._revision = SharedRead(revision)
        self._held: dict[Hashable, _Held] = {}
        self.newest: int | None = None

    async def revision(self) -> int:
        """The registry's revision, read after this was called; `newest` is then that one."""
        self.newest = await self._revision()
        return self.newest

    async def get(
        self, key: Hashable, revision: int, now: datetime, read: Callable[[], Awaitable[Found[_Value]]]
    ) -> _Value:
        """The value as it stands at `revision` or later, read only if it is not held.

        Args:
            key: What is asked for.
            revision: What `self.revision` gave, or `newest`.
            now: The moment that is asked about.
            read: Reads it.
        """
        held = self._held.get(key)
        if held and held.revision == revision and held.start <= now < held.end:
            return held.value  # type: ignore[no-any-return]
        found = await read()
        end = now + _LONGEST if found.until is None else min(found.until, now + _LONGEST)
        self.forget(key)
        if len(self._held) >= _MOST_HELD:
            del self._held[next(iter(self._held))]
        self._held[key] = _Held(revision, now, end, found.value)
        return found.value

    def forget(self, key: Hashable) -> None:
        """Has the value read anew by whoever asks next."""
        self._held.pop(key, None)
