"""How much work is taken on: more than can be done in time or held in memory is refused at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.ocr.errors import OverloadedError
from services.ocr.metrics import FRAMES_REFUSED, WAITING_BYTES

# Weight of the last frame in the mean: the mean of about the last ten.
_WEIGHT: Final = 0.1
# Before any frame was recognised.
_FIRST_GUESS_SECONDS: Final = 0.05
_SHORTEST_RETRY_SECONDS: Final = 0.1


class Ticket:
    """A frame that was taken on; `recognised` says when it no longer stands in anybody's way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._ahead = True

    def recognised(self, seconds: float | None = None) -> None:
        """Says that recognition is over; `seconds` is how long it took, where it was done at all."""
        if self._ahead:
            self._ahead = False
            self._load.left(seconds)


class Load:
    """What is under way.

    Args:
        workers: Frames that are recognised side by side.
        most_bytes: Most bytes of images under way, from their arrival to their answer.
    """

    def __init__(self, *, workers: int, most_bytes: int) -> None:
        self._workers = workers
        self._most_bytes = most_bytes
        self._bytes = 0
        self._ahead = 0
        self._mean_seconds = _FIRST_GUESS_SECONDS

    @property
    def wait_seconds(self) -> float:
        """When a frame that came now would be recognised, from now."""
        return (self._ahead / self._workers + 1) * self._mean_seconds

    @contextmanager
    def admitted(self, size: int, seconds_left: float | None = None) -> Iterator[Ticket]:
        """Takes on a frame of `size` bytes whose caller waits for `seconds_left`; None is for ever.

        Raises:
            OverloadedError: It would be too late, or there is no room; nothing was done.
        """
        self._require(size, seconds_left)
        self._bytes += size
        self._ahead += 1
        WAITING_BYTES.set(self._bytes)
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.recognised()
            self._bytes -= size
            WAITING_BYTES.set(self._bytes)

    def left(self, seconds: float | None) -> None:
        """One frame less is ahead of others; see `Ticket.recognised`."""
        self._ahead -= 1
        if seconds is not None:
            self._mean_seconds += _WEIGHT * (seconds - self._mean_seconds)

    def _require(self, size: int, seconds_left: float | None) -> None:
        if seconds_left is not None and seconds_left < self.wait_seconds:
            FRAMES_REFUSED.labels("late").inc()
            raise OverloadedError(
                "the frame would be recognised after its deadline; nothing was done",
                retry_after_ms=self._retry_ms(),
            )
        # One frame always fits, whatever its size.
        if self._bytes and self._bytes + size > self._most_bytes:
            FRAMES_REFUSED.labels("memory").inc()
            raise OverloadedError(
                "too many images are under way; nothing was done", retry_after_ms=self._retry_ms()
            )

    def _retry_ms(self) -> int:
        """When what is under way now will be done."""
        return math.ceil(1000 * max(self.wait_seconds, _SHORTEST_RETRY_SECONDS))
