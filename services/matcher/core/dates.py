"""Dates as the sources write them, and whether they can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from services.matcher.core.entry import ListRow, NoteKind, Parsed, RowNote

# NCIC began in this year; no source has an entry that is older.
_FIRST: Final = date(1967, 1, 1)
# A source's clock may stand in another time zone.
_SLACK: Final = timedelta(days=1)
_IMPOSSIBLE: Final = date.min
_DOUBT: Final = "no such day, before 1967, or in the future: the entry is taken as of unknown age"


def from_mmddyy(digits: str) -> date | None:
    """The day that six digits name, in the century that POSIX gives them; None for none.

    What names no day comes back as one that `with_believable_date` takes for none.
    """
    return _day(century(int(digits[4:])), int(digits[:2]), int(digits[2:4])) if digits else None


def from_yyyymmdd(digits: str) -> date | None:
    """The day that eight digits name; None for none. For what names no day see `from_mmddyy`."""
    return _day(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits else None


def century(short: int) -> int:
    """The year that two digits mean: 69 to 99 are of the last century (POSIX strptime, %y)."""
    return short + (1900 if short >= 69 else 2000)  # noqa: PLR2004 - POSIX


def with_believable_date(row: Parsed, number: int, column: str, today: date) -> Iterator[Parsed]:
    """`row`, after a note and without its date when that cannot be right.

    A date in 1900 or 2999 is a slip of whoever entered the record. The plate is wanted all the same, and a
    list is taken whole or not at all, so that a slip must not keep all other entries out.
    """
    if isinstance(row, ListRow) and row.entry_date and not _FIRST <= row.entry_date <= today + _SLACK:
        yield RowNote(number, column, _DOUBT, NoteKind.DOUBTFUL)
        row = replace(row, entry_date=None)
    yield row


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        return _IMPOSSIBLE
