"""What a question is answered with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

# An error's trailer takes 8 KiB.
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Reads that a question may not look at; `reason` is an alpr.type.v1.LeftOutReason without its prefix.

    `sensor_group` is "" for all groups of the agency.
    """

    reason: str
    agency_ori: str
    sensor_group: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """Audit's word that a question may be asked, and in which window. The permit never shows in a repr."""

    authorization_id: str
    permit: str = field(repr=False)
    account_id: str
    from_time: datetime
    to_time: datetime
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """How many rows the kept answer has, the digest of what leaves, and whether there is more.

    The digest is SHA-256 of the read ids in their order, or of the computed answer's text.
    """

    row_count: int
    rows_digest: bytes
    has_more: bool


@dataclass(frozen=True, slots=True)
class FoundRead:
    """A read as the archive gives it out. There is no place in it for an image key."""

    read_id: UUID
    capture_time: datetime
    receive_time: datetime
    plate: str
    sensor_id: str
    agency_ori: str
    sensor_group: str
    provenance: str
    latitude: float
    longitude: float
    place: str
    recognition: bytes
    model_version: str
    sender_read_id: str
    image_sha256: bytes
    image_day: date
    image_media_type: str
    image_size: int
    state: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """Where a read's picture is, and what opens it; the key never shows in a repr.

    Attributes:
        sha256: Of the picture as the sensor sent it.
        day: UTC day of capture, under which it is stored.
        media_type: image/jpeg or image/png.
        size_bytes: Of the picture.
        key: 32 bytes, None where none came with the read.
        recognition: What the recogniser said, a serialized alpr.type.v1.Read: the plate's place is in it.
    """

    sha256: bytes
    day: date
    media_type: str
    size_bytes: int
    key: bytes | None = field(repr=False)
    recognition: bytes = field(repr=False)


def left_out_text(left_out: Sequence[LeftOut]) -> str:
    """What a question was not allowed to look at: "agency/group/reason", by commas; at most 20 of them."""
    named = [f"{one.agency_ori}/{one.sensor_group}/{one.reason}" for one in left_out[:_MOST_NAMED]]
    return ",".join([*named, *(["..."] if len(left_out) > _MOST_NAMED else [])])


def rows_digest(read_ids: Iterable[UUID]) -> bytes:
    """SHA-256 of the read ids as 16 raw bytes each, in order (RecordOutcome.rows_digest)."""
    return sha256(b"".join(read_id.bytes for read_id in read_ids)).digest()
