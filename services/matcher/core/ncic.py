"""The NCIC extract for plate readers, as NCIC writes it and as Washington, Minnesota and Texas pass it on.

Columns of the extract (from 0, end exclusive): NIC number 0-10, whose first character is the file's code,
ORI 10-19, date of entry 19-27 (yyyymmdd), plate 27-37, state 37-39, plate year 39-43, plate type 43-45,
year 45-49, make 49-53, model 53-56, style 56-58, colour from 58. Washington puts two characters before each
row; Minnesota and Texas write CSV. NCIC writes the letter O as zero: it is put back in codes that have no
digit. A plate is kept as it is written; matching takes O and 0 in it for the same. ORI and plate year are
not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from services.matcher.core.category_map import NCIC_FILES, NCIC_IMMIGRATION
from services.matcher.core.dates import from_yyyymmdd, with_believable_date
from services.matcher.core.entry import (
    ListRow,
    NoteKind,
    Parsed,
    ParseOptions,
    RowError,
    RowNote,
    Vehicle,
)
from services.matcher.core.fixed import each_row, with_letter_o
from services.matcher.core.hotlist_csv import csv_fields

_FIXED: Final = {
    "record_number": (0, 10),
    "date": (19, 27),
    "plate": (27, 37),
    "state": (37, 39),
    "plate_type": (43, 45),
    "year": (45, 49),
    "make": (49, 53),
    "model": (53, 56),
    "style": (56, 58),
    "color": (58, None),
}
_WASHINGTON_PREFIX: Final = 2
_MINNESOTA: Final = (
    "record_number",
    "ori",
    "date",
    "plate",
    "state",
    "plate_year",
    "plate_type",
    "year",
    "make",
    "model",
    "style",
    "color",
)
_TEXAS: Final = (
    "record_number",
    "state_record",
    "date",
    "plate",
    "state",
    "plate_year",
    "year",
    "make",
    "model",
    "style",
    "color",
)
# What may be decoded: codes of these tables have no digit.
_LETTERS_ONLY: Final = ("state", "plate_type", "make", "color")
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "record_number": (re.compile(r"[A-Z][0-9]{9}"), "the NIC number is not a letter and nine digits"),
    "date": (re.compile(r"(?:[0-9]{8})?"), "the date of entry is neither blank nor eight digits"),
    "plate": (re.compile(r"[A-Z0-9]{1,10}"), "the plate is not 1 to 10 of A-Z and 0-9, flush left"),
    "state": (re.compile(r"(?:[A-Z]{2})?"), "the state is neither blank nor two letters"),
    "plate_type": (re.compile(r"(?:[A-Z]{2})?"), "the plate type is neither blank nor two letters"),
    "year": (re.compile(r"(?:[0-9]{4})?"), "the year is neither blank nor four digits"),
    "make": (re.compile(r"[A-Z0-9]{0,4}"), "the make is not at most four letters"),
    "model": (re.compile(r"[A-Z0-9]{0,3}"), "the model is not at most three of A-Z and 0-9"),
    "style": (re.compile(r"[A-Z0-9]{0,2}"), "the style is not at most two of A-Z and 0-9"),
    "color": (
        re.compile(r"(?:[A-Z]{3}(?:/[A-Z]{3})?)?"),
        "the colour is not one or two codes of three letters",
    ),
}
_LEFT_OUT: Final = "a record of file N, immigration violators, which is off for this list"
_ROW_BEGINS: Final = re.compile(r"[A-Z][0-9]{9}")


def parse_ncic(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """A ListRow, RowError or note for each line that is not blank, in order, as it is asked for.

    The first line is a header, unless it begins as a row does.
    """
    return _parse_fixed(lines, options, 0)


def parse_ncic_washington(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """The same of the extract as Washington passes it on."""
    return _parse_fixed(lines, options, _WASHINGTON_PREFIX)


def parse_ncic_minnesota(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """The same of the extract as Minnesota passes it on; it needs no header."""
    return _parse_csv(lines, options, _MINNESOTA)


def parse_ncic_texas(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """The same of the extract as Texas passes it on; it needs no header and has no plate type."""
    return _parse_csv(lines, options, _TEXAS)


def _parse_fixed(lines: Iterable[bytes], options: ParseOptions, prefix: int) -> Iterator[Parsed]:
    def place(name: str) -> str:
        return str(prefix + _FIXED[name][0] + 1)

    def read(number: int, text: str) -> Parsed | None:
        text = text[prefix:]
        if number == 1 and not _ROW_BEGINS.match(text):
            return None
        values = {name: text[start:end].strip(" ") for name, (start, end) in _FIXED.items()}
        return _entry(number, values, place, options)

    return each_row(lines, options, place("date"), read)


def _parse_csv(lines: Iterable[bytes], options: ParseOptions, columns: tuple[str, ...]) -> Iterator[Parsed]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (
            number == 1 and not any(byte in b"0123456789" for byte in line.split(b",")[0])
        ):
            continue
        fields = csv_fields(number, line, "iso-8859-1")
        if isinstance(fields, RowError):
            yield fields
        elif len(fields) != len(columns):
            yield RowError(number, "line", f"the row has not {len(columns)} fields")
        else:
            row = _entry(number, dict(zip(columns, fields, strict=True)), str, options)
            yield from with_believable_date(row, number, "date", options.today)


def _entry(
    number: int, values: Mapping[str, str], place: Callable[[str], str], options: ParseOptions
) -> ListRow | RowError | RowNote:
    """The entry of which `values` are the parts; `place` says where in the row a part stands."""
    given = {name: values.get(name, "") for name in _FORMS}
    given |= {name: with_letter_o(given[name]) for name in _LETTERS_ONLY}
    for name, (form, problem) in _FORMS.items():
        if not form.fullmatch(given[name]):
            return RowError(number, place(name), problem)
    code = given["record_number"][0]
    if code == NCIC_IMMIGRATION and not options.immigration_file:
        return RowNote(number, place("record_number"), _LEFT_OUT, NoteKind.LEFT_OUT)
    if code not in NCIC_FILES:
        return RowError(
            number, place("record_number"), f"the file code is not one of {', '.join(sorted(NCIC_FILES))}"
        )
    return ListRow(
        plate=given["plate"],
        state=given["state"],
        category=NCIC_FILES[code],
        record_number=given["record_number"],
        plate_type=given["plate_type"],
        vehicle=Vehicle(*(given[name] for name in ("year", "make", "model", "style", "color"))),
        entry_date=from_yyyymmdd(given["date"]),
    )
