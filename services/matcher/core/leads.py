"""The Illinois LEADS hot file: fixed columns, ISO 8859-1, one entry a line.

Columns (from 0, end exclusive): plate 0-8, state 8-10, NCIC plate type 10-12, list 12-19. STOLEN rows go
on with labelled vehicle fields, MISSING and WANTED rows with a person's data in 19-77 and the LEADS number
from 81.
A person's data is cut out of the line before anything looks at it: a read or hit identifies a plate, never a
person (ENF-051 IV.C.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.matcher.core.category_map import LEADS_PERSON_LISTS, LEADS_STOLEN
from services.matcher.core.dates import century, from_mmddyy
from services.matcher.core.entry import (
    NO_VEHICLE,
    Category,
    ListRow,
    Parsed,
    ParseOptions,
    RowError,
    Vehicle,
    is_state,
)
from services.matcher.core.fixed import each_row, with_letter_o

_LIST: Final = slice(12, 19)
# Label, where it stands, and where its value ends.
_STOLEN_FIELDS: Final = (
    ("VYR/", 19, 26),
    ("VMA/", 26, 35),
    ("VMO/", 35, 43),
    ("VST/", 43, 50),
    ("VCO/", 50, 62),
    ("DOT/", 62, 73),
    ("LDS/", 73, 85),
)
_STOLEN_WIDTH: Final = 85
_PERSON_NUMBER: Final = 81
_DATE_COLUMN: Final = "67"

_PLATE: Final = re.compile(r"[A-Z0-9]{1,8}")
_PLATE_TYPE: Final = re.compile(r"(?:[A-Z0-9]{2})?")
_CODE: Final = re.compile(r"[A-Z0-9/-]*")
_YEAR: Final = re.compile(r"(?:[0-9]{2})?")
_DATE: Final = re.compile(r"(?:[0-9]{6})?")
# One letter, then at least five digits among letters: no word and no date of birth fits.
_LEADS_NUMBER: Final = re.compile(r"(?:[A-Z](?=(?:[A-Z]*[0-9]){5})[A-Z0-9]{5,11})?")
_PLATE_RECORD: Final = "P"
_VEHICLE_RECORD: Final = "V"


def parse_leads(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """A ListRow or RowError for each line that is not blank, in order, as it is asked for, and notes.

    The date of a STOLEN row is that of the theft, the only one that the file has; entered it was no earlier.
    """
    return each_row(lines, options, _DATE_COLUMN, _row)


def _row(number: int, text: str) -> ListRow | RowError:
    name = text[_LIST].strip()
    if name in LEADS_PERSON_LISTS:
        return _person(number, text[: _LIST.stop], text[_PERSON_NUMBER:], LEADS_PERSON_LISTS[name])
    if name == LEADS_STOLEN:
        return _stolen(number, text)
    return RowError(number, "13", "the list is not STOLEN, MISSING or WANTED")


def _head(number: int, text: str) -> tuple[str, str, str] | RowError:
    """Plate, state and plate type."""
    plate, state, plate_type = text[0:8].rstrip(" "), with_letter_o(text[8:10]), with_letter_o(text[10:12])
    if not _PLATE.fullmatch(plate):
        return RowError(number, "1", "the plate is not 1 to 8 of A-Z and 0-9, flush left")
    if not is_state(state):
        return RowError(number, "9", "the state is neither blank nor two letters")
    if not _PLATE_TYPE.fullmatch(plate_type):
        return RowError(number, "11", "the plate type is neither blank nor two of A-Z and 0-9")
    return plate, state, plate_type


def _person(number: int, head: str, tail: str, category: Category) -> ListRow | RowError:
    parts = _head(number, head)
    if isinstance(parts, RowError):
        return parts
    record_number = tail.strip(" ")
    if not _LEADS_NUMBER.fullmatch(record_number):
        return RowError(number, str(_PERSON_NUMBER + 1), "the LEADS number has not the form of one")
    plate, state, plate_type = parts
    return ListRow(plate, state, category, record_number, plate_type, NO_VEHICLE)


def _stolen(number: int, text: str) -> ListRow | RowError:
    parts = _head(number, text)
    if isinstance(parts, RowError):
        return parts
    values = _stolen_values(number, text.ljust(_STOLEN_WIDTH))
    if isinstance(values, RowError):
        return values
    year, make, model, style, color, date, record_number = values
    # A row about a plate alone says nothing of the vehicle but perhaps its colour.
    about_plate = not (year or make or model or style)
    if record_number[:1] in (_PLATE_RECORD, _VEHICLE_RECORD):
        about_plate = record_number[0] == _PLATE_RECORD
    category = Category.STOLEN_PLATE if about_plate else Category.STOLEN_VEHICLE
    plate, state, plate_type = parts
    vehicle = Vehicle(_four_digits(year, date), make, model, style, color)
    return ListRow(plate, state, category, record_number, plate_type, vehicle, from_mmddyy(date))


def _stolen_values(number: int, text: str) -> list[str] | RowError:
    """The values of the labelled fields; a row may end early, after which all of them are empty."""
    if text[_STOLEN_WIDTH:].strip(" "):
        return RowError(number, str(_STOLEN_WIDTH + 1), "more stands here than a STOLEN row has")
    values = []
    for label, start, end in _STOLEN_FIELDS:
        form = {"VYR/": _YEAR, "DOT/": _DATE, "LDS/": _LEADS_NUMBER}.get(label, _CODE)
        value = text[start + len(label) : end].strip(" ")
        if text[start : start + len(label)] != label and text[start:end].strip(" "):
            return RowError(number, str(start + 1), f"{label} does not stand here")
        if not form.fullmatch(value):
            return RowError(number, str(start + len(label) + 1), f"the value of {label} has not its form")
        values.append(value)
    return values


def _four_digits(year: str, date: str) -> str:
    """The model year in four digits: the latest that is at most one year after the theft (mmddyy).

    Without a date by the rule of POSIX: 69 to 99 are of the last century.
    """
    if not year:
        return ""
    short = int(year)
    latest = century(int(date[4:6])) + 1 if date else century(short)
    return str(latest - (latest - short) % 100)
