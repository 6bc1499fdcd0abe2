"""The CSV of a hot list."""

from __future__ import annotations

import csv
import io
import string
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import (
    Category,
    ListRow,
    NoteKind,
    Parsed,
    ParseOptions,
    RowError,
    RowNote,
    Vehicle,
)
from services.matcher.core.hotlist_csv import parse_csv
from services.matcher.core.named_row import COLUMNS

ALNUM = string.ascii_uppercase + string.digits
TODAY = ParseOptions(date(2026, 11, 25))
CODE = st.text(ALNUM + "/-", max_size=12)


def parsed(text: str) -> list[Parsed]:
    return list(parse_csv(text.encode().split(b"\n"), TODAY))


def where(text: str) -> list[tuple[int, str]]:
    return [(row.row, row.column) for row in parsed(text) if isinstance(row, RowError)]


ROWS = st.builds(
    ListRow,
    plate=st.text(ALNUM, min_size=1, max_size=12),
    state=st.text(string.ascii_uppercase, min_size=2, max_size=2) | st.just(""),
    category=st.sampled_from(Category),
    record_number=st.from_regex(r"[A-Z][0-9]{1,9}", fullmatch=True) | st.just(""),
    plate_type=st.from_regex(r"(?:[A-Z0-9]{2})?", fullmatch=True),
    vehicle=st.builds(
        Vehicle,
        st.from_regex(r"(?:[0-9]{4})?", fullmatch=True),
        make=CODE,
        model=CODE,
        style=CODE,
        color=CODE,
    ),
    entry_date=st.none() | st.dates(date(1967, 1, 1), date(2026, 11, 26)),
)


@given(st.lists(ROWS, max_size=20), st.permutations(COLUMNS))
def test_what_is_written_reads_back_in_any_order_of_columns(rows: list[ListRow], columns: list[str]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        vehicle = row.vehicle
        values = (vehicle.year, vehicle.make, vehicle.model, vehicle.style, vehicle.color)
        entered = row.entry_date.isoformat() if row.entry_date else ""
        fields = (
            row.plate,
            row.state,
            row.category.name,
            row.record_number,
            *values,
            row.plate_type,
            entered,
            row.expires_at.isoformat() if row.expires_at else "",
        )
        writer.writerow(dict(zip(COLUMNS, fields, strict=True)))

    assert parsed(out.getvalue()) == rows


@given(st.text(max_size=200))
def test_any_text_gives_rows_or_errors_never_an_exception(text: str) -> None:
    for row in parsed("plate,category\n" + text):
        assert isinstance(row, ListRow | RowError)


def test_letter_case_and_separators_go_but_o_and_0_stay() -> None:
    (row,) = parsed("plate,category\nab-o0 1.i,wanted")

    assert isinstance(row, ListRow)
    assert (row.plate, row.category) == ("ABO01I", Category.WANTED)


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert [type(row) for row in parsed("\ufeffplate,category\nAB1,WANTED")] == [ListRow]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", [(1, "header")]),
        ("state,category\nIL,WANTED", [(1, "plate")]),
        ("plate,category,owner\nAB1,WANTED,DOE", [(1, "header")]),
        ("plate,plate,category\nAB1,AB1,WANTED", [(1, "header")]),
        ("plate,category\nAB1", [(2, "line")]),
        ("plate,category\n,WANTED", [(2, "plate")]),
        ("plate,category\nAB1,\nAB1,THEFT", [(2, "category"), (3, "category")]),
        ("plate,category,state\nAB1,WANTED,ILL", [(2, "state")]),
        ("plate,category,vehicle_year\nAB1,WANTED,05", [(2, "vehicle_year")]),
        ('plate,category\n"AB1,WANTED', [(2, "line")]),
        ("plate,category,plate_type\nAB1,WANTED,P", [(2, "plate_type")]),
        ("plate,category,entry_date\nAB1,WANTED,11/25/2026", [(2, "entry_date")]),
        ("plate,category,expires_at\nAB1,WANTED,2026-12-01", [(2, "expires_at")]),
        ("plate,category,expires_at\nAB1,WANTED,2026-12-01T18:00", [(2, "expires_at")]),
        ("plate,category,expires_at\nAB1,WANTED,2026-02-30T18:00Z", [(2, "expires_at")]),
        ("plate,category,expires_at\nAB1,WANTED,2999-01-01T00:00Z", [(2, "expires_at")]),
        ("plate,category\nAB1,WANTED\n# rows: 2", [(3, "trailer")]),
        ("plate,category\nAB1,WANTED\n# rows: 1\nAB2,WANTED", [(4, "line")]),
        ("plate,category\nAB1,WANTED\n# rows: 1\n# rows: 1", [(4, "line")]),
    ],
)
def test_a_wrong_row_is_named_by_line_and_column(text: str, errors: list[tuple[int, str]]) -> None:
    assert where(text) == errors


@pytest.mark.clause("IV.C.2")
def test_a_name_is_no_record_number_and_is_not_repeated() -> None:
    (row,) = parsed("plate,category,record_number\nAB1,WANTED,DOE JOHN")

    assert isinstance(row, RowError)
    assert row.column == "record_number"
    assert "DOE" not in row.problem


def test_bytes_that_are_not_utf_8_are_an_error_of_their_row() -> None:
    rows = list(parse_csv([b"plate,category", b"AB1,WANTED", b"AB\xff,WANTED", b"AB2,WANTED"], TODAY))

    assert [type(row) for row in rows] == [ListRow, RowError, ListRow]


def test_a_trailer_with_the_right_count_is_no_row() -> None:
    assert [type(row) for row in parsed("plate,category\nAB1,WANTED\nAB2,WANTED\n\n# rows: 2\n")] == [
        ListRow
    ] * 2


@pytest.mark.parametrize("written", ["1900-01-01", "2999-12-31", "2026-11-27", "2026-02-30", "0000-00-00"])
def test_a_date_that_cannot_be_right_is_dropped_with_a_note_and_the_plate_is_kept(written: str) -> None:
    note, row = parsed(f"plate,category,entry_date\nAB1,WANTED,{written}")

    assert isinstance(note, RowNote)
    assert (note.row, note.column, note.kind) == (2, "entry_date", NoteKind.DOUBTFUL)
    assert isinstance(row, ListRow)
    assert (row.plate, row.entry_date) == ("AB1", None)


@pytest.mark.parametrize("written", ["2026-12-01T18:00Z", "2026-12-01t12:00:00-06:00"])
def test_the_end_of_an_entry_is_a_moment_with_its_zone(written: str) -> None:
    (row,) = parsed(f"plate,category,expires_at\nAB1,WANTED,{written}")

    assert isinstance(row, ListRow)
    assert row.expires_at == datetime(2026, 12, 1, 18, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_a_file_in_another_encoding_is_one_error_of_its_header(encoding: str) -> None:
    rows = list(parse_csv("plate,category\nAB1,WANTED\n".encode(encoding).split(b"\n"), TODAY))

    assert [(type(row), getattr(row, "row", 0)) for row in rows] == [(RowError, 1)]
