"""Which sensors may send, kept at hand from a watch on audit (ENF-051 III.B.3.e)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import SensorNotApprovedError, SensorsUnknownError
from services.common.wire import to_datetime

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceAsyncStub

log = structlog.get_logger()

_TRUSTED_FOR: Final = timedelta(seconds=15)
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0


class SensorRegistry:
    """The sensors as audit last told them. What it has not heard of for 15 seconds it does not believe.

    Args:
        stub: Of audit's SensorService, on a channel of this service's own certificate.
        clock: Tells how old the last word is.
    """

    def __init__(self, stub: SensorServiceAsyncStub, clock: Clock) -> None:
        self._stub = stub
        self._clock = clock
        self._sensors: dict[str, sensor_pb2.Sensor] = {}
        self._heard: datetime | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to watch, in the background; until the first word of audit everything is refused.

        Raises:
            RuntimeError: It watches already.
        """
        if self._watching is not None:
            raise RuntimeError("the registry watches already")
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends the watch; from 15 seconds later everything is refused."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})

    @property
    def fresh(self) -> bool:
        """Whether audit was heard within the last 15 seconds."""
        # A clock that was set back makes the last word look as if it were yet to come: no reason to trust it.
        return self._heard is not None and timedelta() <= self._clock.now() - self._heard <= _TRUSTED_FOR

    def known(self, sensor_id: str) -> sensor_pb2.Sensor | None:
        """The sensor, approved or not; not to be changed. For reads that were taken already.

        Raises:
            SensorsUnknownError: Audit was not heard for 15 seconds; try again.
        """
        if not self.fresh:
            raise SensorsUnknownError("the registry of sensors cannot be reached; try again")
        return self._sensors.get(sensor_id)

    def everyone(self) -> tuple[sensor_pb2.Sensor, ...]:
        """All sensors, approved or not, by id; not to be changed.

        Raises:
            SensorsUnknownError: Audit was not heard for 15 seconds; try again.
        """
        if not self.fresh:
            raise SensorsUnknownError("the registry of sensors cannot be reached; try again")
        return tuple(self._sensors[sensor_id] for sensor_id in sorted(self._sensors))

    def require_approved(self, sensor_id: str, capture_time: datetime) -> sensor_pb2.Sensor:
        """The sensor, approved for the moment of capture; not to be changed.

        Raises:
            SensorsUnknownError: Audit was not heard for 15 seconds; try again.
            SensorNotApprovedError: Unknown, not approved or suspended, or `capture_time` is outside of the
                approved period, which begins with `approved_from` and ends before `approved_until`.
        """
        if not self.fresh:
            raise SensorsUnknownError(
                "the registry of sensors cannot be reached; nothing was accepted; try again"
            )
        sensor = self._sensors.get(sensor_id)
        if sensor is None:
            raise _not_approved("the sensor is not registered", sensor_id)
        if sensor.status != sensor_pb2.DEPLOYMENT_STATUS_APPROVED:
            raise _not_approved("the sensor's deployment is not approved", sensor_id)
        if not _covers(sensor, capture_time):
            raise _not_approved("the capture time is outside of the approved deployment", sensor_id)
        return sensor

    async def _watch(self) -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            heard_before = self._heard
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                log.warning("sensor_watch_ended", code=error.code().name)
            except TimeoutError:
                log.warning("sensor_watch_ended", code="SILENT")
            except Exception:
                # A watch that died would refuse all sensors for ever.
                log.exception("sensor_watch_ended")
            pause = (
                _SHORTEST_PAUSE_SECONDS
                if self._heard != heard_before
                else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            )
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """Follows one stream to its end."""
        call: Any = self._stub.WatchSensors(pb.WatchSensorsRequest())
        known = False
        try:
            while (message := await _next(call)) is not grpc.aio.EOF:
                known = known or message.snapshot
                if not known:
                    log.error("sensor_watch_without_snapshot")
                    return
                self._take(message)
        finally:
            call.cancel()

    def _take(self, message: pb.WatchSensorsResponse) -> None:
        changed = {sensor.sensor_id: sensor for sensor in message.sensors}
        self._sensors = changed if message.snapshot else {**self._sensors, **changed}
        self._heard = self._clock.now()
        if message.snapshot or changed:
            log.info(
                "sensors_heard", revision=message.revision, changed=len(changed), known=len(self._sensors)
            )


async def _next(call: Any) -> Any:
    # A connection can be dead without an end; audit sends something every 5 seconds.
    async with asyncio.timeout(_TRUSTED_FOR.total_seconds()):
        return await call.read()


def is_approved(sensor: sensor_pb2.Sensor, moment: datetime) -> bool:
    """Whether the sensor's deployment is approved for `moment`."""
    return sensor.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED and _covers(sensor, moment)


def _covers(sensor: sensor_pb2.Sensor, moment: datetime) -> bool:
    if not sensor.HasField("approved_from"):
        return False
    try:
        begins = to_datetime(sensor.approved_from)
        ends = to_datetime(sensor.approved_until) if sensor.HasField("approved_until") else None
    except ValueError:
        return False
    return begins <= moment and (ends is None or moment < ends)


def _not_approved(text: str, sensor_id: str) -> SensorNotApprovedError:
    return SensorNotApprovedError(text, resource=sensor_id, metadata={"clauses": "III.B.3.e"})
