"""The row count that a file may end with: by it a file that was cut off shows."""

from __future__ import annotations

from collections.abc import Iterator

from services.matcher.core.entry import RowError


class RowCount:
    """Counts rows until the trailer."""

    def __init__(self) -> None:
        self._rows = 0
        self._ended = False

    def row(self, number: int) -> Iterator[RowError]:
        """Counts the row in that line; an error when it stands after the trailer."""
        self._rows += 1
        if self._ended:
            yield RowError(number, "line", "the line stands after the trailer")

    def end(self, number: int, stated: int) -> Iterator[RowError]:
        """Takes the trailer in that line; an error when it states another number of rows, or is a second."""
        if self._ended:
            yield RowError(number, "line", "the line stands after the trailer")
        elif stated != self._rows:
            yield RowError(number, "trailer", "the file has not as many rows as its trailer says")
        self._ended = True
