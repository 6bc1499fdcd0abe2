"""The word that the process is to end, and how a call hears it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from services.common.identity import Context


class Stopping:
    """Set once, when the process is told to end. Streams race against it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def is_set(self) -> bool:
        """Whether the process is to end."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Returns when the process is to end."""
        await self._event.wait()

    def set(self) -> None:
        """Tells everybody."""
        self._event.set()


_CURRENT: ContextVar[Stopping] = ContextVar("stopping")


@contextlib.contextmanager
def stopping_in_calls(stopping: Stopping) -> Iterator[None]:
    """Inside of it, and in tasks made there, `stopping_of` gives `stopping`."""
    token = _CURRENT.set(stopping)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def stopping_of(_context: Context) -> Stopping:
    """That of the server which serves the call of this context.

    Raises:
        LookupError: The call did not come through a server of `services.common.server`.
    """
    # The context asks that only code of a call can ask; gRPC's own object has no place for ours.
    return _CURRENT.get()
