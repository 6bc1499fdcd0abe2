"""Areas: message to value, with every check."""

from __future__ import annotations

import re
from typing import Final

from alpr.search.v1 import area_pb2 as pb
from services.common.errors import FieldViolation
from services.search.core.area import (
    Area,
    Circle,
    Point,
    Polygon,
    SensorGroup,
    Sensors,
    is_simple,
    spans_antimeridian,
)

_MOST_CORNERS: Final = 100
_MOST_SENSORS: Final = 100
_LONGEST_RADIUS_METERS: Final = 200_000
_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")


def parse_area(field: str, area: pb.Area, wrong: list[FieldViolation]) -> Area | None:
    """The area, None where its shape is unset; adds what is wrong to `wrong`, each under the path `field`."""
    match area.WhichOneof("shape"):
        case "circle":
            return _circle(f"{field}.circle", area.circle, wrong)
        case "polygon":
            return _polygon(f"{field}.polygon", area.polygon, wrong)
        case "sensor_group":
            _check_name(f"{field}.sensor_group", area.sensor_group, wrong)
            return SensorGroup(area.sensor_group)
        case "sensors":
            return _sensors(f"{field}.sensors", area.sensors, wrong)
        case _:
            return None


def parse_point(field: str, point: pb.MapPoint, wrong: list[FieldViolation]) -> Point:
    """The point, to a tenth of a metre or so; adds to `wrong` where it is not on earth."""
    # NaN compares false with everything, so it is on no earth.
    if not -90 <= point.latitude <= 90:  # noqa: PLR2004 -- degrees
        wrong.append(FieldViolation(f"{field}.latitude", "must be -90 to 90"))
    if not -180 <= point.longitude <= 180:  # noqa: PLR2004 -- degrees
        wrong.append(FieldViolation(f"{field}.longitude", "must be -180 to 180"))
    return Point(round(point.latitude, 6), round(point.longitude, 6))


def _circle(field: str, circle: pb.Circle, wrong: list[FieldViolation]) -> Circle:
    if not circle.HasField("center"):
        wrong.append(FieldViolation(f"{field}.center", "must be set"))
    if not 1 <= circle.radius_meters <= _LONGEST_RADIUS_METERS:
        wrong.append(FieldViolation(f"{field}.radius_meters", f"must be 1 to {_LONGEST_RADIUS_METERS:,}"))
    center = parse_point(f"{field}.center", circle.center, wrong)
    return Circle(center, round(circle.radius_meters, 1))


def _polygon(field: str, polygon: pb.Polygon, wrong: list[FieldViolation]) -> Polygon:
    name = f"{field}.corners"
    if not 3 <= len(polygon.corners) <= _MOST_CORNERS:  # noqa: PLR2004 -- a triangle
        wrong.append(FieldViolation(name, f"must be 3 to {_MOST_CORNERS}"))
        return Polygon(())
    before = len(wrong)
    corners = tuple(parse_point(f"{name}[{i}]", corner, wrong) for i, corner in enumerate(polygon.corners))
    if len(wrong) == before:
        if spans_antimeridian(corners):
            wrong.append(FieldViolation(name, "must not reach over the antimeridian; ask for each side"))
        elif not is_simple(corners):
            wrong.append(FieldViolation(name, "must be different points whose edges do not cross or touch"))
    return Polygon(corners)


def _sensors(field: str, sensors: pb.SensorList, wrong: list[FieldViolation]) -> Sensors:
    name = f"{field}.sensor_ids"
    if not 1 <= len(sensors.sensor_ids) <= _MOST_SENSORS:
        wrong.append(FieldViolation(name, f"must be 1 to {_MOST_SENSORS}"))
        return Sensors(())
    for i, sensor_id in enumerate(sensors.sensor_ids):
        _check_name(f"{name}[{i}]", sensor_id, wrong)
    return Sensors(tuple(dict.fromkeys(sensors.sensor_ids)))


def _check_name(field: str, name: str, wrong: list[FieldViolation]) -> None:
    if not _NAME.fullmatch(name):
        wrong.append(FieldViolation(field, "must be lower case letters, digits and dashes, 1 to 63"))
