"""The Illinois Secretary of State's file of suspended and revoked registrations: fixed columns, ISO 8859-1.

Columns (from 0, end exclusive): plate 0-9, state 9-11, NCIC plate type 11-13, list 13-21, then DOT/mmddyy
EXP/mmyy. A row has no number of its own. EXP/, when the registration ends, is looked at for its form only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.matcher.core.category_map import SOS_LISTS
from services.matcher.core.dates import from_mmddyy
from services.matcher.core.entry import NO_VEHICLE, ListRow, Parsed, ParseOptions, RowError, is_state
from services.matcher.core.fixed import each_row, with_letter_o

_PLATE: Final = re.compile(r"[A-Z0-9]{1,9}")
_PLATE_TYPE: Final = re.compile(r"(?:[A-Z0-9]{2})?")
_TAIL: Final = re.compile(r"(?:DOT/([0-9]{6}| {0,6}))?(?: *EXP/(?:[0-9]{4}| {0,4}))? *")
_DATE_COLUMN: Final = "22"


def parse_sos(lines: Iterable[bytes], options: ParseOptions) -> Iterator[Parsed]:
    """A ListRow or RowError for each line that is not blank, in order, as it is asked for, and notes."""
    return each_row(lines, options, _DATE_COLUMN, _row)


def _row(number: int, text: str) -> ListRow | RowError:
    plate, state, plate_type = text[0:9].rstrip(" "), with_letter_o(text[9:11]), with_letter_o(text[11:13])
    category, tail = SOS_LISTS.get(text[13:21].strip(" ")), _TAIL.fullmatch(text[21:])
    if not _PLATE.fullmatch(plate):
        return RowError(number, "1", "the plate is not 1 to 9 of A-Z and 0-9, flush left")
    if not is_state(state):
        return RowError(number, "10", "the state is neither blank nor two letters")
    if not _PLATE_TYPE.fullmatch(plate_type):
        return RowError(number, "12", "the plate type is neither blank nor two of A-Z and 0-9")
    if category is None:
        return RowError(number, "14", f"the list is not one of {', '.join(SOS_LISTS)}")
    if tail is None:
        return RowError(number, _DATE_COLUMN, "here stands something other than DOT/mmddyy EXP/mmyy")
    entered = from_mmddyy((tail[1] or "").strip())
    return ListRow(plate, state, category, "", plate_type, NO_VEHICLE, entered)
