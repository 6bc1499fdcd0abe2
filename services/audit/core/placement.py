"""Where a sensor stands, from one moment to another (ENF-051 II.C, II.I, IV.C.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# A place is approved before the sensor stands there; a day covers what was written down on paper first.
LATEST_APPROVAL = timedelta(days=1)
LONGEST_PERIOD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Place:
    """A point in degrees, WGS 84, and words for it."""

    latitude: float
    longitude: float
    description: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A place, from `start_time` up to, not including, `end_time`; None is an open end."""

    placement_id: str
    place: Place
    start_time: datetime
    end_time: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether the sensor stands there at `moment`."""
        return self.start_time <= moment and (self.end_time is None or moment < self.end_time)

    def overlaps(self, other: Placement) -> bool:
        """Whether both have a moment in common."""
        if self.is_empty or other.is_empty:
            return False
        return (other.end_time is None or self.start_time < other.end_time) and (
            self.end_time is None or other.start_time < self.end_time
        )

    @property
    def is_empty(self) -> bool:
        """Whether it was taken back before it began."""
        return self.end_time is not None and self.end_time <= self.start_time


@dataclass(frozen=True, slots=True)
class Survey:
    """What a vendor's work order made of a fixed sensor: it stands at `place` since `work_time`."""

    place: Place
    work_time: datetime
    work_order: str
    escort_id: str


def is_free(period: Placement, placements: Iterable[Placement]) -> bool:
    """Whether `period` has no moment in common with any of `placements`."""
    return not any(period.overlaps(one) for one in placements)
