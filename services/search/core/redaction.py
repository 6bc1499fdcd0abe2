"""Reports without what their recipient may not see (ENF-051 IV.B.1)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.search.core.dissemination import Field
from services.search.core.report import NO_PICTURES, Report, ReportedRead, Why

REDACTED: Final = "[redacted]"
COUNTS: Final = ("Reads asked for", "Not in it")
"""What a report says of its question that tells nothing of any read."""


def redacted(report: Report, fields: AbstractSet[Field]) -> Report:
    """The report without `fields`, in every form of it.

    Reads get numbers for ids then: an id tells the millisecond of capture, and leads back to everything else.
    """
    hidden = fields - {Field.NONE}
    if not hidden:
        return report
    reads = tuple(_read(read, number, hidden) for number, read in enumerate(report.reads, start=1))
    changes: dict[str, Any] = {"reads": reads, "asked": _asked(report, hidden)}
    if Field.PLATE in hidden:
        changes["title"] = f"{len(reads)} read(s), plates redacted"
    if Field.CASE in hidden:
        changes["why"] = Why("", REDACTED, "", REDACTED, "")
    if Field.TIME in hidden:
        changes |= {name: _day(getattr(report, name)) for name in ("searched_from", "searched_to")}
    return replace(report, **changes)


def _asked(report: Report, hidden: AbstractSet[Field]) -> tuple[tuple[str, str], ...]:
    """What was redacted stands in the file; words of the person who asked may hold anything, and go."""
    names = ", ".join(sorted(field.value for field in hidden))
    counts = tuple((name, value) for name, value in report.asked if name in COUNTS)
    return (*counts, ("Redacted", names))


def _read(read: ReportedRead, number: int, hidden: AbstractSet[Field]) -> ReportedRead:
    changes: dict[str, Any] = {"read_id": UUID(int=number)}
    if Field.PLATE in hidden:
        changes |= {"plate": REDACTED, "state": "", "confidence": None}
    if Field.PLACE in hidden:
        changes |= dict.fromkeys(("place", "sensor_id", "sensor_group", "agency_ori"), REDACTED)
        changes |= {"latitude": None, "longitude": None, "provenance": ""}
    # A picture shows the plate and the place, whatever the text says.
    if hidden & {Field.PICTURE, Field.PLATE, Field.PLACE}:
        changes |= {"pictures": NO_PICTURES, "image_sha256": b""}
    if Field.TIME in hidden:
        changes |= {name: _day(getattr(read, name)) for name in ("capture_time", "receive_time")}
    return replace(read, **changes)


def _day(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
