"""Cars that pass: their plates, and their reads as a sensor that reads plates itself sends them."""

import hashlib
import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from alpr.type.v1 import read_pb2
from services.common.readid import read_id_of_sender
from services.common.wire import to_timestamp

# No two of them look alike, and no plate of a passing car (digits alone) looks like one made of them.
_LETTERS = "ACEFHJKLMNPRTUVWXY"
_OVERVIEW = bytes(2048)
_CROP = bytes(512)
PLACE = read_pb2.Place(latitude=41.9, longitude=-87.9, description="I-90 at mile 12")


def listed_plates() -> Iterator[str]:
    """Plates for a hot list, each at least three characters from every other one."""
    for first, second in itertools.product(_LETTERS, repeat=2):
        yield f"{first}{second}" * 3


def passing(sensor_id: str, plate: str) -> read_pb2.CapturedRead:
    """A new read of `plate`, captured just now."""
    captured, name = datetime.now(UTC), str(uuid.uuid4())
    positions = [
        read_pb2.Position(characters=[read_pb2.CharacterProbability(character=character, probability=0.99)])
        for character in plate
    ]
    read = read_pb2.Read(
        read_id=str(read_id_of_sender(sensor_id, captured, name)),
        sensor_id=sensor_id,
        capture_time=to_timestamp(captured),
        place=PLACE,
        plate=plate,
        lattice=read_pb2.Lattice(positions=positions),
        states=[read_pb2.StateProbability(state="IL", probability=0.97)],
        plate_box=read_pb2.Box(x=1, y=2, width=100, height=40),
        image=read_pb2.ImageRef(
            sha256=hashlib.sha256(_OVERVIEW).digest(),
            day=f"{captured:%Y-%m-%d}",
            media_type="image/jpeg",
            size_bytes=len(_OVERVIEW),
        ),
        model_version="made",
        sender_read_id=name,
    )
    return read_pb2.CapturedRead(read=read, crop_image=_CROP, overview_image=_OVERVIEW)
