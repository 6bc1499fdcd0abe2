"""From what was pushed to what the matcher gets."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.readid import read_id_of_sender
from services.common.sensors import place_at
from services.common.wire import to_timestamp
from services.ocr.core.pushed.model import Issuer, PushedRead
from services.ocr.frames import StoredImage
from services.ocr.receiver.shots import Shot


def read_id_of(read: PushedRead, sensor_id: str) -> UUID:
    """The read's id: the same each time that its sender sends it."""
    return read_id_of_sender(sensor_id, read.capture_time, read.sender_read_id)


def to_captured_read(
    read: PushedRead, sensor: sensor_pb2.Sensor, received: datetime, shot: Shot, image: StoredImage | None
) -> read_pb2.CapturedRead:
    """The read of that sensor. Without a place of its own it is where the sensor is registered."""
    message = read_pb2.Read(
        read_id=str(read_id_of(read, sensor.sensor_id)),
        sensor_id=sensor.sensor_id,
        capture_time=to_timestamp(read.capture_time),
        receive_time=to_timestamp(received),
        place=_place(read, sensor),
        plate=read.plate,
        lattice=_lattice(read),
        states=[_state(read.issuer)] if read.issuer else [],
        vehicle=_vehicle(read.vehicle),
        plate_box=_box(read) if read.picture else None,
        image=_image(image) if image else None,
        model_version=read.reader,
        sender_read_id=read.sender_read_id,
    )
    return read_pb2.CapturedRead(read=message, crop_image=shot.crop, overview_image=shot.overview)


def _place(read: PushedRead, sensor: sensor_pb2.Sensor) -> read_pb2.Place | None:
    if read.place is not None:
        description = sensor.place.description
        return read_pb2.Place(latitude=read.place[0], longitude=read.place[1], description=description)
    return place_at(sensor, read.capture_time)


def _lattice(read: PushedRead) -> read_pb2.Lattice | None:
    candidates = [
        read_pb2.PlateCandidate(plate=text, probability=probability) for text, probability in read.candidates
    ]
    return read_pb2.Lattice(candidates=candidates) if candidates else None


def _state(issuer: Issuer) -> read_pb2.StateProbability:
    return read_pb2.StateProbability(
        state=issuer.state, country=issuer.country, probability=issuer.probability
    )


def _vehicle(vehicle: tuple[str, str]) -> read_pb2.SeenVehicle | None:
    make, color = vehicle
    return read_pb2.SeenVehicle(make=make, color=color) if make or color else None


def _box(read: PushedRead) -> read_pb2.Box | None:
    if read.plate_box is None:
        return None
    x, y, width, height = read.plate_box
    return read_pb2.Box(x=x, y=y, width=width, height=height)


def _image(image: StoredImage) -> read_pb2.ImageRef:
    return read_pb2.ImageRef(
        sha256=image.sha256,
        day=image.day.isoformat(),
        media_type=image.media_type,
        size_bytes=image.size_bytes,
        image_key=image.key,
    )
