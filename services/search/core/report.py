"""A report on reads, of which GeoJSON, CSV, HTML and PDF are made (ENF-051 IV.C.3, III.B.3.m)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.search.core.pictures import Pictures

NO_PICTURES: Final = Pictures(b"", b"")


@dataclass(frozen=True, slots=True)
class ReportedRead:
    """One read of a report. Times in UTC; degrees of WGS 84, None where redacted.

    `confidence` is 0 to 1, None when not known.
    """

    read_id: UUID
    capture_time: datetime
    receive_time: datetime
    plate: str
    state: str
    confidence: float | None
    sensor_id: str
    agency_ori: str
    sensor_group: str
    provenance: str
    latitude: float | None
    longitude: float | None
    place: str
    model_version: str
    image_sha256: bytes
    pictures: Pictures = NO_PICTURES


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the audit log that a report cites."""

    entry_id: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Who has the report and by which record: printed across every page, so that none goes astray."""

    account_id: str
    question: LogEntry
    outcome: LogEntry

    def line(self) -> str:
        """The mark in one line."""
        return (
            f"Account {self.account_id} · log entries {self.question.log_index} and {self.outcome.log_index}"
        )


@dataclass(frozen=True, slots=True)
class Why:
    """Case number and purpose as they were recorded."""

    case_number_kind: str
    case_number: str
    outside_agency: str
    purpose: str
    offence_code: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report, newest read first.

    Attributes:
        title: One line, for instance "Reads of plate AB1234".
        asked: What was asked, as pairs of name and value.
        notice: What the rows are good for (III.B.3.r).
        verification_state: How far the verification has come, for instance "NEW".
        made_time: When the report was made.
        recipient: For whom it was made, in words.
        due_to_delete: Until when it must be deleted, None when it need not be.
        has_more: There are older reads that the report does not show.
    """

    title: str
    asked: tuple[tuple[str, str], ...]
    searched_from: datetime
    searched_to: datetime
    why: Why
    notice: str
    verification_state: str
    mark: Mark
    made_time: datetime
    recipient: str
    due_to_delete: datetime | None
    reads: tuple[ReportedRead, ...]
    has_more: bool = False


_Spot = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Site:
    """A place of a report with its letter and how many of the reads are of it."""

    letter: str
    description: str
    sensor_id: str
    agency_ori: str
    latitude: float
    longitude: float
    count: int


def sites_of(reads: Sequence[ReportedRead]) -> tuple[Site, ...]:
    """The places of `reads`, those with the most reads first; a place is a sensor at a spot of some 10 m.

    Reads whose place was redacted have none.
    """
    groups: dict[_Spot, list[ReportedRead]] = {}
    for read in reads:
        if spot := _spot(read):
            groups.setdefault(spot, []).append(read)
    # Equal counts in the order of their sensors, so that the same reads always give the same letters.
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Site(
            letter=letter(number),
            description=group[0].place,
            sensor_id=group[0].sensor_id,
            agency_ori=group[0].agency_ori,
            latitude=spot[1],
            longitude=spot[2],
            count=len(group),
        )
        for number, (spot, group) in enumerate(ordered)
    )


def site_letters(reads: Sequence[ReportedRead], sites: Sequence[Site]) -> dict[UUID, str]:
    """The letter of each read's place; empty for one that has none."""
    by_spot = {(site.sensor_id, site.latitude, site.longitude): site.letter for site in sites}
    spots = ((read.read_id, _spot(read)) for read in reads)
    return {read_id: by_spot[spot] if spot else "" for read_id, spot in spots}


def _spot(read: ReportedRead) -> _Spot | None:
    if read.latitude is None or read.longitude is None:
        return None
    return read.sensor_id, round(read.latitude, 4), round(read.longitude, 4)


def letter(number: int) -> str:
    """A, B ... Z, AA, AB ...: the name of the place with that number, from 0."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def moment(time: datetime) -> str:
    """A moment for people, to the second, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S}"
