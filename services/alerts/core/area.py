"""Places on the map that a subscription is about, and whether a point lies in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import TypeAlias

# WGS 84's mean radius.
EARTH_RADIUS_METERS = 6_371_008.8


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
    """Everywhere inside; the last corner is joined to the first. Without corners it is nowhere."""

    corners: tuple[Point, ...]


Area: TypeAlias = Circle | Polygon
NOWHERE = Polygon(())


def meters_between(a: Point, b: Point) -> float:
    """Length of the great circle from `a` to `b`, by the haversine formula; within 0.6 % of the earth's."""
    north = radians(b.latitude - a.latitude)
    east = radians(b.longitude - a.longitude)
    h = sin(north / 2) ** 2 + cos(radians(a.latitude)) * cos(radians(b.latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_METERS * asin(min(1.0, sqrt(h)))


def lies_in(point: Point, area: Area) -> bool:
    """Whether `point` lies in `area`; a polygon is drawn in degrees, as on a map, and its edge counts."""
    if isinstance(area, Circle):
        return meters_between(point, area.center) <= area.radius_meters
    return _is_inside(point, area.corners)


def _is_inside(point: Point, corners: Sequence[Point]) -> bool:
    # Most places are nowhere near most areas.
    if not any(corner.latitude >= point.latitude for corner in corners):
        return False
    if not any(corner.latitude <= point.latitude for corner in corners):
        return False
    inside = False
    for a, b in pairwise((*corners, *corners[:1])):
        if _is_on(point, a, b):
            return True
        # Each edge that a ray to the east crosses takes the point in or out.
        if (a.latitude > point.latitude) != (b.latitude > point.latitude):
            share = (point.latitude - a.latitude) / (b.latitude - a.latitude)
            inside ^= point.longitude < a.longitude + share * (b.longitude - a.longitude)
    return inside


def _is_on(point: Point, a: Point, b: Point) -> bool:
    turn = (b.longitude - a.longitude) * (point.latitude - a.latitude)
    turn -= (b.latitude - a.latitude) * (point.longitude - a.longitude)
    return (
        turn == 0
        and min(a.latitude, b.latitude) <= point.latitude <= max(a.latitude, b.latitude)
        and min(a.longitude, b.longitude) <= point.longitude <= max(a.longitude, b.longitude)
    )
