"""Areas of questions: what one is, how it is written down, and when a polygon is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

# WGS 84's mean radius; archive.meters_between counts with the same.
EARTH_RADIUS_METERS: Final = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees north and east."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Circle:
    """Everywhere within `radius_meters` of `center`."""

    center: Point
    radius_meters: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """Everywhere inside; the last corner is joined to the first."""

    corners: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class SensorGroup:
    """Wherever the sensors of the group were."""

    name: str


@dataclass(frozen=True, slots=True)
class Sensors:
    """Wherever these sensors were."""

    sensor_ids: tuple[str, ...]


Area: TypeAlias = Circle | Polygon | SensorGroup | Sensors


def area_values(area: Area) -> dict[str, object]:
    """The area as JSON-ready values, in the one form that the archive's functions take."""
    match area:
        case Circle(center, radius):
            return {"circle": [center.latitude, center.longitude, radius]}
        case Polygon(corners):
            return {"polygon": [[corner.latitude, corner.longitude] for corner in corners]}
        case SensorGroup(name):
            return {"group": name}
        case Sensors(sensor_ids):
            return {"sensors": list(sensor_ids)}


def area_text(area: Area | None) -> str:
    """The area as it is recorded and asked: compact JSON; empty for everywhere."""
    return "" if area is None else json.dumps(area_values(area), separators=(",", ":"))


def is_simple(corners: Sequence[Point]) -> bool:
    """Whether the polygon has an inside that nobody can dispute: corners apart, no two edges meeting.

    Neighbouring edges share their corner and no more.
    """
    count = len(corners)
    if len(set(corners)) != count:
        return False
    edges = [(corners[i], corners[(i + 1) % count]) for i in range(count)]
    for (i, first), (j, second) in combinations(enumerate(edges), 2):
        if j == i + 1 or (i == 0 and j == count - 1):
            if _folds_back(first, second):
                return False
        elif _meet(first, second):
            return False
    return True


def spans_antimeridian(corners: Sequence[Point]) -> bool:
    """Whether an edge is longer than half the way round the earth, so that the other way was meant."""
    longitudes = [corner.longitude for corner in corners]
    return max(longitudes) - min(longitudes) > 180  # noqa: PLR2004 -- degrees


_Edge: TypeAlias = tuple[Point, Point]


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive when a, b, c turn left, negative when right, 0 when they lie on a line."""
    return (b.longitude - a.longitude) * (c.latitude - a.latitude) - (b.latitude - a.latitude) * (
        c.longitude - a.longitude
    )


def _folds_back(first: _Edge, second: _Edge) -> bool:
    """Whether two edges with a common corner lie on one line and on the same side of the corner."""
    corner = next(point for point in first if point in second)
    a, b = (next(point for point in edge if point != corner) for edge in (first, second))
    along = (a.longitude - corner.longitude) * (b.longitude - corner.longitude)
    along += (a.latitude - corner.latitude) * (b.latitude - corner.latitude)
    return _turn(a, corner, b) == 0 and along > 0


def _meet(first: _Edge, second: _Edge) -> bool:
    a, b = first
    c, d = second
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return True
    touches = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(_turn(*three) == 0 and _is_between(*three) for three in touches)


def _is_between(a: Point, b: Point, c: Point) -> bool:
    """Whether c, which lies on the line through a and b, lies between them."""
    return min(a.latitude, b.latitude) <= c.latitude <= max(a.latitude, b.latitude) and min(
        a.longitude, b.longitude
    ) <= c.longitude <= max(a.longitude, b.longitude)
