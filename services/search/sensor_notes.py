"""What stored reads say about their sensors, on its way to the database (ENF-051 III.B.2.c)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

import structlog

from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import SensorsUnknownError, StorageUnavailableError
from services.common.sensors import place_at
from services.search.core.reads import AppendResult, NewRead
from services.search.core.sensor_activity import Activity, distance_metres

log = structlog.get_logger()

_FLUSH_SECONDS: Final = 5.0


class Registry(Protocol):
    """The sensors as audit tells them (services.common.sensors)."""

    def known(self, sensor_id: str) -> sensor_pb2.Sensor | None:
        """The sensor, approved or not."""


class Store(Protocol):
    """Where counts go (services.search.store_sensor_health)."""

    async def note(self, process_id: UUID, sequence: int, activity: Activity) -> None:
        """Returns when the counts are on disk."""


class SensorNotes:
    """Adds up in memory and writes every five seconds: the read road waits for none of it.

    What a process had not written when it was killed is missing in the counts, never in the archive.
    """

    def __init__(self, store: Store, registry: Registry, clock: Clock, process_id: UUID) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._process_id = process_id
        self._sequence = 0
        self._gathering = Activity()
        self._unwritten: Activity | None = None
        self._task: asyncio.Task[None] | None = None

    def note(self, reads: Sequence[NewRead], results: Sequence[AppendResult]) -> None:
        """Counts reads that have just been stored. Never raises: their sender shall hear that they are."""
        now = self._clock.now()
        try:
            for read, result in zip(reads, results, strict=True):
                self._gathering.note(read, result, now, self._drift(read))
        except Exception:
            log.exception("sensor_not_counted")

    async def start(self) -> None:
        """Begins to write, in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Returns when what was noted is written, or cannot be."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StorageUnavailableError):
            await self.flush()
            await self.flush()

    async def flush(self) -> None:
        """Returns when what was noted is on disk.

        Raises:
            StorageUnavailableError: It is not known to be; the next flush writes the same, which counts once.
        """
        if self._unwritten is None:
            if not self._gathering.hours and not self._gathering.newest:
                return
            self._unwritten, self._gathering = self._gathering, Activity()
            self._sequence += 1
        await self._store.note(self._process_id, self._sequence, self._unwritten)
        self._unwritten = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception as error:
                # Whatever it is, it must not end the counting.
                log.warning("sensor_counts_wait", error=type(error).__name__)

    def _drift(self, read: NewRead) -> float | None:
        """How far a read was taken from where its sensor stood then; None where that is not known."""
        if read.latitude is None or read.longitude is None:
            return None
        try:
            sensor = self._registry.known(read.sensor_id)
        except SensorsUnknownError:
            return None
        place = place_at(sensor, read.capture_time) if sensor is not None and read.capture_time else None
        if place is None:
            return None
        return distance_metres(place.latitude, place.longitude, read.latitude, read.longitude)
