"""JSON Lines of a hot list: UTF-8, an object of texts a line, perhaps a trailer that counts them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from services.matcher.core.dates import with_believable_date
from services.matcher.core.entry import ListRow, Parsed, ParseOptions, RowError
from services.matcher.core.lines import LONGEST_LINE
from services.matcher.core.named_row import COLUMNS, DATE_COLUMN, REQUIRED, named_row
from services.matcher.core.trailer import RowCount

_TRAILER: Final = "rows"


class _RepeatedNameError(ValueError):
    pass


def parse_json_lines(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """A ListRow or RowError for each line that is not blank, in order, as it is asked for, and notes.

    The names are those of the CSV's columns; a name that is not required may be absent, one that is none of
    them is an error: it could be a person's.
    """
    count = RowCount()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        value = _object(number, line)
        if isinstance(value, dict) and value.keys() == {_TRAILER} and type(value[_TRAILER]) is int:
            yield from count.end(number, value[_TRAILER])
            continue
        yield from count.row(number)
        row = value if isinstance(value, RowError) else _row(number, value)
        yield from with_believable_date(row, number, DATE_COLUMN, options.today)


def _object(number: int, line: bytes) -> dict[str, Any] | RowError:
    if len(line) > LONGEST_LINE:
        return RowError(number, "line", "the line is too long")
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), object_pairs_hook=_distinct)
    except UnicodeDecodeError:
        return RowError(number, "line", "the line is not UTF-8")
    except _RepeatedNameError:
        return RowError(number, "line", "a name stands twice in the object")
    except (ValueError, RecursionError):
        return RowError(number, "line", "the line is not JSON")
    if not isinstance(value, dict):
        return RowError(number, "line", "the line is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _RepeatedNameError
    return made


def _row(number: int, value: dict[str, Any]) -> ListRow | RowError:
    if not value.keys() <= set(COLUMNS):
        return RowError(number, "line", f"only these names may stand in it: {', '.join(COLUMNS)}")
    for name in REQUIRED:
        if name not in value:
            return RowError(number, name, "the value is missing")
    for name in COLUMNS:
        if not isinstance(value.get(name, ""), str):
            return RowError(number, name, "the value is no text")
    return named_row(number, value)
