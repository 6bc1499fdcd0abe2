"""Where and when a plate is usually seen."""

from __future__ import annotations

import math
from typing import Any, Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.console.analysis.page import Analysis, asked_by, fields_of
from services.console.door import Person
from services.console.question import number, set_window

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHADES: Final = 4


def _parse(person: Person, wrong: list[FieldViolation]) -> pb.GetPatternRequest:
    request = pb.GetPatternRequest(
        **fields_of(person), plate=person.field("plate"), page_size=number(person, "page_size", wrong)
    )
    set_window(request, person, wrong)
    return request


def _more(_person: Person, answer: pb.GetPatternResponse | None) -> dict[str, Any]:
    """Names of the days, and how dark the cell of a number of reads is: 1 to 4."""
    counts = [count for row in answer.weekdays for count in row.hour_counts] if answer else []
    most = max(counts, default=1) or 1

    def shade(count: int) -> int:
        return max(1, math.ceil(_SHADES * count / most))

    return {"weekdays": _WEEKDAYS, "shade": shade}


PATTERN: Final = Analysis(
    "/search/pattern", "Pattern", "analysis/pattern.html", _parse, asked_by("GetPattern"), _more
)
