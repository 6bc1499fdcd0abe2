"""What a hot list says about one plate, and what may be wrong with a row of an uploaded file."""

from __future__ import annotations

import enum
import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final


class Category(enum.IntEnum):
    """What an entry is about (ENF-051 II.E, IV.D.2); numbers as in alpr.type.v1.HotListCategory."""

    STOLEN_VEHICLE = 1
    STOLEN_PLATE = 2
    FELONY = 3
    WANTED = 4
    MISSING = 5
    AMBER = 6
    SILVER = 7
    SUSPENDED = 8
    REVOKED = 9
    EXPIRED_REGISTRATION = 10
    OTHER = 11


class Source(enum.IntEnum):
    """Where a list comes from (ENF-051 II.E); numbers as in alpr.type.v1.HotListSource."""

    NCIC = 1
    LEADS = 2
    SOS = 3
    AGENCY = 4
    FEDERAL_DOT = 5
    ICC = 6


@dataclass(frozen=True, slots=True)
class Vehicle:
    """The vehicle as listed, in the source's codes; any part may be empty. Corroboration only (IV.C.2)."""

    year: str = ""
    make: str = ""
    model: str = ""
    style: str = ""
    color: str = ""


NO_VEHICLE: Final = Vehicle()


@dataclass(frozen=True, slots=True)
class ListRow:
    """One accepted row of an uploaded file. It has no field that could hold a person's data.

    Attributes:
        plate_type: NCIC code; empty when unknown.
        entry_date: When the source entered it, as far as the file says; None when unknown.
        expires_at: From this second on it matches nothing; None when it is good as long as its list.
    """

    plate: str
    state: str
    category: Category
    record_number: str
    plate_type: str
    vehicle: Vehicle
    entry_date: date | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was not accepted.

    It never repeats what stands in the row: a shifted row may hold a name there, and error texts are kept.
    """

    row: int
    """Line of the file, from 1; 0 for the file as a whole."""
    column: str
    """Name of the column, or its first position from 1 in a file of fixed columns."""
    problem: str


class NoteKind(enum.IntEnum):
    """What a note says became of its row."""

    DOUBTFUL = 1
    """It is taken, without the part that the note is about."""
    LEFT_OUT = 2
    """It is not taken, on purpose."""


@dataclass(frozen=True, slots=True)
class RowNote:
    """What the uploader must know of a row that is no error. Like RowError it repeats nothing of the row."""

    row: int
    column: str
    note: str
    kind: NoteKind


Parsed = ListRow | RowError | RowNote


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What a parser must know besides the file.

    Attributes:
        today: By it dates are told to lie in the future.
        immigration_file: True takes rows of NCIC's file N, which are left out otherwise. A system
            administrator's recorded setting of the list.
    """

    today: date
    immigration_file: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as the matcher keeps it, under an id that is the same in every version that has the row.

    Attributes:
        plate: 1 to 12 of A-Z and 0-9; a "?" in a local list stands for any one character.
        plate_type: NCIC code; empty when unknown.
        entry_date: When the source entered it; None when unknown.
        expires_at: From this second on it matches nothing; None when it is good as long as its list.
    """

    entry_id: uuid.UUID
    plate: str
    state: str
    category: Category
    record_number: str
    vehicle: Vehicle
    plate_type: str = ""
    entry_date: date | None = None
    expires_at: datetime | None = None


# A record number begins with a letter or digit and has a digit in it: words, and so names, do not fit.
_RECORD_NUMBER: Final = re.compile(r"(?=[^0-9]*[0-9])[A-Z0-9][A-Z0-9./-]{0,31}")
_VEHICLE_CODE: Final = re.compile(r"[A-Z0-9/-]{0,12}")
_STATE: Final = re.compile(r"(?:[A-Z]{2})?")


def entry_id(hot_list_id: uuid.UUID, row: ListRow) -> uuid.UUID:
    """The UUIDv5 of what makes an entry that entry: its list, record number, plate, state and category."""
    return uuid.uuid5(hot_list_id, f"{row.record_number}\n{row.plate}\n{row.state}\n{row.category.value}")


def is_record_number(text: str) -> bool:
    """True when `text` may be the number of a record: 1 to 32 characters, one of them at least a digit."""
    return _RECORD_NUMBER.fullmatch(text) is not None


def is_vehicle_code(text: str) -> bool:
    """True when `text` is empty or may be a code for make, model, style or colour, at most 12 characters."""
    return _VEHICLE_CODE.fullmatch(text) is not None


def is_state(text: str) -> bool:
    """True when `text` is empty or has the form of a code of the NCIC state table."""
    return _STATE.fullmatch(text) is not None
