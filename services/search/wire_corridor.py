"""FindCorridor: request to question, journeys to answer."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import raise_violations, to_timestamp
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.area import Point, spans_antimeridian
from services.search.core.corridor import Corridor, CorridorQuestion, Direction, Journey, Passage
from services.search.core.moments import from_microseconds
from services.search.wire_analysis import Rows, answer_fields, details_each, parse_asking, parse_number
from services.search.wire_area import parse_point

_ROWS: Final = Rows(most=500, usual=100)
_POINTS: Final = (2, 100)
_LONGEST_WINDOW: Final = timedelta(days=7)
_DIRECTIONS: Final[dict[int, Direction]] = {
    pb.CORRIDOR_DIRECTION_UNSPECIFIED: "either",
    pb.CORRIDOR_DIRECTION_EITHER: "either",
    pb.CORRIDOR_DIRECTION_FORWARD: "forward",
    pb.CORRIDOR_DIRECTION_BACKWARD: "backward",
}


def parse_corridor(request: pb.FindCorridorRequest, token: AccessToken) -> tuple[Asking, CorridorQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(request, token, _ROWS, wrong)
    _check_window(asking, wrong)
    if request.direction not in _DIRECTIONS:
        wrong.append(FieldViolation("direction", "must be one of CorridorDirection"))
    question = CorridorQuestion(
        line=_line(request, wrong),
        within_meters=parse_number("within_meters", request.within_meters, 100, (1, 5_000), wrong),
        direction=_DIRECTIONS.get(request.direction, "either"),
        min_cameras=parse_number("min_cameras", request.min_cameras, 2, (2, 50), wrong),
        max_gap_minutes=parse_number("max_gap_minutes", request.max_gap_minutes, 60, (1, 1_440), wrong),
    )
    raise_violations(wrong)
    return asking, question


def _check_window(asking: Asking, wrong: list[FieldViolation]) -> None:
    """All traffic of a road is looked at, so the window is short, and never left to chance."""
    for name, moment in (("from", asking.from_time), ("to", asking.to_time)):
        if moment is None:
            wrong.append(FieldViolation(name, "must be set"))
    if asking.from_time and asking.to_time and asking.to_time - asking.from_time > _LONGEST_WINDOW:
        wrong.append(FieldViolation("to", "must be at most 7 days after from"))


def _line(request: pb.FindCorridorRequest, wrong: list[FieldViolation]) -> tuple[Point, ...]:
    least, most = _POINTS
    if not least <= len(request.line) <= most:
        wrong.append(FieldViolation("line", f"must be {least} to {most} points"))
        return ()
    before = len(wrong)
    line = tuple(parse_point(f"line[{n}]", point, wrong) for n, point in enumerate(request.line))
    if len(wrong) == before:
        if any(one == following for one, following in pairwise(line)):
            wrong.append(FieldViolation("line", "must have no point twice in a row"))
        if spans_antimeridian(line):
            wrong.append(FieldViolation("line", "must not reach over the antimeridian; ask for each side"))
    return line


def build_corridor(answer: Analysed[Corridor]) -> pb.FindCorridorResponse:
    """The answer to the person."""
    shown = details_each(len(answer.result.journeys))
    return pb.FindCorridorResponse(
        journeys=[_journey(journey, shown) for journey in answer.result.journeys],
        line_meters=answer.result.line_meters,
        **answer_fields(answer.answered),
    )


def _journey(journey: Journey, shown: int) -> pb.CorridorJourney:
    forward = journey.is_forward
    return pb.CorridorJourney(
        plate=journey.plate,
        direction=pb.CORRIDOR_DIRECTION_FORWARD if forward else pb.CORRIDOR_DIRECTION_BACKWARD,
        passages=map(_passage, _shown(journey.passages, shown)),
        passage_count=len(journey.passages),
        distance_meters=journey.distance_meters,
        mean_kilometers_per_hour=journey.kilometers_per_hour,
    )


def _shown(passages: tuple[Passage, ...], most: int) -> tuple[Passage, ...]:
    return passages if len(passages) <= most else (*passages[: most - 1], passages[-1])


def _passage(passage: Passage) -> pb.CorridorPassage:
    return pb.CorridorPassage(
        sensor_id=passage.sensor_id,
        time=to_timestamp(from_microseconds(passage.time_us)),
        along_meters=passage.along_meters,
        beside_meters=passage.beside_meters,
    )
