"""Messages to frames and reads to messages, with every check of a request."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import notice_pb2, read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, FieldViolation
from services.common.wire import parse_moment, parse_text, raise_violations, to_timestamp
from services.ocr.core.pictures import PictureError, kind_of
from services.ocr.core.plates import Likely
from services.ocr.core.quad import Box, Quad
from services.ocr.core.reading import Reading
from services.ocr.core.tracks import Direction
from services.ocr.errors import BadImageError, may_pass
from services.ocr.frames import Frame, NewRead, Outcome, PassageFacts, Position, StoredImage

_MOST_FRAME_ID: Final = 128
_MOST_DESCRIPTION: Final = 200
_MOST_AHEAD: Final = timedelta(minutes=5)
_LONGEST_PLATE: Final = 12
# What the models call a state of the United States, before its two letters; and whatever they do not know.
_STATE_OF: Final = "US-"
_UNKNOWN_ISSUER: Final = "ZZ"
NOTICE: Final = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text="UNVERIFIED. Read by machine: a lead only, not actionable by itself. Look at the picture first.",
)
"""What a reading is good for (ENF-051 III.B.3.r); stands beside every plate that goes back to a sensor."""
DIRECTIONS: Final = {
    Direction.UNKNOWN: read_pb2.TRAVEL_DIRECTION_UNSPECIFIED,
    Direction.APPROACHING: read_pb2.TRAVEL_DIRECTION_APPROACHING,
    Direction.RECEDING: read_pb2.TRAVEL_DIRECTION_RECEDING,
    Direction.LEFT: read_pb2.TRAVEL_DIRECTION_LEFT,
    Direction.RIGHT: read_pb2.TRAVEL_DIRECTION_RIGHT,
    Direction.STANDING: read_pb2.TRAVEL_DIRECTION_STANDING,
}


def parse_frame(frame: pb.Frame, now: datetime) -> Frame:
    """The frame. Its image is looked at by its header only.

    Raises:
        InvalidFieldError: Id, time or place is missing or wrong (ENF-051 II.J).
        BadImageError: The image is no JPEG or PNG, or too large.
    """
    wrong: list[FieldViolation] = []
    parse_text("frame.frame_id", frame.frame_id, wrong, most=_MOST_FRAME_ID)
    capture_time = parse_moment("frame.capture_time", frame, wrong)
    if capture_time > now + _MOST_AHEAD:
        wrong.append(FieldViolation("frame.capture_time", "lies in the future: set the sensor's clock"))
    place = _parse_place(frame.place, wrong) if frame.HasField("place") else None
    if not frame.image:
        wrong.append(FieldViolation("frame.image", "must be set"))
    raise_violations(wrong)
    try:
        kind = kind_of(frame.image)
    except PictureError as error:
        raise BadImageError.of(error) from None
    return Frame(frame.image, kind, capture_time, place)


def to_captured_read(read: NewRead) -> read_pb2.CapturedRead:
    """The read as the matcher gets it, with its pictures and the key of its image."""
    return read_pb2.CapturedRead(read=_to_read(read), crop_image=read.crop, overview_image=read.overview)


def to_recognized_plates(reads: Iterable[tuple[NewRead, Outcome]]) -> list[pb.RecognizedPlate]:
    """Reads of an answer; without the key of the image, which is the archive's alone."""
    return [_to_recognized_plate(read, outcome) for read, outcome in reads]


def to_box(box: Box) -> read_pb2.Box:
    """The message for a box in pixels."""
    return read_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def to_duration(seconds: float) -> Duration:
    """The message for a time, to the microsecond."""
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1_000_000) * 1000)


def to_frame_error(error: AlprError) -> pb.FrameError:
    """What a stream says about a frame that failed."""
    details = "; ".join(f"{one.field} {one.description}" for one in error.violations)
    return pb.FrameError(
        reason=ErrorReason.Name(error.reason),
        message=details or error.message,
        retryable=may_pass(error),
        retry_after=to_duration(error.retry_after_ms / 1000) if error.retry_after_ms else None,
    )


