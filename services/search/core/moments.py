"""Moments as page tokens count them; services.common.canonical.to_microseconds goes the other way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_microseconds(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970-01-01T00:00:00Z, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
