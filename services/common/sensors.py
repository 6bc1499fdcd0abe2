"""Which sensors may send, kept at hand from a watch on audit (ENF-051 III.B.3.e)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from google.protobuf.message import Message

from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.clock import Clock
from services.common.errors import (
    AlprError,
    CertificateNotValidError,
    SensorNotApprovedError,
    SensorsUnknownError,
)
from services.common.wire import to_datetime

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceAsyncStub

log = structlog.get_logger()

_TRUSTED_FOR: Final = timedelta(seconds=15)
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_LONGEST_SLEEP_SECONDS: Final = 60.0


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
        self._changed = asyncio.Event()

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
        if not _stands(sensor, capture_time):
            text = "the capture time is outside of every period that is approved for this portable sensor"
            raise SensorNotApprovedError(text, resource=sensor_id, metadata={"clauses": "II.I,III.B.3.e"})
        return sensor

    def require_certificate(self, sensor_id: str, sha256: bytes) -> None:
        """Returns when the certificate is on record for the sensor and good now.

        Args:
            sensor_id: Whom the certificate names.
            sha256: Of the certificate (DER).

        Raises:
            SensorsUnknownError: Audit was not heard for 15 seconds; try again.
            SensorNotApprovedError: The sensor is not registered.
            CertificateNotValidError: The certificate is not on record, was revoked, or has ended.
        """
        if not self.fresh:
            raise SensorsUnknownError("the registry of sensors cannot be reached; try again")
        self._end_of(sensor_id, sha256)

    async def until_refused(self, sensor_id: str, sha256: bytes) -> AlprError:
        """Why the certificate is good no longer, as soon as it has ended or audit says that it was revoked.

        While audit is not heard that is not known; then no read of any sensor is accepted anyway.
        """
        while True:
            changed = self._changed
            try:
                left = (self._end_of(sensor_id, sha256) - self._clock.now()).total_seconds()
            except (CertificateNotValidError, SensorNotApprovedError) as error:
                return error
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LONGEST_SLEEP_SECONDS)):
                    await changed.wait()

    def _end_of(self, sensor_id: str, sha256: bytes) -> datetime:
        """When the certificate ends. Raises as `require_certificate` when it is not good now."""
        sensor, now = self._sensors.get(sensor_id), self._clock.now()
        if sensor is None:
            raise _not_approved("the sensor is not registered", sensor_id)
        held = [one for one in sensor.certificates if one.sha256 == sha256]
        if not held:
            raise _not_valid("the sensor's certificate is not on record", sensor_id, "UNKNOWN")
        if held[0].HasField("revoke_time"):
            raise _not_valid("the sensor's certificate was revoked", sensor_id, "REVOKED")
        start, end = to_datetime(held[0].start_time), to_datetime(held[0].end_time)
        if not start <= now < end:
            raise _not_valid("the sensor's certificate has ended, or is not good yet", sensor_id, "ENDED")
        return end

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
            self._changed.set()
            self._changed = asyncio.Event()
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
    is_open = sensor.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED and _covers(sensor, moment)
    return is_open and _stands(sensor, moment)


def place_at(sensor: sensor_pb2.Sensor, moment: datetime) -> read_pb2.Place | None:
    """Where the registry says that the sensor stood; None where it does not (ENF-051 II.C, II.G, II.I).

    A fixed sensor stands at its surveyed place, and before the vendor's work on it where it stood then; a
    portable one where it was approved for that time; a mobile one says itself where it is.
    """
    if sensor.deployment_type == sensor_pb2.DEPLOYMENT_TYPE_MOBILE:
        return None
    for one in sensor.placements:
        if _within(one, "start_time", "end_time", moment):
            return one.place
    is_fixed = sensor.deployment_type == sensor_pb2.DEPLOYMENT_TYPE_FIXED
    return sensor.place if is_fixed and sensor.HasField("place") else None


def _stands(sensor: sensor_pb2.Sensor, moment: datetime) -> bool:
    """Whether it is known where the sensor stood, as far as it must be."""
    if sensor.deployment_type != sensor_pb2.DEPLOYMENT_TYPE_PORTABLE:
        return True
    return place_at(sensor, moment) is not None


def _covers(sensor: sensor_pb2.Sensor, moment: datetime) -> bool:
    return _within(sensor, "approved_from", "approved_until", moment)


def _within(message: Message, start: str, end: str, moment: datetime) -> bool:
    """Whether the moment lies in the period of these two fields; without an end it is open."""
    if not message.HasField(start):
        return False
    try:
        begins = to_datetime(getattr(message, start))
        ends = to_datetime(getattr(message, end)) if message.HasField(end) else None
    except ValueError:
        return False
    return begins <= moment and (ends is None or moment < ends)


def _not_approved(text: str, sensor_id: str) -> SensorNotApprovedError:
    return SensorNotApprovedError(text, resource=sensor_id, metadata={"clauses": "III.B.3.e"})


def _not_valid(text: str, sensor_id: str, state: str) -> CertificateNotValidError:
    # A sensor tries again with a certificate that may have been issued just now, and with no other.
    metadata = {"clauses": "III.B.3.h", "state": state}
    return CertificateNotValidError(text, resource=sensor_id, metadata=metadata)
