"""What stored reads say about their sensors, added up until it is written (ENF-051 III.B.2.c)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.search.core.reads import AppendResult, NewRead

FAR_METRES: Final = 100.0
"""A fixed sensor's read from farther away than this did not come from where the sensor was surveyed."""
_EARTH_METRES: Final = 6_371_008.8
_COUNTED: Final = frozenset({"STORED", "QUARANTINED"})


def distance_metres(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """The distance of two points in degrees, along the surface of a sphere; exact to half a percent."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * (
        math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    )
    return 2 * _EARTH_METRES * math.asin(min(1.0, math.sqrt(half)))


def hour_of(moment: datetime) -> datetime:
    """The full hour that `moment`, in UTC, lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class HourCount:
    """One hour of one sensor: `reads` by when they were captured, all else by when it was received."""

    reads: int = 0
    received: int = 0
    quarantined: int = 0
    judged: int = 0
    far: int = 0
    least_delay: timedelta | None = None


@dataclass(slots=True)
class Newest:
    """The newest of one sensor; `drift_metres` is None where no surveyed place is known."""

    capture: datetime
    receipt: datetime
    drift_metres: float | None = None


@dataclass(slots=True)
class Activity:
    """Counts of all sensors since the last time that they were taken."""

    hours: dict[tuple[str, datetime], HourCount] = field(default_factory=dict)
    newest: dict[str, Newest] = field(default_factory=dict)

    def note(self, read: NewRead, result: AppendResult, now: datetime, drift_metres: float | None) -> None:
        """Counts a read that was just stored or kept apart; one that was there before only shows life.

        Args:
            read: As it came.
            result: What became of it.
            now: When it was stored; stands for the receipt of a read that has none.
            drift_metres: How far from its surveyed place a fixed sensor's read was taken.
        """
        receipt = min(read.receive_time or now, now)
        if result.status in _COUNTED:
            self._count(read, result, receipt, drift_metres)
        if read.capture_time is not None and result.status not in {"QUARANTINED", "CONFLICT"}:
            self._newer(read.sensor_id, Newest(read.capture_time, receipt, drift_metres))

    def _count(self, read: NewRead, result: AppendResult, receipt: datetime, drift: float | None) -> None:
        arrived = self._hour(read.sensor_id, receipt)
        arrived.received += 1
        if result.status == "QUARANTINED" or read.capture_time is None:
            arrived.quarantined += 1
            return
        self._hour(read.sensor_id, read.capture_time).reads += 1
        delay = receipt - read.capture_time
        arrived.least_delay = delay if arrived.least_delay is None else min(arrived.least_delay, delay)
        if drift is not None:
            arrived.judged += 1
            arrived.far += drift > FAR_METRES

    def _hour(self, sensor_id: str, moment: datetime) -> HourCount:
        key = (sensor_id, hour_of(moment))
        found = self.hours.get(key)
        if found is None:
            found = self.hours[key] = HourCount()
        return found

    def _newer(self, sensor_id: str, seen: Newest) -> None:
        known = self.newest.setdefault(sensor_id, seen)
        known.receipt = max(known.receipt, seen.receipt)
        if seen.capture >= known.capture:
            known.capture = seen.capture
            known.drift_metres = seen.drift_metres if seen.drift_metres is not None else known.drift_metres
