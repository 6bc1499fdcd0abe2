"""Every check of a submitted read.

What breaks the contract is an error of the sender's software and ends the stream. What is merely incomplete
(ENF-051 II.J) goes on to the archive, which keeps it apart.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, raise_violations, to_datetime, to_timestamp
from services.matcher.app_reads import BatchAnswer, SubmittedRead
from services.matcher.core.sighting import Lattice, SeenVehicle, Sighting

_MOST_READS: Final = 500
_MOST_BYTES: Final = 4 << 20
_MOST_CANDIDATES: Final = 16
_MOST_CHARACTERS: Final = 36
_MOST_STATES: Final = 100
_MOST_VEHICLE: Final = 40
_LARGEST_CROP: Final = 128 << 10
_LARGEST_OVERVIEW: Final = 384 << 10
# Probabilities are floats that were rounded one by one.
_CERTAIN: Final = 1.01
_MOST_VIOLATIONS: Final = 100

_SENSOR: Final = re.compile(r"[a-z0-9-]{3,63}")
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_CHARACTER: Final = re.compile(r"[A-Z0-9]")
_STATE: Final = re.compile(r"[A-Z]{2}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_NIL: Final = str(uuid.UUID(int=0))
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_MOST_TEXT: Final = {"description": 200, "media_type": 64, "model_version": 100, "sender_read_id": 128}

Report = Callable[[str, str], None]


def captures_of(request: pb.SubmitReadsRequest) -> Iterator[tuple[str, datetime | None]]:
    """Sensor id and capture time of each read, unchecked but for their type; None for a time that is none."""
    for captured in request.reads:
        read = captured.read
        is_timed = read.HasField("capture_time") and _is_moment(read.capture_time)
        yield read.sensor_id, to_datetime(read.capture_time) if is_timed else None


def parse_status(
    request: pb.ReportSensorStatusRequest, latest: datetime | None
) -> tuple[sensor_pb2.SensorStatus, datetime | None]:
    """What a sensor says of itself, and when the ocr service got it.

    `latest` is the moment before which that was; None when the sensor itself calls, and then there is no such
    moment.

    Raises:
        InvalidFieldError: A field is missing or wrong; search checks the others.
    """
    wrong: list[FieldViolation] = []
    status = sensor_pb2.SensorStatus()
    status.CopyFrom(request.status)
    parse_moment("status.sensor_time", status, wrong)
    received = None
    if latest is not None:
        received = min(parse_moment("receive_time", request, wrong), latest)
        if not status.sensor_id:
            wrong.append(FieldViolation("status.sensor_id", "must be set"))
    raise_violations(wrong)
    return status, received


def parse_batch(request: pb.SubmitReadsRequest, receive_time: datetime | None) -> tuple[SubmittedRead, ...]:
    """The reads of a batch.

    `receive_time` is when it came, where this is the first of our services that sees it (a sensor that reads
    plates itself); None keeps the receive times of the sender.

    Raises:
        InvalidFieldError: With a violation for each of the first 100 wrong fields; it repeats no value.
    """
    wrong: list[FieldViolation] = []
    if not 1 <= len(request.reads) <= _MOST_READS:
        wrong.append(FieldViolation("reads", "must be 1 to 500"))
    elif request.ByteSize() > _MOST_BYTES:
        wrong.append(FieldViolation("reads", "must be at most 4 MiB in all"))
    raise_violations(wrong)
    for n, captured in enumerate(request.reads):
        if receive_time is not None:
            captured.read.receive_time.CopyFrom(to_timestamp(receive_time))
        _check(captured, f"reads[{n}]", wrong)
    raise_violations(wrong[:_MOST_VIOLATIONS])
    return tuple(_submitted(captured) for captured in request.reads)


def to_response(batch_number: int, answer: BatchAnswer) -> pb.SubmitReadsResponse:
    """The answer to one batch."""
    return pb.SubmitReadsResponse(
        batch_number=batch_number,
        results=[
            pb.ReadResult(
                read_id=one.read_id,
                status=one.status,
                status_reason=one.reason,
                match_revision=answer.revision,
            )
            for one in answer.reads
        ],
    )


def _submitted(captured: read_pb2.CapturedRead) -> SubmittedRead:
    read = captured.read
    capture_time = to_datetime(read.capture_time) if read.HasField("capture_time") else None
    sighting = None if capture_time is None else sighting_of(read)
    complete = bool(
        capture_time is not None
        and read.HasField("place")
        and read.image.sha256
        and read.image.day == f"{capture_time:%Y-%m-%d}"
        and uuid.UUID(read.read_id).int >> 80 == _milliseconds(capture_time)
    )
    return SubmittedRead(captured, read.sensor_id, capture_time, sighting, complete)


def sighting_of(read: read_pb2.Read) -> Sighting:
    """What matching needs of a read that has a capture time and whose form has been checked."""
    states = tuple((one.state, one.probability) for one in read.states)
    plate_types = tuple((one.plate_type, one.probability) for one in read.plate_types)
    vehicle = SeenVehicle(make=read.vehicle.make, color=read.vehicle.color)
    return Sighting(_lattice(read), states, to_datetime(read.capture_time), plate_types, vehicle)


def _lattice(read: read_pb2.Read) -> Lattice:
    positions = (
        tuple((one.character, one.probability) for one in position.characters)
        for position in read.lattice.positions
    )
    candidates = tuple((one.plate, one.probability) for one in read.lattice.candidates)
    return Lattice(read.plate, tuple(positions), candidates)


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _check(captured: read_pb2.CapturedRead, at: str, wrong: list[FieldViolation]) -> None:
    def report(field: str, description: str) -> None:
        wrong.append(FieldViolation(f"{at}.{field}", description))

    read = captured.read
    _check_identity(read, report)
    _check_times(read, report)
    _check_place(read, report)
    _check_lattice(read, report)
    _check_states(read, report)
    _check_image(read.image, report)
    for name in ("make", "color"):
        text = getattr(read.vehicle, name)
        if len(text) > _MOST_VEHICLE or not text.isprintable():
            report(f"read.vehicle.{name}", "must be at most 40 printable characters")
    if len(captured.crop_image) > _LARGEST_CROP:
        report("crop_image", "must be at most 128 KiB")
    if len(captured.overview_image) > _LARGEST_OVERVIEW:
        report("overview_image", "must be at most 384 KiB")


def _check_identity(read: read_pb2.Read, report: Report) -> None:
    if not _is_uuid(read.read_id):
        report("read.read_id", "must be a UUID in lower case, not nil")
    if not _SENSOR.fullmatch(read.sensor_id):
        report("read.sensor_id", "must be 3 to 63 of a-z, 0-9 and dashes")
    for name in ("model_version", "sender_read_id"):
        _check_text(f"read.{name}", getattr(read, name), _MOST_TEXT[name], report)


def _check_times(read: read_pb2.Read, report: Report) -> None:
    # A camera that has lost its clock is no broken sender: the archive says read by read what becomes of it.
    if read.HasField("capture_time") and not _is_moment(read.capture_time):
        report("read.capture_time", "must be a moment of the years 1 to 9999")
    if read.HasField("receive_time") and not _is_time(read.receive_time):
        report("read.receive_time", "must lie between the years 2000 and 2100")
    if not read.HasField("receive_time"):
        report("read.receive_time", "must be set by the service that received the read")


def _check_place(read: read_pb2.Read, report: Report) -> None:
    place = read.place
    # Written so that NaN fails.
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):  # noqa: PLR2004 - degrees
        report("read.place", "must be degrees of WGS 84")
    _check_text("read.place.description", place.description, _MOST_TEXT["description"], report)
    box = read.plate_box
    sides = (box.x, box.y, box.width, box.height)
    if not all(math.isfinite(side) for side in sides) or box.width < 0 or box.height < 0:
        report("read.plate_box", "must be a rectangle in pixels")
    quad = read.plate_corners
    corners = (quad.upper_left, quad.upper_right, quad.lower_right, quad.lower_left)
    if not all(math.isfinite(one.x) and math.isfinite(one.y) for one in corners):
        report("read.plate_corners", "must be points in pixels")


def _check_lattice(read: read_pb2.Read, report: Report) -> None:
    if not _PLATE.fullmatch(read.plate):
        report("read.plate", "must be 1 to 12 of A-Z and 0-9")
    positions, candidates = read.lattice.positions, read.lattice.candidates
    if positions and len(positions) != len(read.plate):
        report("read.lattice.positions", "must be one for each character of the plate")
    for position in positions:
        if not 1 <= len(position.characters) <= _MOST_CHARACTERS:
            report("read.lattice.positions.characters", "must be 1 to 36")
        characters = [one.character for one in position.characters]
        _check_names(characters, _CHARACTER, "read.lattice.positions.characters", report)
        _check_sum((one.probability for one in position.characters), "read.lattice.positions", report)
    if len(candidates) > _MOST_CANDIDATES:
        report("read.lattice.candidates", "must be at most 16")
    _check_names([one.plate for one in candidates], _PLATE, "read.lattice.candidates", report)
    if not all(0 <= one.probability <= 1 for one in candidates):  # false for NaN
        report("read.lattice.candidates", "must have probabilities from 0 to 1")


def _check_states(read: read_pb2.Read, report: Report) -> None:
    if len(read.states) > _MOST_STATES:
        report("read.states", "must be at most 100")
    _check_names([one.state for one in read.states if one.state], _STATE, "read.states", report)
    # Where no state is named, a country is; the index of hot lists knows states only.
    _check_names([one.country for one in read.states if not one.state], _COUNTRY, "read.states", report)
    _check_sum((one.probability for one in read.states), "read.states", report)
    if len(read.plate_types) > _MOST_STATES:
        report("read.plate_types", "must be at most 100")
    _check_sum((one.probability for one in read.plate_types), "read.plate_types", report)


def _check_names(names: Sequence[str], form: re.Pattern[str], field: str, report: Report) -> None:
    if len(set(names)) != len(names):
        report(field, "must be distinct")
    if not all(form.fullmatch(name) for name in names):
        report(field, f"must each match {form.pattern}")


def _check_sum(probabilities: Iterable[float], field: str, report: Report) -> None:
    values = list(probabilities)
    # Written so that NaN fails.
    if not all(0 <= value <= 1 for value in values) or not sum(values) <= _CERTAIN:
        report(field, "must have probabilities from 0 to 1, together at most 1")


def _check_image(image: read_pb2.ImageRef, report: Report) -> None:
    for name in ("sha256", "image_key"):
        if len(getattr(image, name)) not in (0, 32):
            report(f"read.image.{name}", "must be 32 bytes")
    if image.day and not _DAY.fullmatch(image.day):
        report("read.image.day", "must be a day, for instance 2026-11-23")
    if image.size_bytes < 0:
        report("read.image.size_bytes", "must not be negative")
    _check_text("read.image.media_type", image.media_type, _MOST_TEXT["media_type"], report)


def _check_text(field: str, text: str, most: int, report: Report) -> None:
    if len(text) > most or "\x00" in text:
        report(field, f"must be at most {most} characters, none of them NUL")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text and text != _NIL
    except ValueError:
        return False


def _is_moment(stamp: Timestamp) -> bool:
    try:
        to_datetime(stamp)
    except ValueError:
        return False
    return True


def _is_time(stamp: Timestamp) -> bool:
    try:
        return _EARLIEST <= to_datetime(stamp) < _LATEST
    except ValueError:
        return False