def _parse_place(place: read_pb2.Place, wrong: list[FieldViolation]) -> Position:
    # Written so that NaN fails.
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):  # noqa: PLR2004 - degrees
        wrong.append(FieldViolation("frame.place", "must be degrees of WGS 84"))
    if place.latitude == 0 and place.longitude == 0:
        # A receiver without a fix says so, and no road is there.
        wrong.append(FieldViolation("frame.place", "must be where the sensor was: 0, 0 is no position"))
    if len(place.description) > _MOST_DESCRIPTION or any(ord(one) < ord(" ") for one in place.description):
        wrong.append(
            FieldViolation("frame.place.description", "must be at most 200 characters, no control characters")
        )
    return Position(place.latitude, place.longitude, place.description)


def _to_recognized_plate(read: NewRead, outcome: Outcome) -> pb.RecognizedPlate:
    message = _to_read(read)
    if read.image:
        message.image.ClearField("image_key")
    return pb.RecognizedPlate(
        read=message,
        confidence=read.plate.probability,
        status=outcome.status,
        status_reason=outcome.reason,
    )


def _to_read(read: NewRead) -> read_pb2.Read:
    place = read.place
    return read_pb2.Read(
        read_id=str(read.read_id),
        sensor_id=read.sensor_id,
        capture_time=to_timestamp(read.capture_time),
        receive_time=to_timestamp(read.receive_time),
        place=read_pb2.Place(
            latitude=place.latitude, longitude=place.longitude, description=place.description
        ),
        plate=read.plate.text,
        lattice=to_lattice(read.plate.reading),
        plate_box=to_box(read.plate.box),
        image=_to_image(read.image) if read.image else None,
        model_version=read.model_version,
        states=to_states(read.plate.issuers),
        plate_corners=to_quad(read.plate.quad),
        plate_types=_to_plate_types(read.plate.kinds),
        passage=_to_passage(read.passage) if read.passage else None,
    )


def _to_passage(passage: PassageFacts) -> read_pb2.Passage:
    return read_pb2.Passage(
        passage_id=str(passage.passage_id),
        frame_count=passage.frames,
        direction=DIRECTIONS[passage.direction],
        image_time=to_timestamp(passage.image_time),
        last_time=to_timestamp(passage.last_time),
    )


def to_states(issuers: Likely) -> list[read_pb2.StateProbability]:
    """States and countries; what the models do not know is left out, and so remains of the sum."""
    return [
        read_pb2.StateProbability(
            state=issuer.removeprefix(_STATE_OF) if issuer.startswith(_STATE_OF) else "",
            country="US" if issuer.startswith(_STATE_OF) else issuer,
            probability=probability,
        )
        for issuer, probability in issuers
        if issuer != _UNKNOWN_ISSUER
    ]


def _to_plate_types(kinds: Likely) -> list[read_pb2.PlateTypeProbability]:
    return [
        read_pb2.PlateTypeProbability(
            plate_type=read_pb2.PlateType.Value(f"PLATE_TYPE_{kind.upper()}"), probability=probability
        )
        for kind, probability in kinds
    ]


def to_quad(quad: Quad) -> read_pb2.Quad:
    """The message for corners in pixels."""
    upper_left, upper_right, lower_right, lower_left = (read_pb2.Point(x=x, y=y) for x, y in quad.points)
    return read_pb2.Quad(
        upper_left=upper_left, upper_right=upper_right, lower_right=lower_right, lower_left=lower_left
    )


def _to_image(image: StoredImage) -> read_pb2.ImageRef:
    return read_pb2.ImageRef(
        sha256=image.sha256,
        day=image.day.isoformat(),
        media_type=image.media_type,
        size_bytes=image.size_bytes,
        image_key=image.key,
    )


def to_lattice(reading: Reading) -> read_pb2.Lattice:
    """The message for what a plate may say."""
    return read_pb2.Lattice(
        positions=[
            read_pb2.Position(
                characters=[
                    read_pb2.CharacterProbability(character=character, probability=probability)
                    for character, probability in position
                ]
            )
            for position in reading.positions
        ],
        candidates=[
            read_pb2.PlateCandidate(plate=candidate.text, probability=candidate.probability)
            for candidate in reading.candidates
            if 1 <= len(candidate.text) <= _LONGEST_PLATE
        ],
    )
