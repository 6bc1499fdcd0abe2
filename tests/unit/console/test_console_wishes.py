"""What a person wants to hear of, between the form and the contract."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from alpr.alerts.v1 import alert_filter_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.type.v1 import hit_pb2
from services.common.errors import FieldViolation
from services.console.alert import wishes
from services.console.door import Person

_POINTS = st.builds(
    pb.MapPoint,
    latitude=st.integers(-90, 90).map(float),
    longitude=st.integers(-180, 180).map(float),
)
_CIRCLES = st.builds(pb.MapCircle, center=_POINTS, radius_meters=st.integers(1, 999_999).map(float))
_POLYGONS = st.builds(pb.MapPolygon, corners=st.lists(_POINTS, min_size=3, max_size=5))
_CLOCKS = st.times().map("{:%H:%M}".format)
_HOURS = st.builds(
    pb.WeeklyHours,
    days=st.sets(st.integers(1, 7)).map(sorted),
    begin=_CLOCKS,
    end=_CLOCKS,
    time_zone=st.sampled_from(["America/Chicago", "UTC"]),
)
_NAMES = st.lists(st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True), max_size=3)
_FILTERS = st.builds(
    pb.AlertFilter,
    categories=st.lists(st.sampled_from(hit_pb2.HotListCategory.values()[1:]), unique=True, max_size=3),
    hot_list_ids=_NAMES,
    agency_oris=_NAMES,
    sensor_groups=_NAMES,
    sensor_ids=_NAMES,
    units=_NAMES,
    areas=st.lists(
        st.one_of(st.builds(pb.MapArea, circle=_CIRCLES), st.builds(pb.MapArea, polygon=_POLYGONS)),
        max_size=4,
    ),
    min_severity=st.sampled_from(alert_pb.Severity.values()),
    min_match_percent=st.integers(0, 100),
    hours=st.lists(_HOURS, max_size=3),
    quiet_hours=st.lists(_HOURS, max_size=3),
)


def _person(form: dict[str, Any]) -> Person:
    pairs = [
        (name, one) for name, value in form.items() for one in (value if isinstance(value, list) else [value])
    ]
    return Person(None, None, None, FormData(pairs), 60.0)  # type: ignore[arg-type]


def _shapes(chosen: pb.AlertFilter) -> list[bytes]:
    return sorted(one.SerializeToString(deterministic=True) for one in chosen.areas)


@pytest.mark.clause("IV.D.1")
@given(_FILTERS)
def test_what_was_chosen_comes_back_from_the_form_as_it_was(chosen: pb.AlertFilter) -> None:
    wrong: list[FieldViolation] = []

    found = wishes.wanted(_person(wishes.written("x", chosen)), wrong)

    assert wrong == []
    assert _shapes(found) == _shapes(chosen)
    del found.areas[:], chosen.areas[:]
    assert found == chosen


@pytest.mark.clause("IV.D.1")
def test_what_is_chosen_is_said_in_words() -> None:
    chosen = pb.AlertFilter(
        categories=[hit_pb2.HOT_LIST_CATEGORY_WANTED, hit_pb2.HOT_LIST_CATEGORY_MISSING],
        hot_list_ids=["id-1", "id-2"],
        units=["Zone 1"],
        min_severity=alert_pb.SEVERITY_HIGH,
        min_match_percent=80,
        hours=[pb.WeeklyHours(days=[1, 2], begin="08:00", end="16:00", time_zone="America/Chicago")],
        areas=[
            pb.MapArea(
                circle=pb.MapCircle(center=pb.MapPoint(latitude=41.9, longitude=-87.6), radius_meters=500)
            )
        ],
    )

    assert wishes.in_words(chosen, {"id-1": "LEADS"}) == [
        "about wanted or missing",
        "on the list LEADS or id-2",
        "of the unit Zone 1",
        "seen within 500 m of 41.9,-87.6",
        "at least high",
        "at least 80 % probable",
        "only mon,tue 08:00-16:00 America/Chicago",
    ]
    assert wishes.in_words(pb.AlertFilter(), {}) == ["everything"]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"hours": "noon"}, "filter.hours"),
        ({"hours": "mon-fri 08:00-16:00\nday 08:00-09:00"}, "filter.hours"),
        ({"quiet_hours": "22-06"}, "filter.quiet_hours"),
        ({"around": "somewhere", "radius": "5"}, "around"),
        ({"around": "41.9, -87.6", "radius": "far"}, "around"),
        ({"area": "41.9,-87.6 here"}, "filter.areas"),
        ({"places": "41.9,-87.6"}, "places"),
        ({"min_match_percent": "half"}, "min_match_percent"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(form: dict[str, str], field: str) -> None:
    wrong: list[FieldViolation] = []

    wishes.wanted(_person(form), wrong)

    assert [one.field for one in wrong] == [field]


def test_days_may_run_over_the_weeks_end_and_the_zone_is_where_the_reader_is() -> None:
    form = {"hours": "sat-mon 22:00-06:00\n08:00-09:00 UTC", "time_zone": "America/Chicago"}

    over, zoned = wishes.wanted(_person(form), []).hours

    assert (list(over.days), over.time_zone) == ([1, 6, 7], "America/Chicago")
    assert (list(zoned.days), zoned.time_zone) == ([], "UTC")
