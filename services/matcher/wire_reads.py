"""Every check of a submitted read.

What breaks the contract is an error of the sender's software and ends the stream. What is merely incomplete
(ENF-051 II.J) goes on to the archive, which keeps it apart.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
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
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NIL: Final = "00000000-0000-0000-0000-000000000000"
# Sets, as every read has dozens of these: one question for all of them instead of a match for each.
_CHARACTERS: Final = frozenset(string.ascii_uppercase + string.digits)
_TWO_LETTERS: Final = frozenset(map("".join, product(string.ascii_uppercase, repeat=2)))
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_MOST_TEXT: Final = {"description": 200, "media_type": 64, "model_version": 100, "sender_read_id": 128}

Report = Callable[[str, str], None]
_Shares = tuple[tuple[str, float], ...]


def captures_of(request: pb.SubmitReadsRequest) -> Iterator[tuple[str, datetime | None]]:
    """Sensor id and capture time of each read, unchecked but for their type; None for a time that is none."""
    for captured in request.reads:
        yield captured.read.sensor_id, _capture_time(captured.read)


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
    received = None if receive_time is None else to_timestamp(receive_time)
    submitted = []
    for n, captured in enumerate(request.reads):
        if received is not None:
            captured.read.receive_time.CopyFrom(received)
        said = _said(captured.read)
        _check(captured, said, f"reads[{n}]", wrong)
        if not wrong:
            submitted.append(_submitted(captured, said))
    raise_violations(wrong[:_MOST_VIOLATIONS])
    return tuple(submitted)


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


@dataclass(frozen=True, slots=True)
class _Said:
    """What a read says of its plate, taken out of the message once: each look at a part makes an object."""

    capture_time: datetime | None
    lattice: Lattice
    states: _Shares
    plate_types: tuple[tuple[int, float], ...]
    vehicle: SeenVehicle


def _said(read: read_pb2.Read) -> _Said:
    positions = tuple(
        tuple([(one.character, one.probability) for one in position.characters])
        for position in read.lattice.positions
    )
    candidates = tuple([(one.plate, one.probability) for one in read.lattice.candidates])
    return _Said(
        _capture_time(read),
        Lattice(read.plate, positions, candidates),
        tuple([(one.state, one.probability) for one in read.states]),
        tuple([(one.plate_type, one.probability) for one in read.plate_types]),
        SeenVehicle(read.vehicle.make, read.vehicle.color) if read.HasField("vehicle") else SeenVehicle(),
    )


def _submitted(captured: read_pb2.CapturedRead, said: _Said) -> SubmittedRead:
    read = captured.read
    capture_time = said.capture_time
    complete = bool(
        capture_time is not None
        and read.HasField("place")
        and read.image.sha256
        and read.image.day == capture_time.date().isoformat()
        and _named_millisecond(read.read_id) == _milliseconds(capture_time)
    )
    sighting = None if capture_time is None else _sighting(said, capture_time)
    return SubmittedRead(captured, read.sensor_id, capture_time, sighting, complete)


def sighting_of(read: read_pb2.Read) -> Sighting:
    """What matching needs of a read that has a capture time and whose form has been checked."""
    said = _said(read)
    assert said.capture_time is not None  # noqa: S101 - as the reads that are asked for have
    return _sighting(said, said.capture_time)


def _sighting(said: _Said, capture_time: datetime) -> Sighting:
    return Sighting(said.lattice, said.states, capture_time, said.plate_types, said.vehicle)


def _named_millisecond(read_id: str) -> int:
    """What the first 48 bits of a UUIDv7 say, since 1970."""
    return int(read_id[:8] + read_id[9:13], 16)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _check(captured: read_pb2.CapturedRead, said: _Said, at: str, wrong: list[FieldViolation]) -> None:
    def report(field: str, description: str) -> None:
        wrong.append(FieldViolation(f"{at}.{field}", description))

    read = captured.read
    _check_identity(read, report)
    _check_times(read, said, report)
    _check_place(read, report)
    _check_lattice(said.lattice, report)
    _check_states(read, said, report)
    _check_image(read.image, report)
    for name, text in (("make", said.vehicle.make), ("color", said.vehicle.color)):
        if len(text) > _MOST_VEHICLE or not text.isprintable():
            report(f"read.vehicle.{name}", "must be at most 40 printable characters")
    if len(captured.crop_image) > _LARGEST_CROP:
        report("crop_image", "must be at most 128 KiB")
    if len(captured.overview_image) > _LARGEST_OVERVIEW:
        report("overview_image", "must be at most 384 KiB")


def _check_identity(read: read_pb2.Read, report: Report) -> None:
    if not _UUID.fullmatch(read.read_id) or read.read_id == _NIL:
        report("read.read_id", "must be a UUID in lower case, not nil")
    if not _SENSOR.fullmatch(read.sensor_id):
        report("read.sensor_id", "must be 3 to 63 of a-z, 0-9 and dashes")
    for name in ("model_version", "sender_read_id"):
        _check_text(f"read.{name}", getattr(read, name), _MOST_TEXT[name], report)


def _check_times(read: read_pb2.Read, said: _Said, report: Report) -> None:
    # A camera that has lost its clock is no broken sender: the archive says read by read what becomes of it.
    if read.HasField("capture_time") and said.capture_time is None:
        report("read.capture_time", "must be a moment of the years 1 to 9999")
    if not read.HasField("receive_time"):
        report("read.receive_time", "must be set by the service that received the read")
    elif not _is_time(read.receive_time):
        report("read.receive_time", "must lie between the years 2000 and 2100")


def _check_place(read: read_pb2.Read, report: Report) -> None:
    place = read.place
    # Written so that NaN fails.
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):  # noqa: PLR2004 - degrees
        report("read.place", "must be degrees of WGS 84")
    _check_text("read.place.description", place.description, _MOST_TEXT["description"], report)
    if read.HasField("plate_box"):
        box = read.plate_box
        sides = (box.x, box.y, box.width, box.height)
        if not all(map(math.isfinite, sides)) or box.width < 0 or box.height < 0:
            report("read.plate_box", "must be a rectangle in pixels")
    if read.HasField("plate_corners"):
        quad = read.plate_corners
        corners = (quad.upper_left, quad.upper_right, quad.lower_right, quad.lower_left)
        if not all(math.isfinite(one.x) and math.isfinite(one.y) for one in corners):
            report("read.plate_corners", "must be points in pixels")


def _check_lattice(lattice: Lattice, report: Report) -> None:
    if not _PLATE.fullmatch(lattice.best):
        report("read.plate", "must be 1 to 12 of A-Z and 0-9")
    positions, candidates = lattice.positions, lattice.candidates
    if positions and len(positions) != len(lattice.best):
        report("read.lattice.positions", "must be one for each character of the plate")
    if not all(1 <= len(position) <= _MOST_CHARACTERS for position in positions):
        report("read.lattice.positions.characters", "must be 1 to 36")
    if not _CHARACTERS.issuperset([character for position in positions for character, _ in position]):
        report("read.lattice.positions.characters", "must each match [A-Z0-9]")
    for position in positions:
        # Most have one character, and nothing to be distinct from.
        if len(position) > 1 and len({character for character, _ in position}) < len(position):
            report("read.lattice.positions.characters", "must be distinct")
        _check_sum([value for _, value in position], "read.lattice.positions", report)
    if len(candidates) > _MOST_CANDIDATES:
        report("read.lattice.candidates", "must be at most 16")
    if len({plate for plate, _ in candidates}) != len(candidates):
        report("read.lattice.candidates", "must be distinct")
    if not all(_PLATE.fullmatch(plate) for plate, _ in candidates):
        report("read.lattice.candidates", f"must each match {_PLATE.pattern}")
    if not all(0 <= value <= 1 for _, value in candidates):  # false for NaN
        report("read.lattice.candidates", "must have probabilities from 0 to 1")


def _check_states(read: read_pb2.Read, said: _Said, report: Report) -> None:
    if len(said.states) > _MOST_STATES:
        report("read.states", "must be at most 100")
    named = [state for state, _ in said.states if state]
    _check_two_letters(named, report)
    if len(named) != len(said.states):
        # Where no state is named, a country is; the index of hot lists knows states only.
        _check_two_letters([one.country for one in read.states if not one.state], report)
    _check_sum([value for _, value in said.states], "read.states", report)
    if len(said.plate_types) > _MOST_STATES:
        report("read.plate_types", "must be at most 100")
    _check_sum([value for _, value in said.plate_types], "read.plate_types", report)


def _check_two_letters(names: Sequence[str], report: Report) -> None:
    distinct = set(names)
    if len(distinct) != len(names):
        report("read.states", "must be distinct")
    if not distinct <= _TWO_LETTERS:
        report("read.states", "must each match [A-Z]{2}")


def _check_sum(values: Sequence[float], field: str, report: Report) -> None:
    # Written so that NaN fails: a sum with one is NaN.
    if values and not (sum(values) <= _CERTAIN and min(values) >= 0 and max(values) <= 1):
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


def _capture_time(read: read_pb2.Read) -> datetime | None:
    """None where there is none, or one that is no moment of the calendar."""
    if not read.HasField("capture_time"):
        return None
    try:
        return to_datetime(read.capture_time)
    except ValueError:
        return None


def _is_time(stamp: Timestamp) -> bool:
    try:
        return _EARLIEST <= to_datetime(stamp) < _LATEST
    except ValueError:
        return False
