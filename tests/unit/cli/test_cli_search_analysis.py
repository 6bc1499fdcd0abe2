"""Scenes and lines as people give them on the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alpr.search.v1.area_pb2 import Area, Circle, MapPoint
from services.cli.locate import CommandError
from services.cli.map_lines import line_points
from services.cli.search_scenes import parse_scene

CENTER = MapPoint(latitude=41.97, longitude=-87.9)


def test_a_scene_is_place_window_and_label() -> None:
    scene = parse_scene("41.97,-87.9,500;2026-11-20T14:00;2026-11-20T14:40;the bank; side door")

    assert scene.area == Area(circle=Circle(center=CENTER, radius_meters=500))
    start = getattr(scene, "from").ToDatetime(tzinfo=UTC)
    assert (start, scene.to.ToDatetime(tzinfo=UTC)) == (
        datetime(2026, 11, 20, 14, tzinfo=UTC),
        datetime(2026, 11, 20, 14, 40, tzinfo=UTC),
    )
    assert scene.label == "the bank; side door"


def test_a_scene_may_be_a_group_and_its_times_may_have_an_offset() -> None:
    scene = parse_scene("expressway-north;2026-11-20T08:00-06:00;2026-11-20 09:00-06:00")

    assert scene.area == Area(sensor_group="expressway-north")
    assert getattr(scene, "from").ToDatetime(tzinfo=UTC) == datetime(2026, 11, 20, 14, tzinfo=UTC)
    assert scene.label == ""


@pytest.mark.parametrize(
    "text", ["", "a;b", "g;yesterday;today", "1,2;2026-11-20;2026-11-21", "x.geojson;2026-11-20;2026-11-21"]
)
def test_what_is_no_scene_is_refused_in_words(text: str) -> None:
    with pytest.raises(CommandError, match=r"--scene takes|--near takes|cannot be read"):
        parse_scene(text)


def test_a_line_is_points_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "road.geojson"
    geometry = {"type": "LineString", "coordinates": [[-87.9, 41.97], [-87.8, 42]]}
    points = [CENTER, MapPoint(latitude=42, longitude=-87.8)]

    assert line_points("41.97,-87.9 42,-87.8") == points
    for document in (
        geometry,
        {"type": "Feature", "geometry": geometry},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry}]},
    ):
        file.write_text(json.dumps(document))
        assert line_points(str(file)) == points


@pytest.mark.parametrize("content", ["", "{}", '{"type": "Point", "coordinates": [1, 2]}', "[1]"])
def test_a_file_without_a_line_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "road.json"
    file.write_text(content)

    with pytest.raises(CommandError, match="one line"):
        line_points(str(file))


@pytest.mark.parametrize("text", ["41.97", "41.97,-87.9,3 1,2", "a,b c,d", "missing.geojson"])
def test_what_is_no_line_is_refused_in_words(text: str) -> None:
    with pytest.raises(CommandError):
        line_points(text)
