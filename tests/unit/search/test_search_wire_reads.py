"""Requests of SearchReads, GetRead and GetReadImage: what they come to, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from alpr.search.v1 import area_pb2
from alpr.search.v1 import search_service_pb2 as pb
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.errors import InvalidFieldError
from services.common.identity import AccessToken
from services.search.core.area import Circle, Point
from services.search.core.pattern import EVERY_PLATE, PlateForm, WantedPlate
from services.search.core.pictures import PlateBox
from services.search.core.questions import ReadsQuestion
from services.search.wire_read import parse_read, plate_box
from services.search.wire_search import parse_search

TOKEN = AccessToken("t")
# The same in every process that collects these tests.
_REQUEST_ID = "5a0c6a52-59c1-4d0f-9f5b-6f7f2d1c3b4e"
CIRCLE = area_pb2.Area(
    circle=area_pb2.Circle(center=area_pb2.MapPoint(latitude=41.97, longitude=-87.9), radius_meters=500)
)
# Crosses itself: a bow tie.
BOW_TIE = area_pb2.Area(
    polygon=area_pb2.Polygon(
        corners=[
            area_pb2.MapPoint(latitude=y, longitude=x)
            for y, x in ((41, -88), (42, -87), (41, -87), (42, -88))
        ]
    )
)


def parsed(**changes: Any) -> ReadsQuestion:
    request = pb.SearchReadsRequest(**{"request_id": str(uuid4()), **changes})
    return parse_search(request, TOKEN).question


def refused_fields(**changes: Any) -> set[str]:
    with pytest.raises(InvalidFieldError) as error:
        parsed(**changes)
    return {violation.field for violation in error.value.violations}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"plate": "ab 1?3-*"}, WantedPlate(PlateForm.PATTERN, "AB1?3*")),
        (
            {"plate": "b0 1", "plate_match": pb.PLATE_MATCH_LOOK_ALIKE},
            WantedPlate(PlateForm.LOOK_ALIKE, "B01"),
        ),
        (
            {"plate": "AB 1234", "plate_match": pb.PLATE_MATCH_ONE_OFF},
            WantedPlate(PlateForm.ONE_OFF, "AB1234"),
        ),
        ({"area": CIRCLE}, EVERY_PLATE),
    ],
)
def test_a_plate_is_asked_for_in_each_form(changes: dict[str, Any], wanted: WantedPlate) -> None:
    assert parsed(**changes).plate == wanted


def test_state_origin_and_place_are_normalised() -> None:
    question = parsed(
        plate="ABC*",
        state=" il",
        area=CIRCLE,
        provenances=[sensor_pb2.PROVENANCE_COMMERCIAL, sensor_pb2.PROVENANCE_OWN] * 2,
    )

    assert (question.state, question.provenances) == ("IL", ("OWN", "COMMERCIAL"))
    assert question.area == Circle(Point(41.97, -87.9), 500)


def test_what_is_recorded_says_all_that_is_asked_for() -> None:
    question = parsed(plate="ABC*", state="IL", area=CIRCLE, provenances=[sensor_pb2.PROVENANCE_OWN])

    assert question.named() == (
        ("plate_form", "pattern"),
        ("plate", "ABC*"),
        ("state", "IL"),
        ("provenance", "OWN"),
        ("area", '{"circle":[41.97,-87.9,500.0]}'),
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "plate"),
        ({"plate": "*"}, "plate"),
        ({"plate": "--", "area": CIRCLE}, "plate"),
        ({"plate": "AB*"}, "plate"),
        ({"plate": "АВС123"}, "plate"),  # Cyrillic  # noqa: RUF001
        ({"plate": "ABC'; DROP TABLE archive.read;--"}, "plate"),
        ({"area": CIRCLE, "plate_match": pb.PLATE_MATCH_ONE_OFF}, "plate"),
        ({"plate": "AB1*23", "plate_match": pb.PLATE_MATCH_ONE_OFF}, "plate"),
        ({"plate": "ABC1", "plate_match": 99}, "plate_match"),
        ({"plate": "ABC1", "state": "ILL"}, "state"),
        ({"plate": "ABC1", "state": "I1"}, "state"),
        ({"plate": "ABC1", "state": "' OR 1=1"}, "state"),
        ({"plate": "ABC1", "provenances": [sensor_pb2.PROVENANCE_UNSPECIFIED]}, "provenances"),
        ({"plate": "ABC1", "provenances": [77]}, "provenances"),
        ({"plate": "ABC1", "area": BOW_TIE}, "area.polygon.corners"),
        ({"plate": "ABC1", "area": area_pb2.Area(sensor_group="x'; --")}, "area.sensor_group"),
    ],
)
def test_what_cannot_be_asked_names_its_field(changes: dict[str, Any], field: str) -> None:
    assert refused_fields(**changes) == {field}


def test_an_area_without_a_shape_does_not_stand_for_everywhere() -> None:
    assert "area" in refused_fields(area=area_pb2.Area())


def test_a_window_of_a_hundred_years_is_a_window() -> None:
    request = pb.SearchReadsRequest(request_id=str(uuid4()), plate="ABC1")
    getattr(request, "from").FromDatetime(datetime(2000, 1, 1, tzinfo=UTC))
    request.to.FromDatetime(datetime(2099, 12, 31, tzinfo=UTC))

    assert parse_search(request, TOKEN).question.from_time == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", [pb.GetReadRequest, pb.GetReadImageRequest])
@pytest.mark.parametrize(
    ("request_id", "read_id", "fields"),
    [
        (_REQUEST_ID, "7", {"read_id"}),
        (_REQUEST_ID, "", {"read_id"}),
        ("again", _REQUEST_ID.upper(), {"request_id", "read_id"}),
    ],
)
def test_a_read_is_asked_for_by_its_id(kind: Any, request_id: str, read_id: str, fields: set[str]) -> None:
    with pytest.raises(InvalidFieldError) as error:
        parse_read(kind(request_id=request_id, read_id=read_id), TOKEN)

    assert {violation.field for violation in error.value.violations} == fields


def test_the_place_of_the_plate_is_its_box_or_what_its_corners_span() -> None:
    box = read_pb2.Box(x=1, y=2, width=30, height=10)
    corners = read_pb2.Quad(
        upper_left=read_pb2.Point(x=10, y=22),
        upper_right=read_pb2.Point(x=60, y=20),
        lower_right=read_pb2.Point(x=61, y=40),
        lower_left=read_pb2.Point(x=11, y=42),
    )

    assert plate_box(read_pb2.Read(plate_box=box).SerializeToString()) == PlateBox(1, 2, 30, 10)
    assert plate_box(read_pb2.Read(plate_corners=corners).SerializeToString()) == PlateBox(10, 20, 51, 22)
    assert plate_box(b"") is None
    corners.upper_left.x = float("nan")
    assert plate_box(read_pb2.Read(plate_corners=corners).SerializeToString()) is None
