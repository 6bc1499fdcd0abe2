"""FindConvoy: request to question, weighed evidence to answer."""

from __future__ import annotations

from typing import Final

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import MapPoint
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import raise_violations, to_timestamp
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.convoy import Companion, Convoy, ConvoyQuestion, Meeting
from services.search.core.moments import from_microseconds
from services.search.wire_analysis import (
    Rows,
    answer_fields,
    details_each,
    parse_asking,
    parse_number,
    parse_time_zone,
    parse_whole_plate,
)

_ROWS: Final = Rows(most=500, usual=100)


def parse_convoy(
    request: pb.FindConvoyRequest, token: AccessToken, time_zone: str
) -> tuple[Asking, ConvoyQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field and repeats no plate.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(request, token, _ROWS, wrong)
    question = ConvoyQuestion(
        plate=parse_whole_plate("plate", request.plate, wrong),
        within_seconds=parse_number("within_seconds", request.within_seconds, 60, (1, 600), wrong),
        min_cameras=parse_number("min_cameras", request.min_cameras, 3, (1, 50), wrong),
        time_zone=parse_time_zone("time_zone", request.time_zone, time_zone, wrong),
    )
    raise_violations(wrong)
    return asking, question


def build_convoy(answer: Analysed[Convoy]) -> pb.FindConvoyResponse:
    """The answer to the person."""
    convoy = answer.result
    shown = details_each(len(convoy.companions))
    return pb.FindConvoyResponse(
        companions=[_companion(companion, shown) for companion in convoy.companions],
        sighting_count=len(convoy.sightings),
        journey_count=convoy.journey_count,
        plates_met=convoy.plates_met,
        sightings_left_out=convoy.sightings_left_out,
        **answer_fields(answer.answered),
    )


def _companion(companion: Companion, shown: int) -> pb.Companion:
    return pb.Companion(
        plate=companion.plate,
        camera_count=companion.camera_count,
        journey_count=companion.journey_count,
        expected_journeys=companion.expected_journeys,
        chance=companion.chance.probability,
        expected_by_chance=companion.chance.expected,
        meetings=map(_meeting, companion.meetings[-shown:]),
        meeting_count=len(companion.meetings),
        may_be_misread=companion.may_be_misread,
    )


def _meeting(meeting: Meeting) -> pb.Meeting:
    sighting = meeting.sighting
    return pb.Meeting(
        sensor_id=sighting.sensor_id,
        time=to_timestamp(from_microseconds(sighting.time_us)),
        offset_seconds=meeting.offset_us / 1_000_000,
        point=MapPoint(latitude=sighting.latitude, longitude=sighting.longitude),
        place=sighting.place,
    )
