"""AppendReads: messages to reads and back, with every check of the request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

from alpr.search.v1 import archive_service_pb2 as pb
from alpr.type.v1 import read_pb2
from alpr.type.v1.sensor_pb2 import Partition, Provenance
from services.common.errors import FieldViolation
from services.common.wire import parse_plate, parse_uuid, raise_violations, to_datetime
from services.search.core.reads import AppendResult, Image, NewRead

MOST_READS: Final = 500
# A millisecond's work.
_READS_A_PART: Final = 25
_MOST_POSITIONS: Final = 64
_KEY_BYTES: Final = 32
_LONGEST_TEXT: Final = 200
_RECOGNITION: Final = {"lattice", "states", "plate_box", "plate_corners", "plate_types", "passage"}
# A copy without these takes a third of the time of putting the others together.
_STORED_APART: Final = tuple(
    field.name for field in read_pb2.Read.DESCRIPTOR.fields if field.name not in _RECOGNITION
)
_PARTITIONS: Final = frozenset(Partition.values())
_PROVENANCES: Final = {
    Provenance.PROVENANCE_OWN: "OWN",
    Provenance.PROVENANCE_PARTNER: "PARTNER",
    Provenance.PROVENANCE_COMMERCIAL: "COMMERCIAL",
}


def parse_append(request: pb.AppendReadsRequest) -> tuple[NewRead, ...]:
    """The reads of `request`, in order. What is merely incomplete passes: it is kept in quarantine.

    Raises:
        InvalidFieldError: The batch is empty or too large, or a read cannot even be kept apart.
    """
    return tuple(read for part in parse_in_parts(request) for read in part)


def parse_in_parts(request: pb.AppendReadsRequest) -> Iterator[list[NewRead]]:
    """The same, some reads at a time, so that whoever takes them can see to others in between.

    Raises:
        InvalidFieldError: As `parse_append`, at the start or instead of an end; then none of them counts.
    """
    if not 1 <= len(request.reads) <= MOST_READS:
        raise_violations([FieldViolation("reads", f"must have 1 to {MOST_READS} elements")])
    wrong, part = list[FieldViolation](), list[NewRead]()
    for number, archived in enumerate(request.reads):
        read_id = _checked(f"reads[{number}]", archived, wrong)
        if not wrong:
            part.append(_new_read(archived, read_id))
        if len(part) == _READS_A_PART:
            yield part
            part = []
    raise_violations(wrong)
    yield part


def build_response(results: list[AppendResult]) -> pb.AppendReadsResponse:
    """The answer to the matcher, one result for each read in the order of the request."""
    return pb.AppendReadsResponse(
        results=[
            pb.AppendResult(
                read_id=str(result.read_id),
                status=read_pb2.ReadStatus.Value(f"READ_STATUS_{result.status}"),
                status_reason=result.reason,
            )
            for result in results
        ]
    )


def _checked(path: str, archived: pb.ArchivedRead, wrong: list[FieldViolation]) -> UUID:
    """The read's id. Adds to `wrong` what the archive cannot do without, and the matcher never forgets."""
    read, known = archived.read, len(wrong)
    read_id = parse_uuid(f"{path}.read.read_id", read.read_id, wrong)
    plate = parse_plate(f"{path}.read.plate", read.plate, wrong)
    if plate != read.plate and len(wrong) == known:
        text = "must be in capitals, without blanks and dashes"
        wrong.append(FieldViolation(f"{path}.read.plate", text))
    for text, name in (
        (read.sensor_id, "read.sensor_id"),
        (archived.agency_ori, "agency_ori"),
        (archived.sensor_group, "sensor_group"),
    ):
        if not text:
            wrong.append(FieldViolation(f"{path}.{name}", "must not be empty"))
    if archived.provenance not in _PROVENANCES:
        wrong.append(FieldViolation(f"{path}.provenance", "must be set"))
    if archived.partition not in _PARTITIONS:
        wrong.append(FieldViolation(f"{path}.partition", "must be GENERAL or MOTOR_CARRIER"))
    if not all(map(_is_short_text, _texts(archived))):
        wrong.append(FieldViolation(f"{path}.read", "has a text too long, or with NUL"))
    if len(read.lattice.positions) > _MOST_POSITIONS:
        wrong.append(FieldViolation(f"{path}.read.lattice", "has too many positions"))
    if len(read.image.image_key) not in (0, _KEY_BYTES):
        wrong.append(FieldViolation(f"{path}.read.image.image_key", "must have 32 bytes or none"))
    return read_id


def _texts(archived: pb.ArchivedRead) -> tuple[str, ...]:
    read = archived.read
    return (
        read.sensor_id,
        archived.agency_ori,
        archived.sensor_group,
        read.place.description,
        read.model_version,
        read.sender_read_id,
        read.image.media_type,
        read.states[0].state if read.states else "",
    )


def _is_short_text(text: str) -> bool:
    """Whether PostgreSQL can hold it (no NUL), within the contract's longest text, 200 characters."""
    return len(text) <= _LONGEST_TEXT and "\x00" not in text


def _new_read(archived: pb.ArchivedRead, read_id: UUID) -> NewRead:
    read, states = archived.read, archived.read.states
    place = read.place if read.HasField("place") else None
    return NewRead(
        read_id=read_id,
        capture_time=_moment(read, "capture_time"),
        receive_time=_moment(read, "receive_time"),
        plate=read.plate,
        state=states[0].state or None if states else None,
        sensor_id=read.sensor_id,
        agency_ori=archived.agency_ori,
        sensor_group=archived.sensor_group,
        provenance=_PROVENANCES[archived.provenance],
        latitude=place.latitude if place is not None else None,
        longitude=place.longitude if place is not None else None,
        place=place.description if place is not None else "",
        confidence=_confidence(read),
        recognition=_recognition(read),
        model_version=read.model_version,
        sender_read_id=read.sender_read_id,
        image=_image(read.image) if read.HasField("image") else None,
        match_revision=archived.match_revision,
        motor_carrier=archived.partition == Partition.PARTITION_MOTOR_CARRIER,
        original=archived.SerializeToString(),
    )


def _recognition(read: read_pb2.Read) -> bytes:
    """What the recogniser said beside the plate: nobody searches it, so it stays one piece."""
    kept = read_pb2.Read()
    kept.CopyFrom(read)
    for name in _STORED_APART:
        kept.ClearField(name)  # type: ignore[arg-type]
    kept.DiscardUnknownFields()
    return kept.SerializeToString()


def _confidence(read: read_pb2.Read) -> float | None:
    """Probability of the text itself, 0 to 1, where the lattice gives it."""
    return next((c.probability for c in read.lattice.candidates if c.plate == read.plate), None)


def _image(image: read_pb2.ImageRef) -> Image:
    return Image(image.sha256, _day(image.day), image.media_type, image.size_bytes, image.image_key or None)


def _moment(read: read_pb2.Read, name: str) -> datetime | None:
    """The field's moment, None where it is missing or outside the calendar."""
    try:
        return to_datetime(getattr(read, name)) if read.HasField(name) else None  # type: ignore[arg-type]
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
