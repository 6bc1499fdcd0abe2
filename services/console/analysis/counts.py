"""How many reads there were, and who travelled along a line."""

from __future__ import annotations

from typing import Any, Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.console import words
from services.console.analysis.page import Analysis, asked_by, fields_of
from services.console.door import Person
from services.console.question import area, number, points, set_window

_DIMENSIONS: Final = ("first_by", "second_by", "third_by")


def _chosen(person: Person) -> list[pb.SummaryDimension.ValueType]:
    """What the reads are to be counted by, in the order of the form."""
    chosen = (words.one_of(pb.SummaryDimension, person.field(name)) for name in _DIMENSIONS)
    return [one for one in chosen if one]


def _parse_summary(person: Person, wrong: list[FieldViolation]) -> pb.SummarizeRequest:
    request = pb.SummarizeRequest(
        **fields_of(person),
        dimensions=_chosen(person),
        count_plates=bool(person.field("count_plates")),
        page_size=number(person, "page_size", wrong),
    )
    set_window(request, person, wrong)
    place = area(person, wrong)
    if place is not None:
        request.area.CopyFrom(place)
    return request


def _more_summary(person: Person, _answer: Any) -> dict[str, Any]:
    described = pb.SummaryDimension.DESCRIPTOR
    return {
        "dimensions": words.choices(pb.SummaryDimension),
        "counted_by": [words.of_enum(described, one).capitalize() for one in _chosen(person)],
    }


def _parse_corridor(person: Person, wrong: list[FieldViolation]) -> pb.FindCorridorRequest:
    fields = fields_of(person)
    del fields["time_zone"]  # nothing of it counts days or hours
    request = pb.FindCorridorRequest(
        **fields,
        line=points(person.field("line"), wrong, "line"),
        within_meters=number(person, "within_meters", wrong),
        direction=words.one_of(pb.CorridorDirection, person.field("direction")),
        min_cameras=number(person, "min_cameras", wrong),
        max_gap_minutes=number(person, "max_gap_minutes", wrong),
        page_size=number(person, "page_size", wrong),
    )
    set_window(request, person, wrong)
    return request


def _more_corridor(_person: Person, _answer: Any) -> dict[str, Any]:
    return {"directions": words.choices(pb.CorridorDirection)}


SUMMARY: Final = Analysis(
    "/search/summary",
    "Counts",
    "analysis/summary.html",
    _parse_summary,
    asked_by("Summarize"),
    _more_summary,
)
CORRIDOR: Final = Analysis(
    "/search/corridor",
    "Corridor",
    "analysis/corridor.html",
    _parse_corridor,
    asked_by("FindCorridor"),
    _more_corridor,
)
