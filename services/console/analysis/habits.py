"""Where and when a plate is usually seen."""

from __future__ import annotations

import base64
from hashlib import sha256
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
    """Names of the days, how dark the cell of a number of reads is, points and data of the map."""
    if answer is None:
        return {}
    most = max((count for row in answer.weekdays for count in row.hour_counts), default=0)

    def shade(count: int) -> int:
        return -(-_SHADES * count // most)

    data = answer.geojson.encode()
    return {
        "weekdays": _WEEKDAYS,
        "shade": shade,
        "points": [_point(number, one) for number, one in enumerate(answer.places)],
        "map_data": base64.b64encode(data).decode(),
        "map_sha256": sha256(data).hexdigest(),
    }


def _point(number: int, one: pb.PatternPlace) -> dict[str, Any]:
    return {
        "id": str(number),
        "lat": one.point.latitude,
        "lon": one.point.longitude,
        "label": one.place or one.sensor_id,
        "detail": f"{one.read_count} reads on {one.day_count} days",
    }


PATTERN: Final = Analysis(
    "/search/pattern", "Pattern", "analysis/pattern.html", _parse, asked_by("GetPattern"), _more
)
