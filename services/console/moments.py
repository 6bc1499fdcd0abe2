"""Moments that people write in forms: in their own time where the page's script runs, else in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import to_timestamp
from services.console.door import Person


def written(person: Person, name: str) -> str:
    """What the form says of the moment `name`, to be shown again as it was; "" where nothing was written."""
    return person.field(f"{name}_utc") or person.field(name)


def moment(person: Person, name: str) -> Timestamp | None:
    """The moment `name` of the form; None where nothing was written.

    Raises:
        InvalidFieldError: It is none.
    """
    text = written(person, name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return to_timestamp(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        wrong = FieldViolation(name, "is no moment; write it as 2026-12-01T06:30")
        raise InvalidFieldError("a moment cannot be read", violations=[wrong]) from None


def in_days(days: float) -> str:
    """The moment in so many days from now, as forms say it."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
