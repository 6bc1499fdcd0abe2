"""Roads with cameras for the tests of analyses, and requests as officers send them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1.area_pb2 import Area, Circle, MapPoint
from alpr.type.v1.justification_pb2 import CASE_NUMBER_KIND_CAD, Justification
from services.common.wire import to_timestamp
from tests.support.search_kit import archived_read, now

# Degrees of latitude between two cameras of a road: some 5.5 km.
_APART = 0.05
CAMERA_SECONDS = 240
MOST_READS = 500


def at(days_ago: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment by the UTC clock of so many days ago."""
    day = now() - timedelta(days=days_ago)
    return day.replace(hour=hour, minute=minute, second=second, microsecond=0)


def camera_point(road: int, camera: int) -> MapPoint:
    """Where a camera of a road stands; roads are some 40 km apart."""
    return MapPoint(latitude=41.0 + _APART * camera, longitude=-88.0 + 0.5 * road)


def camera_name(road: int, camera: int) -> str:
    """The sensor's id."""
    return f"road-{road}-camera-{camera}"


def passage(plate: str, when: datetime, road: int, camera: int, **changes: Any) -> archive_pb.ArchivedRead:
    """A plate at a camera of a road."""
    message = archived_read(when, plate=plate, **changes)
    point = camera_point(road, camera)
    message.read.sensor_id = camera_name(road, camera)
    message.read.place.latitude, message.read.place.longitude = point.latitude, point.longitude
    message.read.place.description = f"road {road}, camera {camera}"
    return message


def drive(
    plate: str, start: datetime, road: int, cameras: Sequence[int], **changes: Any
) -> Iterator[archive_pb.ArchivedRead]:
    """A plate along a road, four minutes from one camera to the next."""
    for n, camera in enumerate(cameras):
        yield passage(plate, start + timedelta(seconds=n * CAMERA_SECONDS), road, camera, **changes)


async def store(archive: Any, reads: Iterable[archive_pb.ArchivedRead]) -> None:
    """Stores the reads as the matcher does."""
    rest = iter(reads)
    while part := list(islice(rest, MOST_READS)):
        answer = await archive.AppendReads(archive_pb.AppendReadsRequest(reads=part), timeout=60)
        assert len(answer.results) == len(part)


def circle(road: int, camera: int, meters: float = 500) -> Area:
    """Everywhere near a camera."""
    return Area(circle=Circle(center=camera_point(road, camera), radius_meters=meters))


def scene(when: datetime, area: Area, minutes: int = 20, label: str = "") -> pb.Scene:
    """That place, so many minutes before and after."""
    made = pb.Scene(label=label, area=area, to=to_timestamp(when + timedelta(minutes=minutes)))
    getattr(made, "from").CopyFrom(to_timestamp(when - timedelta(minutes=minutes)))
    return made


def asked(message: type[Any], **fields: Any) -> Any:
    """A request with a fresh id and a complete reason."""
    return message(request_id=str(uuid4()), justification=reason(), **fields)


def reason() -> Justification:
    """A case number and a purpose."""
    return Justification(
        case_number_kind=CASE_NUMBER_KIND_CAD,
        case_number="26-0001",
        purpose="homicide investigation, victim's car seen leaving",
        offence_code="HOMICIDE",
    )
