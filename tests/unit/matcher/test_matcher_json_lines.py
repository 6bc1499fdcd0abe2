"""JSON Lines of a hot list."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import Category, ListRow, Parsed, ParseOptions, RowError, Vehicle
from services.matcher.core.hotlist_jsonl import parse_json_lines

GOLDEN = Path(__file__).parents[2] / "golden" / "matcher" / "hotlist.jsonl"
TODAY = ParseOptions(date(2026, 11, 25))
ROW = '{"plate": "AB1", "category": "WANTED"}'


def parsed(*lines: str) -> list[Parsed]:
    return list(parse_json_lines([line.encode("utf-8", "surrogatepass") for line in lines], TODAY))


def where(*lines: str) -> list[tuple[int, str]]:
    return [(row.row, row.column) for row in parsed(*lines) if isinstance(row, RowError)]


@pytest.mark.clause("II.E")
def test_golden_file_gives_its_entries_and_its_row_errors() -> None:
    rows = parsed(*GOLDEN.read_text().splitlines())

    vehicle = Vehicle("2019", "FORD", "F15", "PK", "BLU")
    assert [row for row in rows if isinstance(row, ListRow)] == [
        ListRow("ABO01", "IL", Category.AMBER, "2026-117", "PC", vehicle, date(2026, 11, 25)),
        ListRow("SLVR1", "", Category.SILVER, "", "", Vehicle(), None),
    ]
    assert [(row.row, row.column) for row in rows if isinstance(row, RowError)] == [
        (4, "line"),
        (5, "line"),
        (6, "plate"),
        (7, "plate"),
        (8, "line"),
        (9, "line"),
    ]


@pytest.mark.clause("IV.C.2")
def test_a_name_for_which_there_is_no_column_is_refused_and_not_repeated() -> None:
    (row,) = parsed('{"plate": "AB1", "category": "WANTED", "owner": "DOE JOHN"}')

    assert isinstance(row, RowError)
    assert "DOE" not in row.problem
    assert "owner" not in row.problem


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        ([ROW, '{"rows": 1}'], []),
        ([ROW, '{"rows": 2}'], [(2, "trailer")]),
        ([ROW, '{"rows": 1}', ROW], [(3, "line")]),
        ([ROW, '{"rows": true}'], [(2, "line")]),
        (["[" * 4000], [(1, "line")]),
        (['{"plate": "' + "A" * 5000 + '"}'], [(1, "line")]),
        (['{"plate": NaN, "category": "WANTED"}'], [(1, "plate")]),
        (['{"plate": "\\ud800", "category": "WANTED"}'], [(1, "plate")]),
        (['{"plate": {"a": 1, "a": 2}, "category": "WANTED"}'], [(1, "line")]),
        ([ROW.replace("AB1", "\ud800")], [(1, "line")]),
    ],
)
def test_a_wrong_line_is_named_by_number_and_column(lines: list[str], errors: list[tuple[int, str]]) -> None:
    assert where(*lines) == errors


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_any_lines_give_rows_or_errors_never_an_exception(lines: list[bytes]) -> None:
    for row in parse_json_lines(lines, TODAY):
        assert isinstance(row, ListRow | RowError)
