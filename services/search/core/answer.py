"""What a plate question is answered with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PlateQuestion:
    """One page of "where was this plate?". Times in UTC; `to_time` is exclusive.

    `from_time` and `to_time` are None where the caller left them out; audit then sets them.
    """

    plate: str
    from_time: datetime | None
    to_time: datetime | None
    page_size: int
    before_time: datetime | None = None
    before_read_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """Audit's word that a question may be asked, and in which window. The permit never shows in a repr."""

    authorization_id: str
    permit: str = field(repr=False)
    account_id: str
    from_time: datetime
    to_time: datetime


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


def rows_digest(read_ids: Iterable[UUID]) -> bytes:
    """SHA-256 of the read ids as 16 raw bytes each, in order (RecordOutcome.rows_digest)."""
    return sha256(b"".join(read_id.bytes for read_id in read_ids)).digest()
