"""Stakeouts, patterns, counts, corridors and data sets: the parts that need no database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.wire import normalise_plate
from services.search.core.area import Circle, Point, Sensors
from services.search.core.compare import IncidentsQuestion, Nearness, PlatesQuestion, joined
from services.search.core.corridor import CorridorQuestion, Journey, Passage
from services.search.core.data_set import (
    MOST_INCIDENTS,
    DataSetError,
    Incident,
    ListedPlate,
    parse_incidents,
    parse_plates,
)
from services.search.core.habits import week_table
from services.search.core.stakeout import Scene, StakeoutQuestion, weigh_visits
from services.search.core.summary import SummaryQuestion

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
CHICAGO = ZoneInfo("America/Chicago")
_LONGEST_VALUE = 2_000


def test_a_scene_is_recorded_as_place_and_window_without_its_label() -> None:
    scene = Scene("the Smiths' garage", Circle(Point(41.5, -88), 300), NOON, NOON + timedelta(hours=1))
    question = StakeoutQuestion((scene, scene), 2, "America/Chicago")

    names = [name for name, _ in question.arguments()]
    assert names == ["min_scenes", "time_zone", "scene_1", "scene_2"]
    assert json.loads(scene.text) == {
        "area": {"circle": [41.5, -88, 300]},
        "from": "2026-11-01T12:00:00+00:00",
        "to": "2026-11-01T13:00:00+00:00",
    }
    assert "Smith" not in str(question.arguments())
    assert question.values() == (2, "America/Chicago", [scene.text, scene.text])


def test_a_scene_too_long_to_be_recorded_in_clear_is_recorded_by_its_digest() -> None:
    scene = Scene("", Sensors(tuple(f"{'s' * 60}{n:02d}" for n in range(60))), NOON, NOON)

    recorded = dict(StakeoutQuestion((scene, scene), 2, "UTC").arguments())["scene_1"]

    assert len(recorded) == 64
    assert len(scene.text) > _LONGEST_VALUE


def test_a_visitor_is_weighed_by_all_scenes_where_it_is_usual() -> None:
    visits = [[0, 1, 2, 1, ["a"]], [1, 1, 2, 1, ["b"]]]
    stranger, resident = (
        ["STRANGER", [[0, 1], [1, 1]], visits],
        ["RESIDENT", [[0, 80], [1, 85], [2, 90]], visits],
    )

    found = weigh_visits({"days": [90, 90, 90], "plates": [resident, stranger], "plates_considered": 400})

    assert [one.plate for one in found.visitors] == ["STRANGER", "RESIDENT"]
    assert found.visitors[0].chance.probability == pytest.approx(1 / 90**2)
    assert found.visitors[0].chance.expected == pytest.approx(400 / 90**2)
    assert found.visitors[1].chance.probability > 0.98
    assert (found.visitors[0].visits[1].usual_days, found.visitors[0].visits[1].days) == (1, 90)


def test_a_scene_as_long_as_the_window_says_nothing() -> None:
    visits = [[0, 1, 2, 1, ["a"]], [1, 1, 2, 1, ["b"]]]

    found = weigh_visits(
        {"days": [1, 90], "plates": [["P", [[0, 1], [1, 1]], visits]], "plates_considered": 1}
    )

    assert found.visitors[0].chance.probability == pytest.approx(1 / 90)


def quarter(moment: datetime) -> int:
    return int(moment.timestamp()) // 900


def test_a_week_is_counted_by_the_clock_on_the_wall_over_a_change_of_it() -> None:
    before, after = (
        datetime(2026, month, 2 if month == 11 else 26, 8, 5, tzinfo=CHICAGO) for month in (10, 11)
    )

    table = week_table([(quarter(before), 3), (quarter(after), 4)], CHICAGO)

    assert table[0][8] == 7
    assert sum(map(sum, table)) == 7


def test_a_week_has_quarters_of_an_hour_in_zones_that_have_them() -> None:
    local = datetime(2026, 11, 4, 23, 50, tzinfo=ZoneInfo("Asia/Kathmandu"))

    assert week_table([(quarter(local), 1)], ZoneInfo("Asia/Kathmandu"))[2][23] == 1


def test_a_question_about_counts_is_recorded_in_words() -> None:
    question = SummaryQuestion(("day", "sensor"), None, "UTC", True)

    assert question.arguments() == (
        ("by", "day,sensor"),
        ("area", ""),
        ("time_zone", "UTC"),
        ("count_plates", "yes"),
    )
    assert question.values() == (["day", "sensor"], "", "UTC", True)


def passage(along: float, seconds: int) -> Passage:
    return Passage("camera", seconds * 1_000_000, along, 3.0)


def test_a_journey_has_a_way_a_length_and_a_speed() -> None:
    there = Journey("AB123", (passage(100, 0), passage(4_000, 60), passage(10_100, 360)))
    back = Journey("AB123", tuple(reversed(there.passages)))

    assert (there.is_forward, back.is_forward) == (True, False)
    assert there.distance_meters == back.distance_meters == 10_000
    assert there.kilometers_per_hour == pytest.approx(100)
    assert Journey("AB123", (passage(0, 5), passage(9, 5))).kilometers_per_hour == 0


def test_a_line_is_recorded_as_its_points() -> None:
    question = CorridorQuestion((Point(41, -88), Point(42.5, -87.25)), 100, "either", 2, 60)

    assert question.arguments()[0] == ("line", "[[41,-88],[42.5,-87.25]]")
    assert question.values()[1:] == (100, "either", 2, 60)


@given(st.lists(st.text("ABC123", min_size=1, max_size=48), min_size=1, max_size=400))
def test_rows_are_recorded_whole_in_parts_that_fit(rows: list[str]) -> None:
    parts = list(joined(rows))

    assert ";".join(parts).split(";") == rows
    assert all(len(part) <= _LONGEST_VALUE for part in parts)


def test_the_largest_data_sets_fit_into_a_recorded_question() -> None:
    plates = PlatesQuestion(tuple(ListedPlate(f"{n:012d}", "") for n in range(3_000)), b"\0" * 32)
    incident = Incident(2, "", NOON, Point(-41.123456, -188.123456))
    incidents = IncidentsQuestion((incident,) * MOST_INCIDENTS, b"\0" * 32, Nearness(1, 1, 1), "UTC")

    for question in (plates, incidents):
        arguments = question.arguments()
        assert len(arguments) <= 32
        assert all(len(value) <= _LONGEST_VALUE for _, value in arguments)
        assert [value for name, value in arguments if name.startswith("rows_")] == question.values()[-1]


def test_plates_are_read_from_any_of_the_usual_csv_files() -> None:
    wanted = (ListedPlate("AB123", "a, b"), ListedPlate("CD456", ""))

    for file in (
        'plate,label\r\nab-123,"a, b"\r\nCD 456,\r\n',
        "\ufefflabel;Plate\na, b;AB123\n;CD456\n\n;AB123\n",
        "plate\tlabel\nAB123\ta, b\nCD456\t",
    ):
        assert parse_plates(file.encode(), normalise_plate) == wanted


def test_incidents_have_the_zone_that_they_name_or_that_of_the_question() -> None:
    file = (
        b"time,latitude,longitude,label\n2026-07-01T08:00,41.5,-88,x\n"
        b"2026-07-01T08:00:00Z,41.5,-88,\n2026-07-01 08:00:00-06:00,41.5,-88,\n"
    )

    found = parse_incidents(file, CHICAGO)

    assert [one.time.hour for one in found] == [13, 8, 14]
    assert [one.line for one in found] == [2, 3, 4]
    assert found[0].text == "2026-07-01T13:00:00+00:00 41.500000 -88.000000"
    assert found[0].label == "x"


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_the_answer_is_rows_or_what_is_wrong(file: bytes) -> None:
    for parse in (lambda: parse_plates(file, normalise_plate), lambda: parse_incidents(file, CHICAGO)):
        try:
            assert parse()
        except DataSetError as error:
            assert 1 <= len(error.mistakes) <= 20


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_mistake_repeats_what_is_in_the_file(text: str) -> None:
    try:
        parse_plates(f"plate\nSECRET{text}\n".encode(), normalise_plate)
    except DataSetError as error:
        assert "SECRET" not in str(error)


def test_only_the_first_mistakes_are_told() -> None:
    file = "plate\n" + "?\n" * 2_000

    with pytest.raises(DataSetError) as error:
        parse_plates(file.encode(), normalise_plate)

    assert len(error.value.mistakes) == 20
    assert error.value.mistakes[0].startswith("line 2: plate")
