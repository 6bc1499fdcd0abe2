"""What cameras say of themselves, on its way to the matcher (ENF-051 III.B.2.c)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import grpc

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import AlprError, DependencyUnavailableError, NotPermittedError, from_rpc_error
from services.common.sensors import SensorRegistry
from services.common.wire import to_timestamp

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceAsyncStub

_DEADLINE_SECONDS: Final = 5.0
_REFUSALS: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED})


class StatusRelay:
    """Passes on what approved cameras say, with the moment at which it came here."""

    def __init__(self, sensors: SensorRegistry, stub: MatchServiceAsyncStub, clock: Clock) -> None:
        self._sensors = sensors
        self._stub = stub
        self._clock = clock

    async def report(self, status: sensor_pb2.SensorStatus, sensor_id: str) -> datetime:
        """When it came, once it is on disk.

        Raises:
            NotPermittedError: It speaks of another sensor.
            SensorNotApprovedError: Nothing was kept (ENF-051 III.B.3.e).
            InvalidFieldError: A field is missing or wrong.
            DependencyUnavailableError: The matcher did not answer; sending it again is safe.
        """
        received = self._clock.now()
        if status.sensor_id not in {"", sensor_id}:
            raise NotPermittedError("a sensor speaks for itself only", metadata={"clauses": "III.B.3.e"})
        self._sensors.require_approved(sensor_id, received)
        said = sensor_pb2.SensorStatus()
        said.CopyFrom(status)
        said.sensor_id = sensor_id
        request = pb.ReportSensorStatusRequest(status=said, receive_time=to_timestamp(received))
        try:
            await self._stub.ReportSensorStatus(request, timeout=_DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _typed(error) from None
        return received


def _typed(error: grpc.aio.AioRpcError) -> AlprError:
    if error.code() in _REFUSALS:
        return from_rpc_error(error)
    return DependencyUnavailableError("the matcher did not answer; send it again", resource="matcher")
