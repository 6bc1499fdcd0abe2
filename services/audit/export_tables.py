"""Files of a full export as tables: CSV (RFC 4180, UTF-8) made of JSON lines, always the same way.

`verify_department.py` makes each table anew and compares, so that a table says what its JSON lines say.
It needs nothing but Python.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

# Of these a record has many, and each gets a row of its own with what the record says besides.
_MANY = ("hits", "versions")
# A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def table_of(lines: bytes) -> bytes:
    """The table of a page, or of a list, given as its JSON lines; empty when it has no record.

    Names of nested values are joined by dots. What is a list otherwise stands as JSON in its cell.
    """
    records = [json.loads(line) for line in lines.splitlines()]
    notice = {}
    # The first line of a page is about the page.
    if records and str(records[0].get("format", "")).startswith("platewarden."):
        notice = {"notice": records.pop(0)["notice"]["text"]}
    rows = [{**row, **notice} for record in records for row in _rows(record)]
    columns = sorted({name for row in rows for name in row})
    text = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(text, columns, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name in _MANY:
        if many := record.get(name):
            rest = dict(_cells({key: value for key, value in record.items() if key != name}))
            for one in many:
                yield {**rest, **dict(_cells(one, f"{name}."))}
            return
    yield dict(_cells(record))


def _cells(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _cells(value, f"{path}{name}.")
        elif isinstance(value, str):
            yield f"{path}{name}", f"'{value}" if value.startswith(_FORMULA) else value
        else:
            yield f"{path}{name}", json.dumps(value, ensure_ascii=False, sort_keys=True)
