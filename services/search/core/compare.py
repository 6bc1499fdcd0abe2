"""Comparison of reads with a data set of plates, or of incidents with time and place (ENF-051 IV.C.3).

Every row stands in the recorded question as it is asked, so that the log can say of each plate and each place
who asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from services.common.canonical import LONGEST_ARGUMENT
from services.search.core.data_set import Incident, ListedPlate
from services.search.core.stakeout import Stakeout, weigh_visits


@dataclass(frozen=True, slots=True)
class Nearness:
    """What counts as being at an incident, and at how many of them a plate must have been."""

    meters: int
    minutes: int
    incidents: int


@dataclass(frozen=True, slots=True)
class SeenPlate:
    """A plate of the data set that was read; at most 20 of its sensors."""

    plate: str
    read_count: int
    first_us: int
    last_us: int
    sensor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlatesQuestion:
    """Which of these plates were read?"""

    kind: ClassVar[str] = "compare"
    plates: tuple[ListedPlate, ...]
    file_sha256: bytes

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return _arguments(self.values())

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_compare."""
        parts = list(joined(one.plate for one in self.plates))
        return "plates", self.file_sha256.hex(), 0, 0, 0, "", parts

    def weigh(self, evidence: Mapping[str, Any]) -> tuple[SeenPlate, ...]:
        """Those that were read, most reads first."""
        return tuple(
            SeenPlate(plate, count, first, last, tuple(sensors))
            for plate, count, first, last, sensors in evidence["plates"]
        )


@dataclass(frozen=True, slots=True)
class IncidentsQuestion:
    """Which plates were near several of these incidents? Days are those of the time zone."""

    kind: ClassVar[str] = "compare"
    incidents: tuple[Incident, ...]
    file_sha256: bytes
    nearness: Nearness
    time_zone: str

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return _arguments(self.values())

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_compare."""
        near = self.nearness
        parts = list(joined(one.text for one in self.incidents))
        how = (near.meters, near.minutes, near.incidents, self.time_zone)
        return "incidents", self.file_sha256.hex(), *how, parts

    def weigh(self, evidence: Mapping[str, Any]) -> Stakeout:
        """Who was near, weighed as at a stakeout; scenes are the incidents in their order."""
        return weigh_visits(evidence)


def joined(rows: Iterable[str]) -> Iterator[str]:
    """The rows, joined by semicolons, in texts that can each be recorded in clear."""
    part = ""
    for row in rows:
        longer = f"{part};{row}" if part else row
        if len(longer) > LONGEST_ARGUMENT:
            yield part
            longer = row
        part = longer
    if part:
        yield part


_NAMES = ("data_set", "file_sha256", "within_meters", "within_minutes", "min_incidents", "time_zone")


def _arguments(values: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    *first, parts = values
    rows = ((f"rows_{n}", part) for n, part in enumerate(parts, 1))
    return *((name, str(value)) for name, value in zip(_NAMES, first, strict=True)), *rows
