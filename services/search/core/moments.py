"""Moments as the permit counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Whole microseconds from the epoch to `moment`, exactly: a float of seconds would lose the last digit."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds_since_epoch: int) -> datetime:
    """The moment, in UTC; the reverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=microseconds_since_epoch)
