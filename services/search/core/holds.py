"""Legal holds, and what is older than the retention period (ENF-051 IV.E.1, IV.E.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from services.search.core.answer import FoundRead

_NAMESPACE: Final = UUID("0d0f6a52-7a55-5f0a-8a52-1f2ab4c5d6e7")
# The daily run has a day's time, and what ended this midnight may wait for it.
_DUE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class HoldRule:
    """Which reads a hold covers: of these plates, or of all when there are none, and so for sensors."""

    plates: tuple[str, ...]
    sensor_ids: tuple[str, ...]
    from_time: datetime
    to_time: datetime


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold that is to be placed."""

    hold_id: UUID
    rule: HoldRule
    document_sha256: bytes
    reason: str
    case_number_kind: str
    case_number: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stands; `released_at` is None while it is in force."""

    hold_id: UUID
    agency_ori: str
    approver_id: str
    case_number_kind: str
    case_number: str
    document_sha256: bytes
    reason: str
    placed_at: datetime
    from_time: datetime
    to_time: datetime
    plate_count: int
    sensor_ids: tuple[str, ...]
    matching_rows: int
    kept_rows: int
    released_at: datetime | None
    released_rows: int | None


class OlderReason(StrEnum):
    """Why something is older than the retention period; names of alpr.search.v1.OlderReason."""

    PURGE_DUE = "PURGE_DUE"
    OVERDUE = "OVERDUE"
    HOLD = "HOLD"
    EVIDENCE = "EVIDENCE"
    UNKNOWN = "UNKNOWN"
    COPY = "COPY"


@dataclass(frozen=True, slots=True)
class OlderData:
    """Something that is older; None for what cannot be told."""

    place: str
    count: int | None
    oldest: date | None
    reason: OlderReason


def hold_id(request_id: UUID) -> UUID:
    """The id of the hold that this request places."""
    return uuid5(_NAMESPACE, str(request_id))


def act_moment(moment: datetime) -> str:
    """A moment as it stands in an act that the archive checks (archive.act_moment)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def reason_of(why: str, oldest: date | None, first_kept: date) -> OlderReason:
    """The reason by what the database says; what is merely older is due or overdue."""
    if why != "OLDER":
        return OlderReason(why)
    if oldest is not None and oldest >= first_kept - _DUE:
        return OlderReason.PURGE_DUE
    return OlderReason.OVERDUE


def held_reads(rows: Iterable[Mapping[str, Any]]) -> list[FoundRead]:
    """The reads in the archive's JSON (archive.find_held)."""
    return [_held_read(row) for row in rows]


def _held_read(row: Mapping[str, Any]) -> FoundRead:
    return FoundRead(
        read_id=UUID(row["read_id"]),
        capture_time=datetime.fromisoformat(row["capture_time"]),
        receive_time=datetime.fromisoformat(row["receive_time"]),
        plate=row["plate"],
        sensor_id=row["sensor_id"],
        agency_ori=row["agency_ori"],
        sensor_group=row["sensor_group"],
        provenance=row["provenance"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        place=row["place"],
        recognition=_bytes(row["recognition"]),
        model_version=row["model_version"],
        sender_read_id=row["sender_read_id"],
        image_sha256=_bytes(row["image_sha256"]),
        image_day=date.fromisoformat(row["image_day"]),
        image_media_type=row["image_media_type"],
        image_size=row["image_size"],
        state=row["state"],
        confidence=row["confidence"],
    )


def _bytes(text: str) -> bytes:
    """Bytes as PostgreSQL writes them into JSON: backslash, x, hexadecimal."""
    return bytes.fromhex(text.removeprefix("\\x"))
