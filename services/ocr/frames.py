"""What the use case works with: a frame, the reads it becomes, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from alpr.type.v1.read_pb2 import ReadStatus
from services.common.errors import AlprError
from services.ocr.core.pictures import PictureKind
from services.ocr.core.plates import Plate
from services.ocr.core.tracks import Direction, Track
from services.ocr.recognition import Recognized


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
class PassageFacts:
    """The passage that a read sums up, as far as it went.

    Attributes:
        passage_id: Id of the passage's first read.
        frames: Frames that count.
        direction: Where the vehicle went.
        image_time: When the read's image was taken.
        last_time: When the last frame that counts was taken.
    """

    passage_id: UUID
    frames: int
    direction: Direction
    image_time: datetime
    last_time: datetime


@dataclass(frozen=True, slots=True)
class NewRead:
    """A read on its way to the matcher.

    `image` is None until it is stored, and where it is too old to be kept; `passage` for a single photograph.
    """

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
    passage: PassageFacts | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a read; final."""

    status: ReadStatus.ValueType
    reason: str


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """The reads of a frame with what became of them, most to least certain, and the time of recognition.

    `unreadable` are further plates that were there and not read surely enough.
    """

    reads: tuple[tuple[NewRead, Outcome], ...]
    seconds: float
    unreadable: tuple[Plate, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """A frame that was looked at and of which nothing is stored yet.

    Attributes:
        frame: The frame.
        sha256: Of its image; empty without a plate.
        place: Where it was taken.
        received: When we got it.
        found: What is in it.
        motor_carrier: Its sensor is of the Motor Carrier Safety system (ENF-051 II.H).
    """

    frame: Frame
    sha256: bytes
    place: Position
    received: datetime
    found: Recognized
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class SeenPlate:
    """A plate in one frame.

    Attributes:
        passage_id: Of the passage that it belongs to, in a video.
        plate: As this frame shows it.
        unreadable: It could not be read surely enough.
        frames: Frames of the passage until now.
        direction: Where the vehicle goes, until now.
    """

    passage_id: UUID | None
    plate: Plate
    unreadable: bool
    frames: int = 1
    direction: Direction = Direction.UNKNOWN


@dataclass(frozen=True, slots=True)
class OpenPassage:
    """A passage that has its read and may go on.

    Attributes:
        passage_id: Id of its first read.
        first_time: Capture time of its first frame.
        text: Of its last read.
        corrected: Whether it has its second read.
        track: Its way through the picture; its readings may have been fused into one.
    """

    passage_id: UUID
    first_time: datetime
    text: str
    corrected: bool
    track: Track


@dataclass(frozen=True, slots=True)
class VideoAnswer:
    """The final word on a frame of a video.

    Attributes:
        frame_id: The sender's.
        reads: Of the passages that began with this frame, and second reads that it caused.
        seconds: Time of recognition.
        unreadable: Further plates that were there and not read surely enough.
        seen: Its plates, most to least certain.
        open_passages: That may go on after it.
        error: Why it failed; then there are no reads.
    """

    frame_id: str
    reads: tuple[tuple[NewRead, Outcome], ...] = ()
    seconds: float = 0.0
    unreadable: int = 0
    seen: tuple[SeenPlate, ...] = ()
    open_passages: tuple[OpenPassage, ...] = ()
    error: AlprError | None = None
