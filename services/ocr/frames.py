"""What the use case works with: a frame, the reads it becomes, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from alpr.type.v1.read_pb2 import ReadStatus
from services.ocr.core.pictures import PictureKind
from services.ocr.core.plates import Plate


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the earth in degrees of WGS 84, with words for people."""

    latitude: float
    longitude: float
    description: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture from a sensor whose form has been checked; `place` is None where the sensor sent none."""

    image: bytes
    kind: PictureKind
    capture_time: datetime
    place: Position | None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in the store: SHA-256 and size as sent, its day, and its key, which is the archive's alone."""

    sha256: bytes
    day: date
    media_type: str
    size_bytes: int
    key: bytes


@dataclass(frozen=True, slots=True)
class NewRead:
    """A read on its way to the matcher; `image` is None where it is too old to be kept."""

    read_id: UUID
    sensor_id: str
    capture_time: datetime
    receive_time: datetime
    place: Position
    plate: Plate
    image: StoredImage | None
    model_version: str
    crop: bytes
    overview: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a read; final."""

    status: ReadStatus.ValueType
    reason: str


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """The reads of a frame with what became of them, most to least certain, and the time of recognition.

    `unreadable` is the number of further plates that were there and not read surely enough.
    """

    reads: tuple[tuple[NewRead, Outcome], ...]
    seconds: float
    unreadable: int
