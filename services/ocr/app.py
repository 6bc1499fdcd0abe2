"""From a frame to final reads: the door, recognition, the image on disk, the matcher's answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from alpr.type.v1 import sensor_pb2
from alpr.type.v1.read_pb2 import READ_STATUS_OUT_OF_RETENTION
from services.common import tracing
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.readid import read_id_of_frame
from services.common.sensors import SensorRegistry, place_at
from services.common.wire import status_label
from services.ocr.frames import Frame, FrameAnswer, Looked, NewRead, Outcome, Position, StoredImage
from services.ocr.limits import Load, Ticket
from services.ocr.matcher_link import MatcherLink
from services.ocr.metrics import FRAMES, PLATES
from services.ocr.recognition import Recognizer
from services.ocr.store import ImageVault


@dataclass(frozen=True, slots=True)
class _Admitted:
    """Whose frame it is, where it was taken, and when we got it."""

    sensor: sensor_pb2.Sensor
    place: Position
    received: datetime


class FrameIntake:
    """Takes frames of sensors.

    Args:
        sensors: Says which sensors may send.
        recognizer: Finds and reads plates.
        vault: Keeps images.
        matcher: Takes reads.
        clock: Tells when a frame was received.
        load: What is under way, and how much of it there may be.
        in_flight: Frames of all callers under way at the same time.
    """

    def __init__(  # noqa: PLR0913 - the whole read road of a frame meets here
        self,
        *,
        sensors: SensorRegistry,
        recognizer: Recognizer,
        vault: ImageVault,
        matcher: MatcherLink,
        clock: Clock,
        load: Load,
        in_flight: int,
    ) -> None:
        self._sensors = sensors
        self._recognizer = recognizer
        self._vault = vault
        self._matcher = matcher
        self._clock = clock
        self._load = load
        self._slots = asyncio.Semaphore(in_flight)

    async def take(self, frame: Frame, sensor_id: str, seconds_left: float | None = None) -> FrameAnswer:
        """The plates of the frame, each compared and on disk. The same frame again gives the same read ids.

        Args:
            frame: Its form was checked.
            sensor_id: Who sends it.
            seconds_left: How long the caller waits; None is for ever.

        Raises:
            OverloadedError: It would be recognised too late, or there is no room for it; nothing was done.
            SensorNotApprovedError: Nothing was looked at or stored (ENF-051 III.B.3.e).
            InvalidFieldError: No place is known (ENF-051 II.J); nothing was looked at or stored.
            BadImageError: The image cannot be decoded; nothing was stored.
            StorageUnavailableError: The image is not stored, and no read was sent on.
            DependencyUnavailableError: The matcher did not answer; send the frame again.
        """
        admitted = self._allowed(frame, sensor_id)
        with (
            tracing.beginning("ocr.frame"),
            self._load.admitted(len(frame.image), seconds_left) as ticket,
        ):
            async with self._slots:
                looked = await self._look(frame, ticket, admitted)
                found = looked.found
                if not found.plates:
                    # Without a plate nothing of the frame is kept.
                    return FrameAnswer((), found.seconds, found.unreadable)
                reads = tuple(self.read_of(looked, n, sensor_id) for n in range(len(found.plates)))
                return FrameAnswer(await self.keep(looked, reads), found.seconds, found.unreadable)

    async def look(self, frame: Frame, sensor_id: str, seconds_left: float | None = None) -> Looked:
        """What is in a frame of a video. Nothing is stored or sent on.

        Raises:
            OverloadedError: It would be recognised too late, or there is no room for it; nothing was done.
            SensorNotApprovedError: Nothing was looked at (ENF-051 III.B.3.e).
            InvalidFieldError: No place is known (ENF-051 II.J); nothing was looked at.
            BadImageError: The image cannot be decoded.
        """
        admitted = self._allowed(frame, sensor_id)
        with self._load.admitted(len(frame.image), seconds_left) as ticket:
            async with self._slots:
                return await self._look(frame, ticket, admitted)

    def read_of(self, looked: Looked, number: int, sensor_id: str) -> NewRead:
        """The read of the plate of that number in the frame; its image is not stored yet."""
        found, frame = looked.found, looked.frame
        box = found.plates[number].box
        return NewRead(
            read_id=read_id_of_frame(
                sensor_id, frame.capture_time, looked.sha256, (box.x, box.y, box.width, box.height)
            ),
            sensor_id=sensor_id,
            capture_time=frame.capture_time,
            receive_time=looked.received,
            place=looked.place,
            plate=found.plates[number],
            image=None,
            model_version=found.model_version,
            crop=found.crops[number],
            overview=found.overview,
        )

    async def keep(self, looked: Looked, reads: Sequence[NewRead]) -> tuple[tuple[NewRead, Outcome], ...]:
        """The reads and what became of each, once the frame's image and they are on disk.

        All of `reads` are of one day of capture, and the image is kept with it.

        Raises:
            StorageUnavailableError: The image is not stored, and no read was sent on.
            DependencyUnavailableError: The matcher did not answer; sending the reads again is safe.
        """
        with tracing.beginning("ocr.keep", reads=len(reads)):
            image = await self._stored_image(looked, reads[0].capture_time.astimezone(UTC).date())
            stored = tuple(replace(read, image=image) for read in reads)
            if image is None:
                outcomes = (Outcome(READ_STATUS_OUT_OF_RETENTION, ""),) * len(stored)
            else:
                outcomes = await self._matcher.submit(stored)
        for outcome in outcomes:
            PLATES.labels(status_label(outcome.status)).inc()
        return tuple(zip(stored, outcomes, strict=True))

    def _allowed(self, frame: Frame, sensor_id: str) -> _Admitted:
        """What the door says of the frame; only an approved sensor's comes so far."""
        received = self._clock.now()
        sensor = self._sensors.require_approved(sensor_id, frame.capture_time)
        return _Admitted(sensor, frame.place or _known_place(sensor, frame.capture_time), received)

    async def _look(self, frame: Frame, ticket: Ticket, admitted: _Admitted) -> Looked:
        with tracing.span("ocr.recognise"):
            found = await self._recognizer.recognize(frame.image, admitted.sensor.sensor_id)
        ticket.recognised(found.seconds)
        outcome = "plates" if found.plates else "unreadable" if found.unreadable else "empty"
        FRAMES.labels(outcome).inc()
        sha256 = hashlib.sha256(frame.image).digest() if found.plates else b""
        apart = admitted.sensor.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
        return Looked(frame, sha256, admitted.place, admitted.received, found, apart)

    async def _stored_image(self, looked: Looked, day: date) -> StoredImage | None:
        """The image once it is on disk; None when its day is no longer kept, and then it is not stored."""
        if not self._vault.keeps(day):
            return None
        frame = looked.frame
        apart = looked.motor_carrier
        with tracing.span("ocr.image"):
            key = await self._vault.store(day, looked.sha256, frame.image, motor_carrier=apart)
        return StoredImage(looked.sha256, day, frame.kind.media_type, len(frame.image), key)


def _known_place(sensor: sensor_pb2.Sensor, moment: datetime) -> Position:
    place = place_at(sensor, moment)
    if place is None:
        missing = FieldViolation("frame.place", "must be set: the registry knows no place of this sensor")
        raise InvalidFieldError("1 field is missing or wrong: see the details", violations=(missing,))
    return Position(place.latitude, place.longitude, place.description)
