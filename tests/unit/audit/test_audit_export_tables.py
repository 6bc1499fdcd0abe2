"""Tables of a full export: columns, rows, and what a spreadsheet must not run."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from services.audit.export_tables import table_of


def rows(*records: dict[str, Any]) -> list[dict[str, str]]:
    table = table_of("".join(json.dumps(one) + "\n" for one in records).encode())
    return list(csv.DictReader(io.StringIO(table.decode(), newline="")))


@pytest.mark.clause("IV.A.3")
def test_nested_values_get_columns_and_what_there_are_many_of_gets_rows() -> None:
    alert = {"alert_id": "a", "hits": [{"read": {"plate": "AB1"}}, {"read": {"plate": "AB2"}}], "steps": [1]}

    assert rows(alert, {"alert_id": "b", "hits": []}) == [
        {"alert_id": "a", "hits": "", "hits.read.plate": "AB1", "steps": "[1]"},
        {"alert_id": "a", "hits": "", "hits.read.plate": "AB2", "steps": "[1]"},
        {"alert_id": "b", "hits": "[]", "hits.read.plate": "", "steps": ""},
    ]


@pytest.mark.clause("III.B.3.r")
def test_every_row_of_a_page_says_what_it_is_good_for() -> None:
    page = {"format": "platewarden.alerts/v1", "notice": {"text": "A lead only."}}

    assert rows(page, {"alert_id": "a"}) == [{"alert_id": "a", "notice": "A lead only."}]


def test_a_record_that_has_a_format_is_no_head_of_a_page() -> None:
    assert rows({"format": "csv", "kind": "report"}) == [{"format": "csv", "kind": "report"}]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert rows({"name": text}) == [{"name": "'" + text}]


def test_quotes_commas_and_line_ends_stay_in_their_cell() -> None:
    text = 'a "b", c\r\nd'

    assert rows({"name": text, "number": 7}) == [{"name": text, "number": "7"}]


def test_nothing_is_an_empty_table() -> None:
    assert table_of(b"") == b""
