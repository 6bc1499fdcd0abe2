"""What sensors say of themselves, passed on to where it is kept (ENF-051 III.B.2.c)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from services.common.wire import to_timestamp


class Sensors(Protocol):
    """The registry of sensors."""

    def require_approved(self, sensor_id: str, capture_time: datetime) -> sensor_pb2.Sensor:
        """The sensor, approved for the moment. Raises SensorNotApprovedError."""


class Archive(Protocol):
    """Where it is kept."""

    async def record_status(self, request: archive_pb.RecordSensorStatusRequest) -> None:
        """Returns once it is on disk. Raises DependencyUnavailableError, or what search refuses with."""


class SensorStatuses:
    """Takes what approved sensors say of themselves."""

    def __init__(self, sensors: Sensors, archive: Archive) -> None:
        self._sensors = sensors
        self._archive = archive

    async def report(self, status: sensor_pb2.SensorStatus, received: datetime) -> None:
        """Returns once it is on disk.

        Raises:
            SensorNotApprovedError: Nothing was kept (ENF-051 III.B.3.e).
            InvalidFieldError: A field is missing or wrong.
            DependencyUnavailableError: Search did not answer; sending it again is safe.
        """
        self._sensors.require_approved(status.sensor_id, received)
        await self._archive.record_status(
            archive_pb.RecordSensorStatusRequest(status=status, receive_time=to_timestamp(received))
        )
