"""What a person wants to hear of (ENF-051 IV.D.1): out of a form, back into it, and in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from alpr.alerts.v1 import alert_filter_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.search.v1 import area_pb2
from alpr.type.v1 import hit_pb2
from services.common.errors import FieldViolation
from services.console import question, words
from services.console.door import Person

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE: Final = re.compile(r"(?:([a-z,-]+)\s+)?(\d\d:\d\d)-(\d\d:\d\d)(?:\s+(\S+))?", re.ASCII)
_NAMES: Final = {"agency_oris": "agency", "sensor_groups": "group", "units": "unit", "sensor_ids": "camera"}
"""Lists of names, written with commas between them, and what one is called."""
_TEXTS: Final = (
    *("name", "min_severity", "min_match_percent", "hours", "quiet_hours", "time_zone"),
    *("around", "radius", "area", "places", *_NAMES),
)
_SEVERAL: Final = ("categories", "hot_list_ids")
_NARROWED: Final = {
    "categories": "what it is about",
    "hot_list_ids": "lists",
    "agency_oris": "agencies",
    "sensor_groups": "groups of cameras",
    "sensor_ids": "cameras",
    "areas": "where",
    "min_severity": "how loud it is",
    "min_match_percent": "how probable it is",
    "hours": "hours",
    "quiet_hours": "hours without sound",
    "units": "units",
}


def sent(person: Person) -> dict[str, Any]:
    """The form as it was written."""
    return {name: person.field(name) for name in _TEXTS} | {name: person.fields(name) for name in _SEVERAL}


def empty() -> dict[str, Any]:
    """The form before anything is written in it."""
    return dict.fromkeys(_TEXTS, "") | {name: [] for name in _SEVERAL}


def wanted(person: Person, wrong: list[FieldViolation]) -> pb.AlertFilter:
    """The filter that the form means; adds to `wrong` what cannot be read. All else the service judges."""
    zone = person.field("time_zone")
    chosen = pb.AlertFilter(
        categories=_numbers(person.fields("categories")),
        hot_list_ids=person.fields("hot_list_ids"),
        areas=_areas(person, wrong),
        min_severity=words.one_of(alert_pb.Severity, person.field("min_severity")),
        min_match_percent=question.number(person, "min_match_percent", wrong),
        hours=_hours(person, "hours", zone, wrong),
        quiet_hours=_hours(person, "quiet_hours", zone, wrong),
    )
    for name in _NAMES:
        getattr(chosen, name).extend(filter(None, (one.strip() for one in person.field(name).split(","))))
    return chosen


def written(name: str, chosen: pb.AlertFilter) -> dict[str, Any]:
    """The form of what was chosen before."""
    circles = [one.circle for one in chosen.areas if one.HasField("circle")]
    polygons = [one.polygon for one in chosen.areas if one.HasField("polygon")]
    form = empty() | {
        "name": name,
        "categories": [str(one) for one in chosen.categories],
        "hot_list_ids": list(chosen.hot_list_ids),
        "min_severity": str(chosen.min_severity or ""),
        "min_match_percent": str(chosen.min_match_percent or ""),
        "hours": "\n".join(map(spoken, chosen.hours)),
        "quiet_hours": "\n".join(map(spoken, chosen.quiet_hours)),
        "area": _corners(polygons[0]) if polygons else "",
        "places": "\n".join([*map(_round, circles[1:]), *map(_corners, polygons[1:])]),
    }
    form |= {one: ", ".join(getattr(chosen, one)) for one in _NAMES}
    if circles:
        form |= {"around": _point(circles[0].center), "radius": f"{circles[0].radius_meters:g}"}
    return form


def in_words(chosen: pb.AlertFilter, lists: Mapping[str, str]) -> Sequence[str]:
    """What is chosen, one sentence for each thing that must hold; `lists` has names by id."""
    said = [
        _listed("about", words.words(chosen, "categories")),
        _listed("on the list", [lists.get(one, one) for one in chosen.hot_list_ids]),
        *(_listed(f"of the {what}", getattr(chosen, name)) for name, what in _NAMES.items()),
        _listed("seen", map(_place, chosen.areas)),
        f"at least {words.word(chosen, 'min_severity')}" if chosen.min_severity else "",
        f"at least {chosen.min_match_percent} % probable" if chosen.min_match_percent else "",
        _listed("only", map(spoken, chosen.hours)),
        _listed("without sound", map(spoken, chosen.quiet_hours)),
    ]
    return [one for one in said if one] or ["everything"]


def narrowed(names: Iterable[str]) -> str:
    """Fields that do not hold for what always comes, in words."""
    return ", ".join(_NARROWED.get(one, one) for one in names)


def spoken(hours: pb.WeeklyHours) -> str:
    """Hours as a line of the form has them: "mon,tue 08:00-16:00 America/Chicago"."""
    days = ",".join(DAYS[day - 1] for day in sorted(hours.days) if 0 < day <= len(DAYS))
    return f"{days} {hours.begin}-{hours.end} {hours.time_zone}".strip()


def _numbers(texts: Iterable[str]) -> list[Any]:
    return [number for number in map(lambda one: words.one_of(hit_pb2.HotListCategory, one), texts) if number]


def _areas(person: Person, wrong: list[FieldViolation]) -> list[pb.MapArea]:
    found = []
    if person.field("around"):
        found.append(
            _circle(f"{person.field('around').replace(', ', ',')} {person.field('radius')}", wrong, "around")
        )
    if person.field("area"):
        found.append(_polygon(person.field("area"), wrong, "filter.areas"))
    for line in filter(None, map(str.strip, person.field("places").splitlines())):
        make = _polygon if line.count(",") > 1 else _circle
        found.append(make(line, wrong, "places"))
    return found


def _circle(text: str, wrong: list[FieldViolation], field: str) -> pb.MapArea:
    place, _, metres = text.partition(" ")
    try:
        radius = float(metres)
    except ValueError:
        wrong.append(
            FieldViolation(field, "must be latitude and longitude with metres, as 41.97,-87.9 and 500")
        )
        return pb.MapArea()
    centers = [_map_point(one) for one in question.points(place, wrong, field)]
    circle = pb.MapCircle(radius_meters=radius)
    if centers:
        circle.center.CopyFrom(centers[0])
    return pb.MapArea(circle=circle)


def _polygon(text: str, wrong: list[FieldViolation], field: str) -> pb.MapArea:
    corners = [_map_point(one) for one in question.points(text, wrong, field)]
    return pb.MapArea(polygon=pb.MapPolygon(corners=corners))


def _map_point(point: area_pb2.MapPoint) -> pb.MapPoint:
    return pb.MapPoint(latitude=point.latitude, longitude=point.longitude)


def _hours(person: Person, name: str, zone: str, wrong: list[FieldViolation]) -> list[pb.WeeklyHours]:
    found = []
    for line in filter(None, map(str.strip, person.field(name).splitlines())):
        parts = _LINE.fullmatch(line)
        days = _days(parts[1] or "") if parts else None
        if parts is None or days is None:
            wrong.append(
                FieldViolation(f"filter.{name}", "must be like mon-fri 08:00-16:00, one line for each")
            )
            continue
        found.append(pb.WeeklyHours(days=days, begin=parts[2], end=parts[3], time_zone=parts[4] or zone))
    return found


def _days(text: str) -> list[int] | None:
    """The days of "mon-fri" or "sat,sun", from 1 for Monday; None where a day is none."""
    days: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            return None
        begin, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % len(DAYS)
        days |= {(begin + step) % len(DAYS) + 1 for step in range(length + 1)}
    return sorted(days)


def _listed(head: str, names: Iterable[str]) -> str:
    said = " or ".join(names)
    return f"{head} {said}" if said else ""


def _place(area: pb.MapArea) -> str:
    match area.WhichOneof("shape"):
        case "circle":
            return f"within {area.circle.radius_meters:g} m of {_point(area.circle.center)}"
        case "polygon":
            return f"inside an area of {len(area.polygon.corners)} corners"
        case _:
            return "nowhere"


def _round(circle: pb.MapCircle) -> str:
    return f"{_point(circle.center)} {circle.radius_meters:g}"


def _corners(polygon: pb.MapPolygon) -> str:
    return " ".join(map(_point, polygon.corners))


def _point(point: pb.MapPoint) -> str:
    return f"{point.latitude:.6g},{point.longitude:.6g}"
