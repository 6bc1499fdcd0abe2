"""What a person types about subscriptions becomes what the contract says, and back."""

import json
from pathlib import Path

import pytest

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from services.cli.locate import CommandError
from services.cli.output import Output
from services.cli.subscription import Wanted, _show, choice, weekly_hours

CHICAGO = "America/Chicago"


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("22:00-06:00", [], "22:00", "06:00"),
        ("mon-fri 08:00-16:00", [1, 2, 3, 4, 5], "08:00", "16:00"),
        ("sat,sun 10:00-02:00", [6, 7], "10:00", "02:00"),
        ("fri-mon 00:00-00:00", [1, 5, 6, 7], "00:00", "00:00"),
        ("mon,wed-thu 09:00-10:00", [1, 3, 4], "09:00", "10:00"),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, days: list[int], begin: str, end: str) -> None:
    assert weekly_hours(text, CHICAGO) == filter_pb.WeeklyHours(
        days=days, begin=begin, end=end, time_zone=CHICAGO
    )


@pytest.mark.parametrize(
    "text", ["", "always", "8-16", "monday 08:00-16:00", "mon- 08:00-16:00x", "x-y 1:00-2:00"]
)
def test_what_are_no_hours_is_said_before_anything_is_sent(text: str) -> None:
    with pytest.raises(CommandError):
        weekly_hours(text, CHICAGO)


def test_every_option_becomes_its_field(tmp_path: Path) -> None:
    shape = {"type": "Polygon", "coordinates": [[[-88, 41], [-87, 41], [-87, 42], [-88, 41]]]}
    (tmp_path / "a.geojson").write_text(json.dumps(shape))

    chosen = Wanted(
        category=["amber", "wanted"],
        hot_list=["list-1"],
        agency=["IL0000001"],
        group=["north"],
        unit=["District 15"],
        sensor=["cam-1"],
        near=["41.88,-87.63,500"],
        within=[tmp_path / "a.geojson"],
        severity="high",
        match=80,
        hours=["08:00-16:00"],
        quiet=["22:00-06:00"],
    ).filter()

    assert {field.name for field, _ in chosen.ListFields()} == {
        field.name for field in filter_pb.AlertFilter.DESCRIPTOR.fields
    }
    assert list(chosen.categories) == [hit_pb2.HOT_LIST_CATEGORY_AMBER, hit_pb2.HOT_LIST_CATEGORY_WANTED]
    assert chosen.min_severity == alert_pb.SEVERITY_HIGH
    assert [area.WhichOneof("shape") for area in chosen.areas] == ["circle", "polygon"]
    assert len(chosen.areas[1].polygon.corners) == 3
    words = choice(chosen)
    for part in (
        "amber, wanted",
        "list-1",
        "north",
        "unit District 15",
        "500 m",
        "3 corners",
        "high",
        "80 %",
        "quiet",
    ):
        assert part in words


def test_nothing_chosen_is_everything() -> None:
    assert Wanted().filter() == filter_pb.AlertFilter()
    assert choice(filter_pb.AlertFilter()) == "everything"
    assert choice(filter_pb.AlertFilter(areas=[filter_pb.MapArea()])) == "nowhere"


@pytest.mark.clause("IV.D.2")
def test_the_person_is_told_that_the_floor_comes_anyway(capsys: pytest.CaptureFixture[str]) -> None:
    one = pb.Subscription(
        subscription_id="s-1",
        name="night [bold]shift",
        filter=filter_pb.AlertFilter(min_match_percent=100),
        widened=["min_match_percent"],
        floor=[hit_pb2.HOT_LIST_CATEGORY_AMBER, hit_pb2.HOT_LIST_CATEGORY_SILVER],
    )

    _show(one, Output(as_json=False))

    printed = capsys.readouterr().out
    assert "night [bold]shift" in printed
    assert "widened: amber, silver come whatever it says of min_match_percent" in printed
