"""Counts of reads by time, place or origin. No plate is in them (ENF-051 IV.C.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from services.common.canonical import argument_value
from services.search.core.area import Area, area_text


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One count; `values` are those of the dimensions, in their order."""

    values: tuple[str, ...]
    read_count: int
    plate_count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Rows in the order of their values; `read_count` is that of rows left out, too."""

    rows: tuple[SummaryRow, ...]
    read_count: int


@dataclass(frozen=True, slots=True)
class SummaryQuestion:
    """How many reads were there in the area, None for everywhere?

    `dimensions` are those that archive.find_summary knows.
    """

    kind: ClassVar[str] = "summary"
    dimensions: tuple[str, ...]
    area: Area | None
    time_zone: str
    count_plates: bool

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return (
            ("by", ",".join(self.dimensions)),
            ("area", argument_value(area_text(self.area))),
            ("time_zone", self.time_zone),
            ("count_plates", "yes" if self.count_plates else "no"),
        )

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_summary."""
        return list(self.dimensions), area_text(self.area), self.time_zone, self.count_plates

    def weigh(self, evidence: Mapping[str, Any]) -> Summary:
        """What archive.find_summary counted."""
        return Summary(
            rows=tuple(
                SummaryRow(tuple(values), reads, plates) for values, reads, plates in evidence["rows"]
            ),
            read_count=int(evidence["reads"]),
        )
