"""What the files of fixed columns have in common: ISO 8859-1, one entry a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from services.matcher.core.dates import with_believable_date
from services.matcher.core.entry import Parsed, ParseOptions, RowError
from services.matcher.core.lines import LONGEST_LINE

# Old systems end a file with a control character.
_BLANK: Final = b" \x1a\x00"


def each_row(
    lines: Iterable[bytes], options: ParseOptions, date_column: str, read: Callable[[int, str], Parsed | None]
) -> Iterator[Parsed]:
    """What `read` makes of each line that is not blank, given its number and text; None for nothing.

    A row with a date that cannot be right follows a note on `date_column`.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip(_BLANK):
            continue
        if len(line) > LONGEST_LINE:
            yield RowError(number, "1", "the line is longer than any row of this layout")
        elif row := read(number, line.decode("iso-8859-1")):
            yield from with_believable_date(row, number, date_column, options.today)


def with_letter_o(text: str) -> str:
    """`text` without blanks around it and with the letter O where NCIC writes zero ("0H", "F0RD").

    Only for codes that never have the digit, so that nothing is lost.
    """
    return text.strip(" ").replace("0", "O")
