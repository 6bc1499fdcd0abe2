"""What forms of questions become: places, windows, scenes; files by safe names; forms that are too long."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.type.v1.notice_pb2 import Notice
from services.common.errors import DependencyUnavailableError, FieldViolation
from services.console import question
from services.console.analysis.leaving import Left, received
from services.console.analysis.scenes import STAKEOUT
from services.console.door import Person, _fits
from services.console.field_names import form_field
from services.console.pages import Pages
from services.console.sessions import Session


def person(services: Any = None, **fields: str) -> Person:
    """Somebody who sent a form with these fields; a dash in a name is written as two underscores."""
    form = {name.replace("__", "-"): value for name, value in fields.items()}
    return Person(Session.begin("access", "refresh", 600), services, Pages(), form, 1800.0)


@pytest.mark.clause("IV.C.3")
def test_a_place_is_a_circle_or_corners_or_a_group_or_sensors() -> None:
    wrong: list[FieldViolation] = []

    circle = question.area(person(around="41.97, -87.9", radius="500"), wrong)
    corners = question.area(person(area="41.9,-87.7  41.9, -87.6 41.8,-87.6"), wrong)
    group = question.area(person(sensor_group="bridge", radius="500"), wrong)
    sensors = question.area(person(sensors="cam-1, cam-2,"), wrong)

    assert circle and circle.circle.center.longitude == -87.9 and circle.circle.radius_meters == 500
    assert corners and len(corners.polygon.corners) == 3
    assert group and group.sensor_group == "bridge"
    assert sensors and list(sensors.sensors.sensor_ids) == ["cam-1", "cam-2"]
    assert question.area(person(radius="500"), wrong) is None
    assert wrong == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"around": "north", "radius": "500"}, "area.circle.center"),
        ({"around": "41.97,-87.9", "radius": "far"}, "area.circle.radius_meters"),
        ({"area": "41.9,-87.7 somewhere"}, "area.polygon"),
        ({"around": "41.97,-87.9", "radius": "5", "sensors": "cam-1"}, "area"),
    ],
)
def test_a_place_that_cannot_be_read_is_named_by_its_field(fields: Mapping[str, str], named: str) -> None:
    wrong: list[FieldViolation] = []

    question.area(person(**fields), wrong)

    assert [one.field for one in wrong] == [named]


@given(st.text(max_size=40), st.text(max_size=20))
def test_no_text_in_a_place_breaks_the_form(text: str, radius: str) -> None:
    wrong: list[FieldViolation] = []

    question.area(person(around=text, radius=radius), wrong)
    question.area(person(area=text), wrong)
    question.number(person(most=text), "most", wrong)


def test_a_moment_of_a_form_goes_along_in_utc_and_one_that_is_none_is_named() -> None:
    wrong: list[FieldViolation] = []
    request = pb.FindConvoyRequest()

    question.set_window(request, person(from_utc="2026-11-26T14:30:00.000Z", to="yesterday"), wrong)

    assert getattr(request, "from").ToJsonString() == "2026-11-26T14:30:00Z"
    assert [one.field for one in wrong] == ["to"]


def test_scenes_keep_their_numbers_and_those_left_empty_at_the_end_do_not_count() -> None:
    wrong: list[FieldViolation] = []
    sent = person(scene__0__label="bank", scene__2__around="north", scene__2__radius="500")

    request = STAKEOUT.parse(sent, wrong)

    assert [one.label for one in request.scenes] == ["bank", "", ""]
    assert [one.field for one in wrong] == ["scenes[2].area.circle.center"]
    assert form_field(wrong[0].field) == ("scene-2-around", "Scene 3: Around")


@given(st.text(max_size=60), st.text(max_size=30))
def test_no_name_of_a_file_leads_out_of_a_folder_or_is_hidden(name: str, media_type: str) -> None:
    left = Left(report_pb.ExportedFile(file_name=name, media_type=media_type), Notice(), b"")

    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", left.name)
    assert "/" not in left.name and not left.name.startswith(".")
    assert left.media_type == "application/octet-stream" or left.media_type in media_type


class Sends:
    """Search, as far as a file comes from it."""

    def __init__(self, data: bytes, sha256: bytes) -> None:
        self._data, self._sha256 = data, sha256

    async def stream(self, *_call: Any, alone: bool = False) -> AsyncIterator[report_pb.ExportReportResponse]:
        """The description, and the data in two parts."""
        file = report_pb.ExportedFile(file_name="report-1.pdf", sha256=self._sha256)
        yield report_pb.ExportReportResponse(file=file)
        yield report_pb.ExportReportResponse(data=self._data[:3])
        yield report_pb.ExportReportResponse(data=self._data[3:])


@pytest.mark.clause("III.B.3.m")
async def test_a_file_is_given_only_when_it_came_whole() -> None:
    data = b"a report"

    whole = await received(person(Sends(data, hashlib.sha256(data).digest())), "ExportReport", None)

    assert whole.data == data
    with pytest.raises(DependencyUnavailableError, match="whole"):
        await received(person(Sends(data[:-1], hashlib.sha256(data).digest())), "ExportReport", None)


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ({"content-length": "100"}, True),
        ({"content-length": "101"}, False),
        ({"content-length": "-1"}, False),
        ({"content-length": "1e9"}, False),
        ({"transfer-encoding": "chunked"}, False),
        ({}, True),
    ],
)
def test_a_form_says_how_long_it_is_before_it_is_read(headers: Mapping[str, str], *, fits: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert _fits(Request({"type": "http", "method": "POST", "headers": raw}), 100) is fits
