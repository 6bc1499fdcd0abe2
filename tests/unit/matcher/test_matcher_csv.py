"""The CSV of a hot list."""

from __future__ import annotations

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import Category, ListRow, RowError, Vehicle
from services.matcher.core.hotlist_csv import COLUMNS, parse_csv

ALNUM = string.ascii_uppercase + string.digits
CODE = st.text(ALNUM + "/-", max_size=12)


def parsed(text: str) -> list[ListRow | RowError]:
    return list(parse_csv(text.encode().split(b"\n")))


def where(text: str) -> list[tuple[int, str]]:
    return [(row.row, row.column) for row in parsed(text) if isinstance(row, RowError)]


ROWS = st.builds(
    ListRow,
    plate=st.text(ALNUM, min_size=1, max_size=12),
    state=st.text(string.ascii_uppercase, min_size=2, max_size=2) | st.just(""),
    category=st.sampled_from(Category),
    record_number=st.from_regex(r"[A-Z][0-9]{1,9}", fullmatch=True) | st.just(""),
    plate_type=st.just(""),
    vehicle=st.builds(
        Vehicle,
        st.from_regex(r"(?:[0-9]{4})?", fullmatch=True),
        make=CODE,
        model=CODE,
        style=CODE,
        color=CODE,
    ),
)


@given(st.lists(ROWS, max_size=20), st.permutations(COLUMNS))
def test_what_is_written_reads_back_in_any_order_of_columns(rows: list[ListRow], columns: list[str]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        vehicle = row.vehicle
        values = (vehicle.year, vehicle.make, vehicle.model, vehicle.style, vehicle.color)
        fields = (row.plate, row.state, row.category.name, row.record_number, *values)
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
    rows = list(parse_csv([b"plate,category", b"AB1,WANTED", b"AB\xff,WANTED", b"AB2,WANTED"]))

    assert [type(row) for row in rows] == [ListRow, RowError, ListRow]
