"""From a pushed message to final reads: the door, the picture on disk, the matcher's answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.clock import Clock
from services.common.errors import NotPermittedError
from services.common.sensors import SensorRegistry
from services.common.wire import status_label
from services.ocr.core.pushed.model import PushedRead
from services.ocr.frames import Outcome, StoredImage
from services.ocr.matcher_link import MatcherLink
from services.ocr.metrics import PLATES
from services.ocr.receiver import wire
from services.ocr.receiver.shots import Shot, shots_of
from services.ocr.store import ImageVault

# Decoding a picture of 50 megapixels takes 300 MB.
_DECODED_AT_ONCE: Final = 1
_AHEAD: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PushedOutcome:
    """What became of one pushed read."""

    read_id: UUID
    outcome: Outcome


class PushIntake:
    """Takes reads that cameras push.

    Args:
        sensors: Says which sensors may send.
        vault: Keeps images.
        matcher: Takes reads.
        clock: Tells when a read was received.
        oldest: A read that was captured longer ago is taken only when its message is signed.
    """

    def __init__(
        self,
        *,
        sensors: SensorRegistry,
        vault: ImageVault,
        matcher: MatcherLink,
        clock: Clock,
        oldest: timedelta,
    ) -> None:
        self._sensors = sensors
        self._vault = vault
        self._matcher = matcher
        self._clock = clock
        self._oldest = oldest
        self._decoding = asyncio.Semaphore(_DECODED_AT_ONCE)

    def admit(
        self, reads: Sequence[PushedRead], sensor_id: str, *, signed: bool
    ) -> tuple[sensor_pb2.Sensor, ...]:
        """The sensor, for each read as it was when it captured it. Nothing was looked at or stored yet.

        Raises:
            SensorNotApprovedError: Unknown, suspended, or not approved at the time (ENF-051 III.B.3.e).
            NotPermittedError: A capture time lies in the future, or too far back for a message that is not
                signed: it may be an old one sent again.
        """
        now = self._clock.now()
        for read in reads:
            if read.capture_time > now + _AHEAD:
                raise NotPermittedError("the capture time lies in the future: set the camera's clock")
            if not signed and read.capture_time < now - self._oldest:
                raise NotPermittedError("the capture time is too far back: an old read must be sent signed")
        return tuple(self._sensors.require_approved(sensor_id, read.capture_time) for read in reads)

    async def take(
        self, reads: Sequence[PushedRead], sensors: Sequence[sensor_pb2.Sensor]
    ) -> tuple[PushedOutcome, ...]:
        """What became of each read, once it is final. Each picture is on disk before its read goes on.

        Args:
            reads: Of one message, with their pictures.
            sensors: What `admit` gave for them.

        Raises:
            BadImageError: A picture is damaged; nothing was stored.
            StorageUnavailableError: A picture is not stored, and no read was sent on.
            DependencyUnavailableError: The matcher did not answer; sending again is safe.
        """
        received = self._clock.now()
        async with self._decoding:
            shots = await asyncio.to_thread(shots_of, reads)
        kept: dict[int, read_pb2.CapturedRead] = {}
        for n, (read, sensor, shot) in enumerate(zip(reads, sensors, shots, strict=True)):
            day = read.capture_time.astimezone(UTC).date()
            if self._vault.keeps(day):
                image = await self._stored(read.capture_time, shot, sensor)
                kept[n] = wire.to_captured_read(read, sensor, received, shot, image)
        answers = dict(zip(kept, await self._matcher.submit_messages(tuple(kept.values())), strict=True))
        too_old = Outcome(read_pb2.READ_STATUS_OUT_OF_RETENTION, "")
        outcomes = [answers.get(n, too_old) for n in range(len(reads))]
        for outcome in outcomes:
            PLATES.labels(status_label(outcome.status)).inc()
        return tuple(
            PushedOutcome(wire.read_id_of(read, sensor.sensor_id), outcome)
            for read, sensor, outcome in zip(reads, sensors, outcomes, strict=True)
        )

    async def _stored(
        self, capture_time: datetime, shot: Shot, sensor: sensor_pb2.Sensor
    ) -> StoredImage | None:
        """The image once it is on disk; None when no picture came: the archive keeps such a read apart."""
        if not shot.image:
            return None
        day = capture_time.astimezone(UTC).date()
        sha256 = hashlib.sha256(shot.image).digest()
        apart = sensor.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
        key = await self._vault.store(day, sha256, shot.image, motor_carrier=apart)
        return StoredImage(sha256, day, shot.media_type, len(shot.image), key)
