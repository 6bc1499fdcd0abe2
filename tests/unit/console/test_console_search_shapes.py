"""An answer in other shapes than a list, and what a form calls the fields of a request."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.search.v1.search_service_pb2 import FoundRead, SearchReadsResponse
from alpr.type.v1 import left_out_pb2
from services.common.errors import NotFoundError, WrongStateError
from services.console.answers import left_out, once_more
from services.console.field_names import form_field
from services.console.search.shapes import days, hours, points, zone

CHICAGO = zone("America/Chicago")
# Those of 2026.
MOMENTS = st.integers(1_767_225_600, 1_798_761_599).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def read_at(moment: datetime, plate: str = "AB1234") -> FoundRead:
    """A read of that moment."""
    found = FoundRead()
    found.read.plate = plate
    found.read.capture_time.FromDatetime(moment)
    return found


def test_days_are_those_of_the_readers_zone_also_where_clocks_go_back() -> None:
    # On 1 November 2026 Chicago has the hour from 1 to 2 twice.
    once = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    before = datetime(2026, 11, 1, 4, 59, tzinfo=UTC)
    found = days([read_at(once + timedelta(hours=1)), read_at(once), read_at(before)], CHICAGO)

    assert [(f"{one.day}", one.count, one.first, one.last, one.minutes) for one in found] == [
        ("2026-11-01", 2, "01:30", "01:30", (90,)),
        ("2026-10-31", 1, "23:59", "23:59", (1439,)),
    ]


@given(st.lists(MOMENTS, max_size=50))
def test_every_read_is_in_one_hour_of_the_week_and_in_one_day(moments: list[datetime]) -> None:
    reads = [read_at(one) for one in moments]

    week = hours(reads, CHICAGO)

    assert sum(sum(counts) for _name, counts in week.rows) == len(moments)
    assert sum(one.count for one in days(reads, CHICAGO)) == len(moments)
    shades = [week.shade(count) for _name, counts in week.rows for count in counts]
    assert set(shades) <= set(range(5))
    assert shades.count(0) == sum(counts.count(0) for _name, counts in week.rows)


@pytest.mark.parametrize("name", ["", "Nowhere/At_All", "../../etc/passwd", "America", "/etc/localtime"])
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert zone(name) is UTC


def test_the_map_gets_no_plate() -> None:
    assert "AB1234" not in str(points([read_at(datetime(2026, 11, 1, tzinfo=UTC))]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("justification.case_number", ("case_number", "Case number")),
        ("justification.case_number_kind", ("case_number_kind", "Kind of case number")),
        ("area.circle.center.latitude", ("around", "Around")),
        ("area.polygon.corners[3].longitude", ("area", "Corners of an area")),
        ("area", ("around", "Place")),
        ("areas", ("", "Areas")),
        ("", ("", "")),
    ],
)
def test_a_field_of_the_request_is_named_as_in_the_form(path: str, expected: tuple[str, str]) -> None:
    assert form_field(path) == expected


def test_an_answer_that_a_browser_asks_for_again_too_late_is_said_in_the_persons_words() -> None:
    ended = WrongStateError("ask again with a new request id", metadata={"state": "ENDED"})
    other = NotFoundError("no such read")

    assert "Ask again" in once_more(ended).message
    assert "request id" not in once_more(ended).message
    assert once_more(other) is other


def test_what_was_not_looked_at_is_said_with_whose_it_is_and_why() -> None:
    answer = SearchReadsResponse()
    no_grant, limited = answer.left_out.add(), answer.left_out.add()
    no_grant.agency_ori, no_grant.reason = "IL0160000", left_out_pb2.LEFT_OUT_REASON_NO_NON_AGENCY_ACCESS
    limited.agency_ori, limited.sensor_group = "ILISP0000", "bridge"
    limited.reason = left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT

    assert left_out(answer) == [
        "IL0160000: not your agency's own, for which you have no grant",
        "group bridge of ILISP0000: searched for other offences only",
    ]
