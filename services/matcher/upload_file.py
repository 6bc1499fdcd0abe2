"""A spooled file as rows, unpacked on the way; it is read twice, to check it and to store it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np

from services.matcher.core.entry import Category, ListRow, NoteKind, Parsed, ParseOptions, RowError, RowNote
from services.matcher.core.hot_list import FileFormat
from services.matcher.core.hotlist_csv import parse_csv
from services.matcher.core.hotlist_jsonl import parse_json_lines
from services.matcher.core.leads import parse_leads
from services.matcher.core.lines import bounded_lines
from services.matcher.core.ncic import (
    parse_ncic,
    parse_ncic_minnesota,
    parse_ncic_texas,
    parse_ncic_washington,
)
from services.matcher.core.sos import parse_sos
from services.matcher.unpack import PackedFileError, unpacked

MOST_ERRORS: Final = 1000
"""Wrong rows after which a file is looked at no further."""
MOST_NOTES: Final = 1000
"""Notes that are kept; the others are counted."""
_PARSERS: Final[Mapping[FileFormat, Callable[[Iterable[bytes], ParseOptions], Iterator[Parsed]]]] = {
    FileFormat.IL_LEADS: parse_leads,
    FileFormat.CSV: parse_csv,
    FileFormat.IL_SOS: parse_sos,
    FileFormat.NCIC: parse_ncic,
    FileFormat.NCIC_WA: parse_ncic_washington,
    FileFormat.NCIC_MN: parse_ncic_minnesota,
    FileFormat.NCIC_TX: parse_ncic_texas,
    FileFormat.JSON_LINES: parse_json_lines,
}


@dataclass(slots=True)
class FileReport:
    """What is to be said about a file. No part of it repeats what stands in the file.

    Attributes:
        row_count: Rows that are right, those that repeat an entry among them.
        errors: Wrong rows, at most the first MOST_ERRORS; with one of them nothing may be stored.
        stopped: True when the file was looked at no further after so many.
        left_out_count: Rows that are left out on purpose.
        doubtful_count: Rows that are taken without one of their values, and one for all that repeat an entry.
        notes: Which rows these are, at most MOST_NOTES; on the file as a whole first.
        categories: What the rows that are right are about.
    """

    row_count: int = 0
    errors: list[RowError] = field(default_factory=list)
    stopped: bool = False
    left_out_count: int = 0
    doubtful_count: int = 0
    notes: list[RowNote] = field(default_factory=list)
    categories: set[Category] = field(default_factory=set)


class UploadedFile:
    """The rows of a file, a line at a time: a million rows are never in memory."""

    def __init__(self, file: BinaryIO, layout: FileFormat, options: ParseOptions) -> None:
        self._file = file
        self._parse = _PARSERS[layout]
        self._options = options

    def check(self) -> FileReport:
        """What is wrong with the file, or to be known of it, after every row was looked at.

        A file without any entry is wrong: activated, it would silently end every alert of its list.
        """
        report, repeats = FileReport(), _Repeats()
        for row in self._all_or_why_not():
            if isinstance(row, ListRow):
                report.row_count += 1
                report.categories.add(row.category)
                repeats.add(row)
            elif isinstance(row, RowError):
                report.errors.append(row)
            else:
                _note(report, row)
            if len(report.errors) == MOST_ERRORS:
                report.stopped = True
                break
        if not report.row_count and not report.errors:
            report.errors.append(RowError(0, "file", "the file has no entry"))
        if repeated := repeats.count():
            report.doubtful_count += 1
            note = f"{repeated} rows repeat the entry of another row, which is taken once"
            report.notes = [RowNote(0, "file", note, NoteKind.DOUBTFUL), *report.notes[: MOST_NOTES - 1]]
        return report

    def rows(self) -> Iterator[ListRow]:
        """The rows of a file in which `check` found no error."""
        return (row for row in self._all() if isinstance(row, ListRow))

    def _all_or_why_not(self) -> Iterator[Parsed]:
        try:
            yield from self._all()
        except PackedFileError as error:
            yield RowError(0, "file", str(error))

    def _all(self) -> Iterator[Parsed]:
        with unpacked(self._file) as plain:
            yield from self._parse(bounded_lines(plain), self._options)


class _Repeats:
    """Counts rows of the same entry by a number of 8 bytes for each row, so that ten million take 80 MB."""

    def __init__(self) -> None:
        self._seen = array("q")

    def add(self, row: ListRow) -> None:
        """Counts `row`."""
        self._seen.append(hash((row.record_number, row.plate, row.state, row.category)))

    def count(self) -> int:
        """Rows whose entry another row had before."""
        seen = np.frombuffer(self._seen, dtype=np.int64)
        seen.sort()
        return int(np.count_nonzero(seen[1:] == seen[:-1]))


def _note(report: FileReport, note: RowNote) -> None:
    if note.kind is NoteKind.LEFT_OUT:
        report.left_out_count += 1
    else:
        report.doubtful_count += 1
    if len(report.notes) < MOST_NOTES:
        report.notes.append(note)
