"""Reads of many kinds, and what questions about them must find, worked out a second time in Python."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from services.common.wire import to_datetime
from tests.support.search_kit import ORI, OTHER_ORI, Plate, archived_read, now, us

LETTERS = "AB08D1I"
GROUPS = ("north", "south")
SENSORS = ("cam-1", "cam-2", "cam-3", "car-7")
STATES = ("IL", "WI", "")
FOLDED = str.maketrans("OQDILZSGB", "000112568")
ORIGINS = {
    "OWN": sensor_pb2.PROVENANCE_OWN,
    "PARTNER": sensor_pb2.PROVENANCE_PARTNER,
    "COMMERCIAL": sensor_pb2.PROVENANCE_COMMERCIAL,
}
CENTER = (41.9, -87.7)


@dataclass(frozen=True)
class Kept:
    """A stored read, as a question sees it."""

    read_id: UUID
    captured: datetime
    plate: str
    state: str
    sensor_id: str
    agency_ori: str
    sensor_group: str
    provenance: str
    latitude: float
    longitude: float


def many_reads(count: int, days: int, seed: str) -> list[archive_pb.ArchivedRead]:
    """Reads of the last `days` days: plates that are alike, some at the same moment, some by a moving car."""
    chance = random.Random(seed)
    reads = []
    moments = [
        now() - timedelta(minutes=1 + chance.random() * days * 1440) for _ in range(count - count // 10)
    ]
    moments += chance.choices(moments, k=count // 10)
    for number, captured in enumerate(moments):
        plate = "".join(chance.choices(LETTERS, k=chance.choice((4, 5, 5, 5, 6))))
        one = archived_read(
            captured, plate=plate, seed=f"{seed}/{number}", agency=chance.choice((ORI, ORI, OTHER_ORI))
        )
        one.read.sensor_id = chance.choice(SENSORS)
        one.sensor_group = chance.choice(GROUPS)
        one.provenance = ORIGINS[chance.choice(list(ORIGINS))]
        del one.read.states[:]
        if state := chance.choice(STATES):
            one.read.states.add(state=state, probability=0.9)
        spread = 0.05 if one.read.sensor_id == "car-7" else 0.0005
        spot = SENSORS.index(one.read.sensor_id) * 0.01
        one.read.place.latitude = CENTER[0] + spot + chance.uniform(-spread, spread)
        one.read.place.longitude = CENTER[1] + spot + chance.uniform(-spread, spread)
        reads.append(one)
    return reads


def kept(message: archive_pb.ArchivedRead) -> Kept:
    """The read as it is kept."""
    read = message.read
    return Kept(
        read_id=UUID(read.read_id),
        captured=to_datetime(read.capture_time),
        plate=read.plate,
        state=read.states[0].state if read.states else "",
        sensor_id=read.sensor_id,
        agency_ori=message.agency_ori,
        sensor_group=message.sensor_group,
        provenance=sensor_pb2.Provenance.Name(message.provenance).removeprefix("PROVENANCE_"),
        latitude=read.place.latitude,
        longitude=read.place.longitude,
    )


def expected(
    reads: list[Kept], question: Plate, agencies: tuple[str, ...], groups: tuple[str, ...] = ()
) -> list[UUID]:
    """Ids of the reads that the question must find, newest first."""
    found = [
        one
        for one in reads
        if question.from_us <= us(one.captured) < question.to_us
        and one.agency_ori in agencies
        and (not groups or one.sensor_group in groups)
        and _is_plate(one.plate, question)
        and (not question.state or one.state in ("", question.state))
        and (not question.provenance or one.provenance in question.provenance.split(","))
        and _is_there(one, question.area)
    ]
    return [
        one.read_id for one in sorted(found, key=lambda one: (one.captured, one.read_id.bytes), reverse=True)
    ]


def _is_plate(plate: str, question: Plate) -> bool:
    match question.form:
        case "any":
            return True
        case "exact":
            return plate == question.plate
        case "one_off":
            return edits(plate, question.plate) <= 1
        case "look_alike":
            return _fits(question.plate.translate(FOLDED), plate.translate(FOLDED))
        case _:
            return _fits(question.plate, plate)


def _fits(pattern: str, plate: str) -> bool:
    return bool(re.fullmatch(pattern.replace("?", ".").replace("*", ".*"), plate))


def edits(one: str, other: str) -> int:
    """Levenshtein distance."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, against in enumerate(other, 1):
            line.append(min(before[column] + 1, line[-1] + 1, before[column - 1] + (letter != against)))
        before = line
    return before[-1]


def _is_there(one: Kept, area: str) -> bool:
    if not area:
        return True
    ((shape, value),) = json.loads(area).items()
    match shape:
        case "circle":
            return _meters((value[0], value[1]), (one.latitude, one.longitude)) <= value[2]
        case "polygon":
            return _inside(value, (one.latitude, one.longitude))
        case "group":
            return one.sensor_group == value
        case _:
            return one.sensor_id in value


def _meters(one: tuple[float, float], other: tuple[float, float]) -> float:
    a, b = math.radians(one[0]), math.radians(other[0])
    across = math.radians(other[1] - one[1])
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(across / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(h))


def _inside(corners: list[list[float]], point: tuple[float, float]) -> bool:
    """Whether a ray to the east crosses the edges an odd number of times."""
    y, x = point
    crossings = 0
    for (y1, x1), (y2, x2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1


def same(*parts: object) -> str:
    """A seed that is the same in every run."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
