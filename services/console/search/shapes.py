"""An answer in other shapes than a list: on a line of time, by weekday and hour, as points on a map."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from alpr.search.v1.search_service_pb2 import FoundRead
from services.console.words import moment

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHADES: Final = 4
_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Day:
    """The reads of one day: how many, the first and the last time of day, and the minutes that have some."""

    day: date
    count: int
    first: str
    last: str
    minutes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """How many reads each hour of each weekday has, as name of the day and counts; `shade` says how dark."""

    rows: tuple[tuple[str, tuple[int, ...]], ...]
    most: int

    def shade(self, count: int) -> int:
        """0 for none, to 4 for the most."""
        return -(-_SHADES * count // self.most) if count else 0


def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC without one, or where nobody knows it."""
    return ZoneInfo(name) if name in _zones() else UTC


def days(reads: Iterable[FoundRead], local: tzinfo) -> list[Day]:
    """The days that have reads, newest first."""
    by_day: defaultdict[date, list[datetime]] = defaultdict(list)
    for at in _moments(reads, local):
        by_day[at.date()].append(at)
    return [_day(day, sorted(found)) for day, found in sorted(by_day.items(), reverse=True)]


def hours(reads: Iterable[FoundRead], local: tzinfo) -> Hours:
    """The reads by weekday and hour."""
    counts = Counter((at.weekday(), at.hour) for at in _moments(reads, local))
    rows = [
        (name, tuple(counts[number, hour] for hour in range(_HOURS))) for number, name in enumerate(_WEEKDAYS)
    ]
    return Hours(tuple(rows), max(counts.values(), default=0))


def points(reads: Sequence[FoundRead]) -> list[Mapping[str, Any]]:
    """Where and when, for the map: without plates."""
    return [
        {
            "id": one.read.read_id,
            "lat": one.read.place.latitude,
            "lon": one.read.place.longitude,
            "time": f"{moment(one.read.capture_time):%Y-%m-%dT%H:%M:%SZ}",
            "label": one.read.place.description or one.read.sensor_id,
        }
        for one in reads
    ]


def _day(day: date, found: Sequence[datetime]) -> Day:
    minutes = sorted({60 * at.hour + at.minute for at in found})
    return Day(day, len(found), f"{found[0]:%H:%M}", f"{found[-1]:%H:%M}", tuple(minutes))


def _moments(reads: Iterable[FoundRead], local: tzinfo) -> Iterable[datetime]:
    return (moment(one.read.capture_time).astimezone(local) for one in reads)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
