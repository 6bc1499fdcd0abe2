"""Time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Says what time it is; tests bring their own."""

    def now(self) -> datetime:
        """The time now, with UTC as its zone."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The time now, with UTC as its zone."""
        return datetime.now(UTC)
