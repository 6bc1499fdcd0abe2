"""From a frame to final reads: the door, recognition, the image on disk, the matcher's answer."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

from alpr.type.v1 import sensor_pb2
from alpr.type.v1.read_pb2 import READ_STATUS_OUT_OF_RETENTION, ReadStatus
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.readid import read_id_of_frame
from services.common.sensors import SensorRegistry
from services.ocr.frames import Frame, FrameAnswer, NewRead, Outcome, Position, StoredImage
from services.ocr.limits import Load
from services.ocr.matcher_link import MatcherLink
from services.ocr.metrics import FRAMES, PLATES
from services.ocr.recognition import Recognized, Recognizer
from services.ocr.store import ImageVault


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
        received = self._clock.now()
        sensor = self._sensors.require_approved(sensor_id, frame.capture_time)
        place = frame.place or _surveyed_place(sensor)
        with self._load.admitted(len(frame.image), seconds_left) as ticket:
            async with self._slots:
                found = await self._recognizer.recognize(frame.image, sensor_id)
                ticket.recognised(found.seconds)
                if not found.plates:
                    # Without a plate nothing of the frame is kept.
                    FRAMES.labels("unreadable" if found.unreadable else "empty").inc()
                    return FrameAnswer((), found.seconds, len(found.unreadable))
                FRAMES.labels("plates").inc()
                return await self._finish(frame, found, sensor_id, place, received)

    async def _finish(
        self, frame: Frame, found: Recognized, sensor_id: str, place: Position, received: datetime
    ) -> FrameAnswer:
        sha256 = hashlib.sha256(frame.image).digest()
        image = await self._stored_image(frame, sha256)
        reads = tuple(
            NewRead(
                read_id=read_id_of_frame(
                    sensor_id,
                    frame.capture_time,
                    sha256,
                    (plate.box.x, plate.box.y, plate.box.width, plate.box.height),
                ),
                sensor_id=sensor_id,
                capture_time=frame.capture_time,
                receive_time=received,
                place=place,
                plate=plate,
                image=image,
                model_version=found.model_version,
                crop=crop,
                overview=found.overview,
            )
            for plate, crop in zip(found.plates, found.crops, strict=True)
        )
        if image is None:
            outcomes = (Outcome(READ_STATUS_OUT_OF_RETENTION, ""),) * len(reads)
        else:
            outcomes = await self._matcher.submit(reads)
        for outcome in outcomes:
            PLATES.labels(ReadStatus.Name(outcome.status)).inc()
        return FrameAnswer(tuple(zip(reads, outcomes, strict=True)), found.seconds, len(found.unreadable))

    async def _stored_image(self, frame: Frame, sha256: bytes) -> StoredImage | None:
        """The image once it is on disk; None when its day is no longer kept, and then it is not stored."""
        day = frame.capture_time.astimezone(UTC).date()
        if not self._vault.keeps(day):
            return None
        key = await self._vault.store(day, sha256, frame.image)
        return StoredImage(sha256, day, frame.kind.media_type, len(frame.image), key)


def _surveyed_place(sensor: sensor_pb2.Sensor) -> Position:
    if sensor.deployment_type != sensor_pb2.DEPLOYMENT_TYPE_FIXED or not sensor.HasField("place"):
        missing = FieldViolation("frame.place", "must be set: only a fixed sensor has a surveyed place")
        raise InvalidFieldError("1 field is missing or wrong: see the details", violations=(missing,))
    return Position(sensor.place.latitude, sensor.place.longitude, sensor.place.description)
