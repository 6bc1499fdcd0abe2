"""What is printed of a picture with `--json`: one document, the same with and without a stack.

    {"file": "a/b.jpg", "plates": [...], "unreadable": [...], "ms": 21.4}

Boxes are [x, y, width, height], corners [x, y] of upper left, upper right, lower right and lower left as the
plate is read, all in pixels of the picture turned upright. `score` is the probability that `text` is right.
"""

from collections.abc import Iterable
from typing import Any

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli.output import message_to_dict
from services.cli.words import READ_STATUS
from services.ocr import wire
from services.ocr.core.plates import Plate, Sight

Document = dict[str, Any]

_DIGITS = 4
_NO_DIRECTION = read_pb2.TRAVEL_DIRECTION_UNSPECIFIED


def line_of_answer(file: str, answer: pb.RecognizeStreamResponse) -> Document:
    """A picture that was sent, and what the service says of it."""
    if answer.HasField("error"):
        return {"file": file, "plates": [], "unreadable": [], "error": message_to_dict(answer.error)}
    reads = {_place(plate.read.plate_box): plate for plate in answer.plates}
    plates = []
    for sighting in answer.sightings:
        if sighting.unreadable:
            continue
        document = _sighting(sighting)
        if sighting.passage_id:
            document |= _passage(sighting)
        elif read := reads.get(_place(sighting.plate_box)):
            document |= _kept(read)
        plates.append(document)
    line: Document = {
        "file": file,
        "plates": plates,
        "unreadable": [_sighting(one) for one in answer.sightings if one.unreadable],
        "ms": round(answer.recognition_time.ToMicroseconds() / 1000, 1),
    }
    passages = [plate for plate in answer.plates if plate.read.HasField("passage")]
    return line | ({"reads": [_passage_read(plate) for plate in passages]} if passages else {})


def line_of_sight(file: str, sight: Sight, seconds: float) -> Document:
    """A picture that was looked at here, without a service."""
    return {
        "file": file,
        "plates": [plate_document(plate) for plate in sight.plates],
        "unreadable": [plate_document(plate) for plate in sight.unreadable],
        "ms": round(seconds * 1000, 1),
    }


def plate_document(plate: Plate) -> Document:
    """A plate that was read here."""
    return _plate(
        plate.text,
        plate.probability,
        wire.to_box(plate.box),
        wire.to_quad(plate.quad),
        ((one.text, one.probability) for one in plate.reading.candidates),
        wire.to_states(plate.issuers),
    )


def _sighting(sighting: pb.Sighting) -> Document:
    return _plate(
        sighting.plate,
        sighting.confidence,
        sighting.plate_box,
        sighting.plate_corners,
        ((one.plate, one.probability) for one in sighting.lattice.candidates),
        sighting.states,
    )


def _plate(
    text: str,
    score: float,
    box: read_pb2.Box,
    corners: read_pb2.Quad,
    candidates: Iterable[tuple[str, float]],
    states: Iterable[read_pb2.StateProbability],
) -> Document:
    points = (corners.upper_left, corners.upper_right, corners.lower_right, corners.lower_left)
    return {
        "text": text,
        "score": round(score, _DIGITS),
        "box": [box.x, box.y, box.width, box.height],
        "corners": [[round(point.x, 1), round(point.y, 1)] for point in points],
        "candidates": [{"text": one, "score": round(value, _DIGITS)} for one, value in candidates],
        "states": [
            {"state": one.state, "country": one.country, "score": round(one.probability, _DIGITS)}
            for one in states
        ],
    }


def _kept(plate: pb.RecognizedPlate) -> Document:
    kept = {"read_id": plate.read.read_id, "status": READ_STATUS.word(plate.status)}
    return kept | ({"status_reason": plate.status_reason} if plate.status_reason else {})


def _passage(sighting: pb.Sighting) -> Document:
    return {"passage_id": sighting.passage_id, "frames": sighting.frame_count} | _direction(
        sighting.direction
    )


def _passage_read(plate: pb.RecognizedPlate) -> Document:
    read, passage = plate.read, plate.read.passage
    first = _plate(
        read.plate,
        plate.confidence,
        read.plate_box,
        read.plate_corners,
        ((one.plate, one.probability) for one in read.lattice.candidates),
        read.states,
    )
    told = {"passage_id": passage.passage_id, "frames": passage.frame_count}
    return first | told | _direction(passage.direction) | _kept(plate)


def _direction(direction: read_pb2.TravelDirection.ValueType) -> Document:
    if direction == _NO_DIRECTION:
        return {}
    name = read_pb2.TravelDirection.Name(direction)
    return {"direction": name.removeprefix("TRAVEL_DIRECTION_").lower()}


def _place(box: read_pb2.Box) -> tuple[float, ...]:
    return box.x, box.y, box.width, box.height
