"""A read on its way into the archive: what it must have, and when two are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from struct import pack
from typing import Final
from uuid import UUID

from services.common.canonical import to_microseconds

_HASH_BYTES: Final = 32
# A sensor whose clock is minutes fast writes wrong times, and the time is half of what a read says.
_FAST_CLOCK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Image:
    """Which image shows the read, and the key that opens it."""

    sha256: bytes
    day: date | None
    media_type: str
    size_bytes: int
    key: bytes | None


@dataclass(frozen=True, slots=True)
class NewRead:
    """A read as the matcher sent it. None stands for what may be missing from an incomplete one.

    `recognition` is a serialized alpr.type.v1.Read with lattice, states, types, plate box and corners only,
    `original` the whole serialized message, for quarantine. `motor_carrier` is true for a sensor of the Motor
    Carrier Safety system, whose reads no question about plates sees (ENF-051 II.H).
    """

    read_id: UUID
    capture_time: datetime | None
    receive_time: datetime | None
    plate: str
    state: str | None
    sensor_id: str
    agency_ori: str
    sensor_group: str
    provenance: str
    latitude: float | None
    longitude: float | None
    place: str
    confidence: float | None
    recognition: bytes
    model_version: str
    sender_read_id: str
    image: Image | None
    match_revision: int
    original: bytes
    motor_carrier: bool = False


def shortcoming(read: NewRead, now: datetime) -> str | None:
    """Why `read` cannot be stored, in words that hold nothing of its content; None for one that can.

    A read is image, date, time and place (ENF-051 II.J). What lacks one is kept apart and never searched.
    """
    image = read.image
    reasons = (
        (read.capture_time is None, "no capture time"),
        (_is_ahead(read.capture_time, now), "capture time lies in the future"),
        (not _is_named_by(read.read_id, read.capture_time), "read id does not name the capture time"),
        (read.receive_time is None, "no receive time"),
        (not _is_on_earth(read.latitude, read.longitude), "no place"),
        (image is None or len(image.sha256) != _HASH_BYTES, "no image"),
        (
            image is not None and not _is_of_day(image, read.capture_time),
            "image day is not the day of capture",
        ),
    )
    return next((reason for fails, reason in reasons if fails), None)


def _is_on_earth(latitude: float | None, longitude: float | None) -> bool:
    """Whether the point is one of WGS 84. NaN compares false with everything, so it is on no earth."""
    if latitude is None or longitude is None:
        return False
    return -90 <= latitude <= 90 and -180 <= longitude <= 180  # noqa: PLR2004 -- degrees


def _is_ahead(captured: datetime | None, now: datetime) -> bool:
    return captured is not None and is_ahead(captured, now)


def is_ahead(captured: datetime, now: datetime) -> bool:
    """Whether `captured` lies further in the future than a fast clock of a camera explains."""
    return captured > now + _FAST_CLOCK


def _is_named_by(read_id: UUID, capture_time: datetime | None) -> bool:
    """Whether the UUIDv7 names the millisecond of the capture, by which the archive finds it."""
    return capture_time is not None and read_id.int >> 80 == to_microseconds(capture_time) // 1000


def _is_of_day(image: Image, capture_time: datetime | None) -> bool:
    """Whether the image goes when its read goes: both are purged by UTC day of capture."""
    return capture_time is not None and image.day == capture_time.astimezone(UTC).date()


def content_digest(read: NewRead) -> bytes:
    """SHA-256 over what makes `read` this read: a repeat has the same digest, a clash of ids another one.

    Left out is what may differ between two sendings of one read: when it reached us, what the registry says
    about its sensor, the hot-list revision, and the probabilities, whose last digits depend on the batch that
    the recogniser ran.
    """
    image = read.image
    fields = (
        read.read_id.bytes,
        read.sensor_id.encode(),
        read.sender_read_id.encode(),
        _moment(read.capture_time),
        _degrees(read.latitude),
        _degrees(read.longitude),
        read.place.encode(),
        read.plate.encode(),
        image.sha256 if image else b"",
        image.media_type.encode() if image else b"",
        str(image.size_bytes).encode() if image else b"",
    )
    # Each field carries its length, so that no two different reads spell the same bytes.
    return sha256(b"".join(b"%d:%b," % (len(field), field) for field in fields)).digest()


def _moment(moment: datetime | None) -> bytes:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").encode() if moment else b""


def _degrees(value: float | None) -> bytes:
    return pack(">d", value) if value is not None and math.isfinite(value) else b""


@dataclass(frozen=True, slots=True)
class JudgedRead:
    """A read with what forbids to store it, None when nothing does."""

    read: NewRead
    shortcoming: str | None


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of one read; `status` is the name of an alpr.type.v1.ReadStatus without its prefix."""

    read_id: UUID
    status: str
    reason: str
