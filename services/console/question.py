"""What forms of questions share: a window of time, and a place.

Only what cannot be put into a request at all is refused here; everything else the services judge.
"""

from __future__ import annotations

from typing import Any, Final

from alpr.search.v1 import area_pb2 as pb
from services.common.errors import FieldViolation, InvalidFieldError
from services.console import moments
from services.console.door import Person

_POINT: Final = 2


def set_window(
    request: Any, person: Person, wrong: list[FieldViolation], *, prefix: str = "", path: str = ""
) -> None:
    """Sets `from` and `to` of the request, as far as the form has them; adds to `wrong` what is no moment.

    Args:
        request: A message with those two fields.
        person: Whose form has the fields PREFIXfrom and PREFIXto.
        wrong: Gets what is wrong.
        prefix: Of the form's fields.
        path: Before the names of the request's fields, for instance "scenes[0].".
    """
    for name in ("from", "to"):
        try:
            at = moments.moment(person, f"{prefix}{name}")
        except InvalidFieldError as error:
            wrong += [FieldViolation(f"{path}{name}", one.description) for one in error.violations]
            continue
        if at is not None:
            getattr(request, name).CopyFrom(at)


def area(
    person: Person, wrong: list[FieldViolation], *, prefix: str = "", path: str = "area"
) -> pb.Area | None:
    """The place that the form names, None for none; adds to `wrong` what cannot be read.

    The form's fields, each with `prefix`: around ("latitude, longitude") with radius (metres); area, which is
    "latitude,longitude latitude,longitude ..." of its corners; sensor_group; sensors (ids, commas between).
    """
    around, corners, group, sensors = (
        person.field(f"{prefix}{name}") for name in ("around", "area", "sensor_group", "sensors")
    )
    if sum(map(bool, (around, corners, group, sensors))) > 1:
        wrong.append(FieldViolation(path, "must be one place: a circle, an area, a group, or sensors"))
        return None
    if around:
        return pb.Area(circle=_circle(around, person.field(f"{prefix}radius"), wrong, path))
    if corners:
        return pb.Area(polygon=pb.Polygon(corners=points(corners, wrong, f"{path}.polygon")))
    if sensors:
        ids = [one.strip() for one in sensors.split(",")]
        return pb.Area(sensors=pb.SensorList(sensor_ids=filter(None, ids)))
    return pb.Area(sensor_group=group) if group else None


def points(text: str, wrong: list[FieldViolation], path: str) -> list[pb.MapPoint]:
    """The points of "latitude,longitude latitude,longitude ..."; adds to `wrong` where there are none."""
    try:
        return [_point(one) for one in text.replace(", ", ",").split()]
    except ValueError:
        wrong.append(FieldViolation(path, "must be corners as 41.97,-87.9 with blanks between them"))
        return []


def number(person: Person, name: str, wrong: list[FieldViolation]) -> int:
    """A whole number of the form, 0 where it is empty; adds to `wrong` what is none."""
    text = person.field(name)
    try:
        value = int(text or "0")
    except ValueError:
        value = -1
    if not 0 <= value < 2**31:
        wrong.append(FieldViolation(name, "must be a whole number"))
        return 0
    return value


def _circle(around: str, radius: str, wrong: list[FieldViolation], path: str) -> pb.Circle:
    circle = pb.Circle()
    try:
        circle.center.CopyFrom(_point(around.replace(", ", ",")))
    except ValueError:
        wrong.append(
            FieldViolation(f"{path}.circle.center", "must be latitude and longitude, as 41.97,-87.9")
        )
    try:
        circle.radius_meters = float(radius)
    except ValueError:
        wrong.append(FieldViolation(f"{path}.circle.radius_meters", "must be metres"))
    return circle


def _point(text: str) -> pb.MapPoint:
    parts = text.split(",")
    if len(parts) != _POINT:
        raise ValueError("not two numbers")
    latitude, longitude = map(float, parts)
    return pb.MapPoint(latitude=latitude, longitude=longitude)
