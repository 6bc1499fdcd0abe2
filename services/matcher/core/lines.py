"""Lines of an uploaded file, without trusting it to have any."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final

LONGEST_LINE: Final = 4096
"""Bytes of a line that are looked at; a longer one is an error of its row."""

_MARK: Final = codecs.BOM_UTF8


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file` without their ends; of a longer line its first LONGEST_LINE + 1 bytes.

    A file of 2 GiB without a line end would otherwise come into memory as one line. A byte order mark
    before the first line is no part of it: some programs write one, and it would shift the columns.
    """
    mark = _MARK
    while line := file.readline(LONGEST_LINE + 1):
        tail = line
        while len(tail) > LONGEST_LINE and not tail.endswith(b"\n"):
            tail = file.readline(LONGEST_LINE + 1)
        yield line.removeprefix(mark).rstrip(b"\r\n")
        mark = b""
