"""The pattern of one plate: where and when it is usually seen, as table and as map data (ENF-051 IV.C.3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from services.search.core.moments import from_microseconds

_QUARTER_SECONDS: Final = 900
_DAYS: Final = 7
_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Spot:
    """A place where the plate was seen; days are those of the question's time zone."""

    sensor_id: str
    agency_ori: str
    sensor_group: str
    provenance: str
    latitude: float
    longitude: float
    place: str
    read_count: int
    day_count: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Leg:
    """How often the plate went from one sensor to the next within two hours, and the median of the times."""

    from_sensor: str
    to_sensor: str
    count: int
    median_seconds: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """Places, most reads first; ways between them, most frequent first; reads by weekday and hour.

    `table` has seven rows, Monday first, of 24 hours each.
    """

    spots: tuple[Spot, ...]
    legs: tuple[Leg, ...]
    table: tuple[tuple[int, ...], ...]
    read_count: int
    day_count: int


@dataclass(frozen=True, slots=True)
class PatternQuestion:
    """Where and when is this plate usually seen?"""

    kind: ClassVar[str] = "pattern"
    plate: str
    time_zone: str

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return (("plate", self.plate), ("time_zone", self.time_zone))

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_pattern."""
        return self.plate, self.time_zone

    def weigh(self, evidence: Mapping[str, Any]) -> Pattern:
        """What archive.find_pattern counted, as tables."""
        return Pattern(
            spots=tuple(Spot(*values) for values in evidence["places"]),
            legs=tuple(Leg(*values) for values in evidence["legs"]),
            table=week_table(evidence["quarters"], ZoneInfo(self.time_zone)),
            read_count=int(evidence["reads"]),
            day_count=int(evidence["days"]),
        )


def week_table(quarters: Iterable[tuple[int, int]], zone: ZoneInfo) -> tuple[tuple[int, ...], ...]:
    """Reads by weekday and hour; `quarters` are quarters of an hour since 1970-01-01T00Z with their reads."""
    table = [[0] * _HOURS for _ in range(_DAYS)]
    for quarter, count in quarters:
        local = datetime.fromtimestamp(quarter * _QUARTER_SECONDS, UTC).astimezone(zone)
        table[local.weekday()][local.hour] += count
    return tuple(map(tuple, table))


def to_geojson(pattern: Pattern, plate: str, notice: Mapping[str, Any]) -> str:
    """Places as points and ways as lines (RFC 7946), with the notice as a member of the whole."""
    points = {spot.sensor_id: [spot.longitude, spot.latitude] for spot in reversed(pattern.spots)}
    lines = [leg for leg in pattern.legs if leg.from_sensor in points and leg.to_sensor in points]
    features = [_point(spot) for spot in pattern.spots]
    features += [_line(leg, points[leg.from_sensor], points[leg.to_sensor]) for leg in lines]
    document = {
        "type": "FeatureCollection",
        "notice": dict(notice),
        "plate": plate,
        "read_count": pattern.read_count,
        "features": features,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _point(spot: Spot) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [spot.longitude, spot.latitude]},
        "properties": {
            "sensor_id": spot.sensor_id,
            "place": spot.place,
            "agency_ori": spot.agency_ori,
            "sensor_group": spot.sensor_group,
            "provenance": spot.provenance,
            "read_count": spot.read_count,
            "day_count": spot.day_count,
            "first_time": from_microseconds(spot.first_us).isoformat(),
            "last_time": from_microseconds(spot.last_us).isoformat(),
            # A map program shows one point by itself, so the point says by itself what it is good for.
            "lead_only": True,
        },
    }


def _line(leg: Leg, start: list[float], end: list[float]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [start, end]},
        "properties": {
            "from_sensor_id": leg.from_sensor,
            "to_sensor_id": leg.to_sensor,
            "leg_count": leg.count,
            "median_seconds": leg.median_seconds,
            "lead_only": True,
        },
    }
