"""Questions to the Motor Carrier Safety data set, and permits for them as audit makes them."""

from __future__ import annotations

from uuid import UUID

from alpr.search.v1 import archive_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from tests.support.databases import MCS_PERMIT_KEY
from tests.support.search_kit import General, LookBack, archived_read, permit_for

SCALE = "i80-scale-house-1"


def scale_read(plate: str, sensor_id: str = SCALE, **changes: object) -> pb.ArchivedRead:
    """A read of a scale house; `changes` as for `archived_read`."""
    read = archived_read(plate=plate, **changes)  # type: ignore[arg-type]
    read.read.sensor_id, read.partition = sensor_id, sensor_pb2.PARTITION_MOTOR_CARRIER
    return read


def apart_reads(
    plate: str = "",
    sensor_id: str = "",
    before: tuple[int, UUID] | None = None,
    page_size: int = 100,
    **window: int,
) -> General:
    """The question for reads of a plate, of a sensor, or of both, with the arguments of find_mcsreads."""
    before_us, before_id = before or (None, None)
    named = (
        ("plate", plate),
        ("sensor_id", sensor_id),
        ("before_us", str(before_us or "")),
        ("before_read_id", str(before_id or "")),
    )
    return General("mcsreads", named, (plate, sensor_id, before_us, before_id), page_size=page_size, **window)


def apart_image(read_id: str) -> General:
    """The question for the picture of a read, with the arguments of find_mcsimage."""
    return General("mcsimage", (("read_id", read_id),), (UUID(read_id),), page_size=1)


class ApartLookBack(LookBack):
    """A look-back over the data set."""

    kind = "mcslookback"

    def canonical(self) -> str:
        return super().canonical().replace("kind:8:lookback", "kind:11:mcslookback", 1)


def apart_permit(question: General | LookBack, **changes: object) -> str:
    """A permit for `question` with the data set's key; `changes` as the fields of Permit."""
    return permit_for(question, **{"key": MCS_PERMIT_KEY, **changes})
