"""Corridors: who travelled along a line on the map, which way, and how fast (ENF-051 IV.C.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, TypeAlias

from services.common.canonical import argument_value
from services.search.core.area import Point

Direction: TypeAlias = Literal["either", "forward", "backward"]
_KILOMETERS_PER_HOUR: Final = 3.6
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A plate at a camera beside the line, so many metres from the line's first point and off the line."""

    sensor_id: str
    time_us: int
    along_meters: float
    beside_meters: float


@dataclass(frozen=True, slots=True)
class Journey:
    """One plate, one way along the line; passages oldest first."""

    plate: str
    passages: tuple[Passage, ...]

    @property
    def is_forward(self) -> bool:
        """Whether it went from the line's first point to its last."""
        return self.passages[-1].along_meters > self.passages[0].along_meters

    @property
    def distance_meters(self) -> float:
        """Along the line, from the first to the last passage."""
        return abs(self.passages[-1].along_meters - self.passages[0].along_meters)

    @property
    def kilometers_per_hour(self) -> float:
        """Mean speed along the line; 0 when no time passed."""
        seconds = (self.passages[-1].time_us - self.passages[0].time_us) / _MICROSECONDS
        return self.distance_meters / seconds * _KILOMETERS_PER_HOUR if seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Corridor:
    """Journeys, oldest first."""

    journeys: tuple[Journey, ...]
    line_meters: float


@dataclass(frozen=True, slots=True)
class CorridorQuestion:
    """Who was at `min_cameras` cameras or more within so many metres of the line, one after the other?

    No longer than `max_gap_minutes` lie between two of them.
    """

    kind: ClassVar[str] = "corridor"
    line: tuple[Point, ...]
    within_meters: int
    direction: Direction
    min_cameras: int
    max_gap_minutes: int

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return (
            ("line", argument_value(line_text(self.line))),
            ("within_meters", str(self.within_meters)),
            ("direction", self.direction),
            ("min_cameras", str(self.min_cameras)),
            ("max_gap_minutes", str(self.max_gap_minutes)),
        )

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_corridor."""
        return (
            line_text(self.line),
            self.within_meters,
            self.direction,
            self.min_cameras,
            self.max_gap_minutes,
        )

    def weigh(self, evidence: Mapping[str, Any]) -> Corridor:
        """What archive.find_corridor found."""
        return Corridor(
            journeys=tuple(
                Journey(plate, tuple(Passage(*values) for values in passages))
                for plate, passages in evidence["journeys"]
            ),
            line_meters=float(evidence["line_meters"]),
        )


def line_text(line: Sequence[Point]) -> str:
    """The line as it is recorded and asked: compact JSON."""
    return json.dumps([[point.latitude, point.longitude] for point in line], separators=(",", ":"))
