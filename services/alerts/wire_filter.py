"""Filters of alerts: message to value, with every check, and the text in which they are stored."""

import re
from collections.abc import Iterable
from datetime import time
from functools import cache
from typing import TypeVar
from zoneinfo import available_timezones

from google.protobuf import json_format

from alpr.alerts.v1 import alert_filter_pb2 as pb
from services.alerts.checks import Checks
from services.alerts.core.area import NOWHERE, Area, Circle, Point, Polygon
from services.alerts.core.hours import Hours
from services.alerts.core.model import Category, Severity
from services.alerts.core.subscription import Filter

T = TypeVar("T")

_MOST_NAMES = 100
_MOST_AREAS = 20
_MOST_HOURS = 20
_MOST_CORNERS = 100
_FEWEST_CORNERS = 3
_LONGEST_RADIUS_METERS = 1_000_000
_LONGEST_UNIT = 200
_CERTAIN = 100
_POLE = 90
_DATE_LINE = 180
_WEEK = frozenset(range(1, 8))
_CATEGORIES: frozenset[int] = frozenset(Category)
_SEVERITIES: frozenset[int] = frozenset(Severity)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_NAME = r"[a-z0-9-]{1,63}"


def parse_filter(message: pb.AlertFilter, checks: Checks) -> Filter:
    """The filter; notes in `checks` what is wrong. What narrows the floor is not wrong: it is widened."""
    for number, category in enumerate(message.categories):
        if category not in _CATEGORIES:
            checks.note(f"categories[{number}]", "a category of the contract")
    if message.min_severity and message.min_severity not in _SEVERITIES:
        checks.note("min_severity", "a severity of the contract")
    if not 0 <= message.min_match_percent <= _CERTAIN:
        checks.note("min_match_percent", f"0 to {_CERTAIN}")
    lists = _several(checks, "hot_list_ids", message.hot_list_ids, _MOST_NAMES)
    oris = _several(checks, "agency_oris", message.agency_oris, _MOST_NAMES)
    areas = _several(checks, "areas", message.areas, _MOST_AREAS)
    units = _several(checks, "units", message.units, _MOST_NAMES)
    return Filter(
        categories=frozenset(Category(one) for one in message.categories if one in _CATEGORIES),
        hot_list_ids=frozenset(checks.uuid(name, one) for name, one in lists),
        agency_oris=frozenset(checks.ori(name, one) for name, one in oris),
        sensor_groups=_names(checks, "sensor_groups", message.sensor_groups),
        sensor_ids=_names(checks, "sensor_ids", message.sensor_ids),
        areas=tuple(_area(one, checks.within(name)) for name, one in areas),
        min_severity=Severity(message.min_severity)
        if message.min_severity in _SEVERITIES
        else Severity.NOTICE,
        min_percent=message.min_match_percent,
        hours=_all_hours(checks, "hours", message.hours),
        quiet_hours=_all_hours(checks, "quiet_hours", message.quiet_hours),
        units=frozenset(checks.text(name, one, longest=_LONGEST_UNIT) for name, one in units),
    )


def filter_text(message: pb.AlertFilter) -> str:
    """`message` as it is stored: protobuf's JSON with the contract's names, on one line."""
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True, sort_keys=True)


def filter_message(text: str) -> pb.AlertFilter:
    """The message that `text` was made of."""
    return json_format.Parse(text, pb.AlertFilter())


def stored_filter(text: str) -> Filter:
    """The filter that `text` was made of.

    Raises:
        InvalidFieldError: It is none.
    """
    checks = Checks()
    found = parse_filter(filter_message(text), checks)
    checks.raise_if_any()
    return found


def _several(checks: Checks, field: str, values: Iterable[T], most: int) -> list[tuple[str, T]]:
    """The values, each with its path; none when they are too many."""
    found = list(values)
    if len(found) > most:
        checks.note(field, f"at most {most}")
        return []
    return [(f"{field}[{number}]", value) for number, value in enumerate(found)]


def _names(checks: Checks, field: str, values: Iterable[str]) -> frozenset[str]:
    rule = "lower case letters, digits and dashes, 1 to 63"
    several = _several(checks, field, values, _MOST_NAMES)
    return frozenset(checks.matching(name, value, _NAME, rule) for name, value in several)


def _area(message: pb.MapArea, checks: Checks) -> Area:
    match message.WhichOneof("shape"):
        case "circle":
            return _circle(message.circle, checks.within("circle"))
        case "polygon":
            return _polygon(message.polygon, checks.within("polygon"))
        case _:
            return NOWHERE


def _circle(message: pb.MapCircle, checks: Checks) -> Area:
    if not message.HasField("center"):
        checks.note("center", "required")
    # NaN compares false with everything, so it is no radius.
    if not 1 <= message.radius_meters <= _LONGEST_RADIUS_METERS:
        checks.note("radius_meters", f"1 to {_LONGEST_RADIUS_METERS:,}")
    return Circle(_point(message.center, checks.within("center")), message.radius_meters)


def _polygon(message: pb.MapPolygon, checks: Checks) -> Area:
    if not _FEWEST_CORNERS <= len(message.corners) <= _MOST_CORNERS:
        checks.note("corners", f"{_FEWEST_CORNERS} to {_MOST_CORNERS}")
        return NOWHERE
    corners = [_point(one, checks.within(f"corners[{n}]")) for n, one in enumerate(message.corners)]
    longitudes = [corner.longitude for corner in corners]
    if max(longitudes) - min(longitudes) > _DATE_LINE:
        checks.note("corners", "must not reach over the antimeridian; give each side an area")
    return Polygon(tuple(corners))


def _point(message: pb.MapPoint, checks: Checks) -> Point:
    if not -_POLE <= message.latitude <= _POLE:
        checks.note("latitude", "-90 to 90 degrees")
    if not -_DATE_LINE <= message.longitude <= _DATE_LINE:
        checks.note("longitude", "-180 to 180 degrees")
    return Point(message.latitude, message.longitude)


def _all_hours(checks: Checks, field: str, values: Iterable[pb.WeeklyHours]) -> tuple[Hours, ...]:
    several = _several(checks, field, values, _MOST_HOURS)
    return tuple(_hours(one, checks.within(name)) for name, one in several)


def _hours(message: pb.WeeklyHours, checks: Checks) -> Hours:
    if not _WEEK.issuperset(message.days):
        checks.note("days", "1 (Monday) to 7 (Sunday)")
    if message.time_zone not in _zones():
        checks.note("time_zone", 'a name of the IANA time zone database, for instance "America/Chicago"')
    return Hours(
        days=frozenset(message.days) or _WEEK,
        begin=_clock(message.begin, checks, "begin"),
        end=_clock(message.end, checks, "end"),
        zone=message.time_zone,
    )


def _clock(text: str, checks: Checks, field: str) -> time:
    if _CLOCK.fullmatch(text):
        return time.fromisoformat(text)
    checks.note(field, 'a time of the day, "00:00" to "23:59"')
    return time()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
