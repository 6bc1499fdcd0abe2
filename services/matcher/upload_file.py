"""A spooled file as rows; it is read twice, to check it and to store it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, Final

from services.common.errors import FieldViolation
from services.matcher.core.entry import ListRow, RowError
from services.matcher.core.hot_list import FileFormat
from services.matcher.core.hotlist_csv import parse_csv
from services.matcher.core.leads import parse_leads
from services.matcher.core.lines import bounded_lines

_MOST_ERRORS: Final = 100
_PARSERS: Final[Mapping[FileFormat, Callable[[Iterable[bytes]], Iterator[ListRow | RowError]]]] = {
    FileFormat.IL_LEADS: parse_leads,
    FileFormat.CSV: parse_csv,
}


class UploadedFile:
    """The rows of a file, a line at a time: a million rows are never in memory."""

    def __init__(self, file: BinaryIO, layout: FileFormat) -> None:
        self._file = file
        self._parse = _PARSERS[layout]

    def errors(self) -> tuple[FieldViolation, ...]:
        """What is wrong with the file, at most the first 100 rows; empty when every row is right.

        A file without any entry is wrong: activated, it would silently end every alert of its list.
        """
        rows = 0

        def wrong() -> Iterator[RowError]:
            nonlocal rows
            for row in self._all():
                rows += 1
                if isinstance(row, RowError):
                    yield row

        errors = tuple(_violation(error) for error in itertools.islice(wrong(), _MOST_ERRORS))
        return errors if rows else (FieldViolation("file", "the file has no entry"),)

    def rows(self) -> Iterator[ListRow]:
        """The rows of a file that `errors` found right."""
        return (row for row in self._all() if isinstance(row, ListRow))

    def _all(self) -> Iterator[ListRow | RowError]:
        self._file.seek(0)
        return self._parse(bounded_lines(self._file))


def _violation(error: RowError) -> FieldViolation:
    return FieldViolation(f"row {error.row}, column {error.column}", error.problem)
