"""One entry as named values, which is what our own CSV and JSON Lines come down to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.matcher.core.dates import from_yyyymmdd
from services.matcher.core.entry import (
    Category,
    ListRow,
    RowError,
    Vehicle,
    is_record_number,
    is_state,
    is_vehicle_code,
)

COLUMNS: Final = (
    "plate",
    "state",
    "category",
    "record_number",
    "vehicle_year",
    "vehicle_make",
    "vehicle_model",
    "vehicle_style",
    "vehicle_color",
    "plate_type",
    "entry_date",
    "expires_at",
)
REQUIRED: Final = ("plate", "category")
DATE_COLUMN: Final = "entry_date"
_CODES: Final = ("vehicle_make", "vehicle_model", "vehicle_style", "vehicle_color")
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_PLATE_TYPE: Final = re.compile(r"(?:[A-Z0-9]{2})?")
_YEAR: Final = re.compile(r"(?:[0-9]{4})?")
_DATE: Final = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?")
_MOMENT: Final = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_SEPARATORS: Final = str.maketrans("", "", " -.")


def named_row(number: int, given: Mapping[str, str]) -> ListRow | RowError:
    """The entry that `given`, by the names of COLUMNS, describes; what is not given is empty."""
    values = {name: given.get(name, "").strip().upper() for name in COLUMNS}
    # Letter case and separators carry nothing on a plate; O and 0 are kept as the owner wrote them.
    values["plate"] = values["plate"].translate(_SEPARATORS)
    if column := _wrong_column(values):
        return RowError(number, column, _PROBLEMS[column])
    return ListRow(
        plate=values["plate"],
        state=values["state"],
        category=Category[values["category"]],
        record_number=values["record_number"],
        plate_type=values["plate_type"],
        vehicle=Vehicle(values["vehicle_year"], *(values[name] for name in _CODES)),
        entry_date=from_yyyymmdd(values["entry_date"].replace("-", "")),
        expires_at=datetime.fromisoformat(values["expires_at"]) if values["expires_at"] else None,
    )


def _wrong_column(values: Mapping[str, str]) -> str:
    """The first column whose value has not its form; empty when all have."""
    checks = {
        "plate": _PLATE.fullmatch(values["plate"]) is not None,
        "state": is_state(values["state"]),
        "category": values["category"] in Category.__members__,
        "record_number": not values["record_number"] or is_record_number(values["record_number"]),
        "vehicle_year": _YEAR.fullmatch(values["vehicle_year"]) is not None,
        **{name: is_vehicle_code(values[name]) for name in _CODES},
        "plate_type": _PLATE_TYPE.fullmatch(values["plate_type"]) is not None,
        "entry_date": _DATE.fullmatch(values["entry_date"]) is not None,
        "expires_at": not values["expires_at"] or _is_moment(values["expires_at"]),
    }
    return next((name for name, good in checks.items() if not good), "")


def _is_moment(text: str) -> bool:
    try:
        return _MOMENT.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:  # no such day or hour
        return False


_PROBLEMS: Final = {
    "plate": "the plate is not 1 to 12 of A-Z and 0-9",
    "state": "the state is neither empty nor two letters",
    "category": f"the category is not one of {', '.join(Category.__members__)}",
    "record_number": "the record number is not at most 32 of A-Z, 0-9, '.', '/' and '-', with a digit in it",
    "vehicle_year": "the year is neither empty nor four digits",
    **dict.fromkeys(_CODES, "the code is not at most 12 of A-Z, 0-9, '/' and '-'"),
    "plate_type": "the plate type is neither empty nor two of A-Z and 0-9",
    "entry_date": "the date has not the form 2026-11-23",
    "expires_at": "the moment has not the form 2026-11-23T18:00Z or 2026-11-23T12:00-06:00",
}
