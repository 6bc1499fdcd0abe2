"""Reads along a line of time, a lane for each place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.search.core.report import ReportedRead, Site

_MOST_LANES: Final = 10
_MOST_TICKS: Final = 8
_LEAST: Final = timedelta(hours=1)
_STEPS: Final = tuple(
    timedelta(minutes=minutes)
    for minutes in (10, 30, 60, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 30 * 1440, 365 * 1440)
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of the scale with its words; `at` is 0 at the left end and 1 at the right."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The moments of one place, or of all that have no lane of their own."""

    letter: str
    name: str
    moments: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes under one scale; moments are 0 to 1 as `Tick.at`."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    step: timedelta


def timeline_of(
    reads: Sequence[ReportedRead], sites: Sequence[Site], letters: Mapping[UUID, str]
) -> Timeline:
    """The timeline of `reads`, from the first to the last with room on both sides; places as in `sites`.

    Raises:
        ValueError: There is no read.
    """
    if not reads:
        raise ValueError("a timeline of no read")
    first, last = min(r.capture_time for r in reads), max(r.capture_time for r in reads)
    room = max((last - first) / 20, (_LEAST - (last - first)) / 2)
    start, length = first - room, last - first + 2 * room

    def at(time: datetime) -> float:
        return (time - start) / length

    own = {site.letter for site in sites[:_MOST_LANES]}
    rest = f"{len(sites) - _MOST_LANES} more places" if len(sites) > _MOST_LANES else "places redacted"
    lanes = [
        Lane(
            site.letter,
            site.description or site.sensor_id,
            tuple(at(read.capture_time) for read in reads if letters[read.read_id] == site.letter),
        )
        for site in sites[:_MOST_LANES]
    ]
    others = tuple(at(read.capture_time) for read in reads if letters[read.read_id] not in own)
    if others:
        lanes.append(Lane("…", rest, others))
    step = next(one for one in _STEPS if length / one <= _MOST_TICKS or one == _STEPS[-1])
    return Timeline(tuple(lanes), tuple(_ticks(start, length, step)), step)


def _ticks(start: datetime, length: timedelta, step: timedelta) -> Sequence[Tick]:
    # Midnight of a day, a full hour: multiples of the step since 1970 are what people call round.
    first = _EPOCH + -(-(start - _EPOCH) // step) * step
    day = timedelta(days=1)
    form = "%Y-%m-%d" if step >= day else "%m-%d %H:%M"
    count = (start + length - first) // step + 1
    return [
        Tick((first + n * step - start) / length, (first + n * step).strftime(form)) for n in range(count)
    ]
