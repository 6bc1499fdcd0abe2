"""A clock that tests set by hand."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was set to, UTC."""
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Moves it by `step` and returns the new time."""
        self._now += step
        return self._now

    def set(self, moment: datetime) -> None:
        """Moves it to `moment`, forward or back."""
        self._now = moment
