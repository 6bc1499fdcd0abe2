"""Our own CSV of a hot list: UTF-8, a header line, then one entry a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from services.matcher.core.entry import (
    Category,
    ListRow,
    RowError,
    Vehicle,
    is_record_number,
    is_state,
    is_vehicle_code,
)
from services.matcher.core.lines import LONGEST_LINE

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
)
_REQUIRED: Final = ("plate", "category")
_CODES: Final = ("vehicle_make", "vehicle_model", "vehicle_style", "vehicle_color")
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_YEAR: Final = re.compile(r"(?:[0-9]{4})?")
_SEPARATORS: Final = str.maketrans("", "", " -.")


def parse_csv(lines: Iterable[bytes]) -> Iterator[ListRow | RowError]:
    """One ListRow or RowError for each line after the header that is not blank, in order, as it is asked for.

    Columns may stand in any order; those that are not required may be absent. A field holds no line end.
    After a wrong header nothing else is read.
    """
    header: tuple[str, ...] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = _fields(number, line)
        if isinstance(fields, RowError):
            yield fields
            if header is None:
                return
        elif header is not None:
            yield _row(number, header, fields)
        elif wrong := _header_error(number, fields):
            yield wrong
            return
        else:
            header = tuple(fields)
    if header is None:
        yield RowError(1, "header", "the header line is missing")


def _fields(number: int, line: bytes) -> list[str] | RowError:
    if len(line) > LONGEST_LINE:
        return RowError(number, "line", "the line is too long")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        fields = next(csv.reader([text], strict=True))
    except UnicodeDecodeError:
        return RowError(number, "line", "the line is not UTF-8")
    except csv.Error:
        return RowError(number, "line", "the line is not CSV: a quote is not closed or stands inside a field")
    return [field.strip() for field in fields]


def _header_error(number: int, names: list[str]) -> RowError | None:
    if len(set(names)) != len(names):
        return RowError(number, "header", "a column is named twice")
    if not set(names) <= set(COLUMNS):
        return RowError(number, "header", f"only these columns may be named: {', '.join(COLUMNS)}")
    for name in _REQUIRED:
        if name not in names:
            return RowError(number, name, "the column is missing")
    return None


def _row(number: int, header: tuple[str, ...], fields: list[str]) -> ListRow | RowError:
    if len(fields) != len(header):
        return RowError(number, "line", "the row has not as many fields as the header")
    values = dict.fromkeys(COLUMNS, "") | dict(zip(header, fields, strict=True))
    # Letter case and separators carry nothing on a plate; O and 0 are kept as the owner wrote them.
    values["plate"] = values["plate"].upper().translate(_SEPARATORS)
    values["category"] = values["category"].upper()
    if column := _wrong_column(values):
        return RowError(number, column, _PROBLEMS[column])
    vehicle = Vehicle(values["vehicle_year"], *(values[name].upper() for name in _CODES))
    return ListRow(
        plate=values["plate"],
        state=values["state"].upper(),
        category=Category[values["category"]],
        record_number=values["record_number"].upper(),
        plate_type="",
        vehicle=vehicle,
    )


def _wrong_column(values: Mapping[str, str]) -> str:
    """The first column whose value has not its form; empty when all have."""
    checks = {
        "plate": _PLATE.fullmatch(values["plate"]) is not None,
        "state": is_state(values["state"].upper()),
        "category": values["category"] in Category.__members__,
        "record_number": not values["record_number"] or is_record_number(values["record_number"].upper()),
        "vehicle_year": _YEAR.fullmatch(values["vehicle_year"]) is not None,
        **{name: is_vehicle_code(values[name].upper()) for name in _CODES},
    }
    return next((name for name, good in checks.items() if not good), "")


_PROBLEMS: Final = {
    "plate": "the plate is not 1 to 12 of A-Z and 0-9",
    "state": "the state is neither empty nor two letters",
    "category": f"the category is not one of {', '.join(Category.__members__)}",
    "record_number": "the record number is not at most 32 of A-Z, 0-9, '.', '/' and '-', with a digit in it",
    "vehicle_year": "the year is neither empty nor four digits",
    **dict.fromkeys(_CODES, "the code is not at most 12 of A-Z, 0-9, '/' and '-'"),
}
