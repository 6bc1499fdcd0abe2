"""Places of questions in the database: the same as in core, and nothing strange stands for everywhere."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from services.search.core.area import (
    EARTH_RADIUS_METERS,
    Area,
    Circle,
    Point,
    Polygon,
    SensorGroup,
    Sensors,
    area_text,
)
from tests.support.search_kit import archived_read, now

Connect = Callable[[str], Awaitable[asyncpg.Connection]]

CENTER = Point(41.978, -87.904)
SQUARE = Polygon((Point(41.9, -88.0), Point(41.9, -87.8), Point(42.0, -87.8), Point(42.0, -88.0)))
# A U: the notch between its arms is outside.
NOTCHED = Polygon(
    tuple(Point(y, x) for y, x in ((0, 0), (0, 3), (3, 3), (3, 2), (1, 2), (1, 1), (3, 1), (3, 0)))
)
IS_IN = "SELECT archive.is_in_place(archive.place_of($1), $2, $3, $4, $5)"


def meters(one: Point, other: Point) -> float:
    """Haversine, written a second time."""
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_METERS * math.asin(math.sqrt(h))


async def is_in(
    login: asyncpg.Connection, area: Area | None, point: Point, group: str = "north", sensor: str = "cam-1"
) -> bool:
    found: bool = await login.fetchval(IS_IN, area_text(area), point.latitude, point.longitude, group, sensor)
    return found


@pytest.mark.parametrize("bearing", range(0, 360, 30))
@pytest.mark.parametrize(
    "center", [CENTER, Point(0, 0), Point(-33.9, 151.2), Point(70, 179.999), Point(89.99, 12)]
)
async def test_a_circle_holds_what_is_just_inside_and_not_what_is_just_outside(
    connect: Connect, center: Point, bearing: int
) -> None:
    admin = await connect("admin")

    inside, outside = (travelled(center, bearing, distance) for distance in (1990, 2010))

    assert meters(center, inside) == pytest.approx(1990, abs=0.01)
    assert await is_in(admin, Circle(center, 2000), inside)
    assert not await is_in(admin, Circle(center, 2000), outside)


def travelled(start: Point, bearing: int, distance: float) -> Point:
    """Where one comes to who goes so many metres from `start` in that direction."""
    angle, way, a = math.radians(bearing), distance / EARTH_RADIUS_METERS, math.radians(start.latitude)
    b = math.asin(math.sin(a) * math.cos(way) + math.cos(a) * math.sin(way) * math.cos(angle))
    across = math.atan2(
        math.sin(angle) * math.sin(way) * math.cos(a), math.cos(way) - math.sin(a) * math.sin(b)
    )
    longitude = (start.longitude + math.degrees(across) + 180) % 360 - 180
    return Point(math.degrees(b), longitude)


@pytest.mark.parametrize(
    ("polygon", "point", "inside"),
    [
        (SQUARE, Point(41.95, -87.9), True),
        (SQUARE, Point(41.9, -87.9), True),  # on an edge
        (SQUARE, Point(41.9, -88.0), True),  # on a corner
        (SQUARE, Point(41.899999, -87.9), False),
        (SQUARE, Point(41.95, -87.799999), False),
        (NOTCHED, Point(2, 0.5), True),
        (NOTCHED, Point(2, 1.5), False),
        (NOTCHED, Point(0.5, 1.5), True),
        (Polygon(NOTCHED.corners[::-1]), Point(2, 1.5), False),
    ],
)
async def test_a_polygon_holds_its_inside_and_its_edge(
    connect: Connect, polygon: Polygon, point: Point, inside: bool
) -> None:
    assert await is_in(await connect("admin"), polygon, point) is inside


async def test_a_group_and_a_list_of_sensors_are_told_by_name(connect: Connect) -> None:
    admin = await connect("admin")
    by_group, by_name = SensorGroup("north"), Sensors(("cam-1", "cam-2"))

    assert await is_in(admin, by_group, CENTER)
    assert not await is_in(admin, by_group, CENTER, group="south")
    assert await is_in(admin, by_name, CENTER)
    assert not await is_in(admin, by_name, CENTER, sensor="cam-3")
    assert await is_in(admin, None, Point(-90, 180))


@pytest.mark.parametrize(
    "area",
    [
        "{}",
        "[]",
        "1",
        "null",
        '"circle"',
        '["circle"]',
        '{"sphere": 1}',
        "everything",
        '{"circle": ["1,2", 0, 0]}',
        '{"circle": []}',
        '{"circle": null}',
        '{"polygon": null}',
        '{"polygon": []}',
        '{"polygon": [[1]]}',
        '{"sensors": null}',
        '{"sensors": 1}',
        '{"group": null}',
        '{"group": "north", "sensors": ["cam-1"]}',
    ],
)
async def test_what_is_no_area_is_refused_instead_of_standing_for_everywhere(
    connect: Connect, area: str
) -> None:
    admin = await connect("admin")

    with pytest.raises(asyncpg.DataError):
        await admin.fetchval("SELECT archive.place_of($1)", area)


async def test_a_place_has_the_sensors_whose_reads_were_near_with_their_days(
    connect: Connect, append: Callable[..., Awaitable[object]]
) -> None:
    admin, captured = await connect("admin"), now() - timedelta(days=2)
    near, far = archived_read(captured, plate="NEAR1"), archived_read(captured, plate="FAR1")
    near.read.sensor_id, far.read.sensor_id, far.read.place.latitude = "cam-near", "cam-far", 40.0
    await append([near, far])

    rows = await admin.fetch(
        "SELECT * FROM archive.place_sensors(archive.place_of($1), $2, $3)",
        area_text(Circle(CENTER, 500)),
        (captured - timedelta(days=3)).date(),
        now().date(),
    )

    assert [tuple(row) for row in rows] == [("cam-near", captured.date())]


@pytest.mark.parametrize(
    "area", [Circle(CENTER, 150_000), Circle(Point(70, 179.999), 150_000), SensorGroup("wide-group")]
)
async def test_a_large_place_or_a_group_has_its_sensors_on_all_days_that_they_were_seen(
    connect: Connect, append: Callable[..., Awaitable[object]], area: Area
) -> None:
    admin, today = await connect("admin"), now().date()
    for days, sensor, group in (
        (5, "cam-wide", "wide-group"),
        (3, "cam-wide", "wide-group"),
        (4, "cam-other", "x"),
    ):
        one = archived_read(now() - timedelta(days=days))
        one.read.sensor_id, one.sensor_group = sensor, group
        if isinstance(area, Circle):
            one.read.place.latitude, one.read.place.longitude = area.center.latitude, area.center.longitude
        await append([one])

    rows = await admin.fetch(
        "SELECT * FROM archive.place_sensors(archive.place_of($1), $2, $3) WHERE sensor_id LIKE 'cam-wide%'",
        area_text(area),
        today - timedelta(days=30),
        today,
    )

    assert sorted((today - row["day"]).days for row in rows) == [3, 4, 5]


async def test_named_sensors_are_looked_up_on_every_day_of_the_window(connect: Connect) -> None:
    admin, today = await connect("admin"), now().date()

    rows = await admin.fetch(
        "SELECT * FROM archive.place_sensors(archive.place_of($1), $2, $3) ORDER BY 1, 2",
        area_text(Sensors(("b", "a"))),
        today - timedelta(days=1),
        today,
    )

    assert [(row["sensor_id"], (today - row["day"]).days) for row in rows] == [
        ("a", 1),
        ("a", 0),
        ("b", 1),
        ("b", 0),
    ]


@pytest.mark.parametrize(
    ("plate", "folded"), [("OQD0", "0000"), ("IL1", "111"), ("Z2S5G6B8", "22556688"), ("AC?*", "AC?*")]
)
async def test_characters_that_are_taken_for_each_other_fold_to_one(
    connect: Connect, plate: str, folded: str
) -> None:
    assert await (await connect("admin")).fetchval("SELECT archive.folded($1)", plate) == folded
