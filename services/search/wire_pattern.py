"""GetPattern: request to question, counts to tables and map data."""

from __future__ import annotations

from typing import Final

from google.protobuf.json_format import MessageToDict

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import MapPoint
from alpr.type.v1.sensor_pb2 import Provenance
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import raise_violations, to_timestamp
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.habits import Leg, Pattern, PatternQuestion, Spot, to_geojson
from services.search.core.moments import from_microseconds
from services.search.wire_analysis import (
    Rows,
    answer_fields,
    parse_asking,
    parse_time_zone,
    parse_whole_plate,
)
from services.search.wire_search import NOTICE

_ROWS: Final = Rows(most=1000, usual=200)


def parse_pattern(
    request: pb.GetPatternRequest, token: AccessToken, time_zone: str
) -> tuple[Asking, PatternQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field and repeats no plate.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(request, token, _ROWS, wrong)
    question = PatternQuestion(
        plate=parse_whole_plate("plate", request.plate, wrong),
        time_zone=parse_time_zone("time_zone", request.time_zone, time_zone, wrong),
    )
    raise_violations(wrong)
    return asking, question


def build_pattern(question: PatternQuestion, answer: Analysed[Pattern]) -> pb.GetPatternResponse:
    """The answer to the person."""
    pattern = answer.result
    notice = MessageToDict(NOTICE, preserving_proto_field_name=True)
    return pb.GetPatternResponse(
        places=map(_place, pattern.spots),
        weekdays=[
            pb.WeekdayRow(weekday=weekday, hour_counts=counts)
            for weekday, counts in enumerate(pattern.table, 1)
        ],
        legs=map(_leg, pattern.legs),
        read_count=pattern.read_count,
        day_count=pattern.day_count,
        time_zone=question.time_zone,
        geojson=to_geojson(pattern, question.plate, notice),
        **answer_fields(answer.answered),
    )


def _place(spot: Spot) -> pb.PatternPlace:
    return pb.PatternPlace(
        sensor_id=spot.sensor_id,
        agency_ori=spot.agency_ori,
        sensor_group=spot.sensor_group,
        provenance=Provenance.Value(f"PROVENANCE_{spot.provenance}"),
        point=MapPoint(latitude=spot.latitude, longitude=spot.longitude),
        place=spot.place,
        read_count=spot.read_count,
        day_count=spot.day_count,
        first_time=to_timestamp(from_microseconds(spot.first_us)),
        last_time=to_timestamp(from_microseconds(spot.last_us)),
    )


def _leg(leg: Leg) -> pb.PatternLeg:
    return pb.PatternLeg(
        from_sensor_id=leg.from_sensor,
        to_sensor_id=leg.to_sensor,
        leg_count=leg.count,
        median_seconds=leg.median_seconds,
    )
