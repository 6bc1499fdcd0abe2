"""Our own CSV of a hot list: UTF-8, a header line, one entry a line, perhaps a trailer that counts them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.matcher.core.dates import with_believable_date
from services.matcher.core.entry import Parsed, ParseOptions, RowError
from services.matcher.core.lines import LONGEST_LINE
from services.matcher.core.named_row import COLUMNS, DATE_COLUMN, REQUIRED, named_row
from services.matcher.core.trailer import RowCount

_TRAILER: Final = re.compile(rb"# *rows: *([0-9]{1,12}) *")


def parse_csv(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """A ListRow or RowError for each line after the header that is not blank, in order, and notes.

    Lines are read as rows are asked for. Columns may stand in any order; those that are not required may be
    absent. A field holds no line end. After a wrong header nothing else is read.
    """
    header: tuple[str, ...] | None = None
    count = RowCount()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if header is None:
            names = _header(number, line)
            if isinstance(names, RowError):
                yield names
                return
            header = names
        elif trailer := _TRAILER.fullmatch(line):
            yield from count.end(number, int(trailer[1]))
        else:
            yield from count.row(number)
            fields = csv_fields(number, line)
            yield from _row(number, header, fields, options)
    if header is None:
        yield RowError(1, "header", "the header line is missing")


def csv_fields(number: int, line: bytes, encoding: str = "utf-8") -> list[str] | RowError:
    """The fields of one line without blanks around them."""
    if len(line) > LONGEST_LINE:
        return RowError(number, "line", "the line is too long")
    try:
        text = line.decode("utf-8-sig" if number == 1 and encoding == "utf-8" else encoding)
        fields = next(csv.reader([text], strict=True))
    except UnicodeDecodeError:
        return RowError(number, "line", "the line is not UTF-8")
    except csv.Error:
        return RowError(number, "line", "the line is not CSV: a quote is not closed or stands inside a field")
    return [field.strip() for field in fields]


def _header(number: int, line: bytes) -> tuple[str, ...] | RowError:
    names = csv_fields(number, line)
    if isinstance(names, RowError):
        return names
    if len(set(names)) != len(names):
        return RowError(number, "header", "a column is named twice")
    if not set(names) <= set(COLUMNS):
        return RowError(number, "header", f"only these columns may be named: {', '.join(COLUMNS)}")
    for name in REQUIRED:
        if name not in names:
            return RowError(number, name, "the column is missing")
    return tuple(names)


def _row(
    number: int, header: tuple[str, ...], fields: list[str] | RowError, options: ParseOptions
) -> Iterator[Parsed]:
    if isinstance(fields, RowError):
        yield fields
    elif len(fields) != len(header):
        yield RowError(number, "line", "the row has not as many fields as the header")
    else:
        row = named_row(number, dict(zip(header, fields, strict=True)))
        yield from with_believable_date(row, number, DATE_COLUMN, options.today)
