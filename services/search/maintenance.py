"""Judging sensors every half minute: notices are opened and cleared (ENF-051 III.B.2.c)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import structlog

from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import SensorsUnknownError
from services.common.sensors import SensorRegistry
from services.search.core.sensor_health import Findings, Kind, findings
from services.search.sensor_facts import FactFinder
from services.search.store_sensor_health import NewNotice, SensorHealthStore

log = structlog.get_logger()

# After a start, reads that waited for us come in first: until then every sensor looks silent.
_SETTLE_SECONDS: Final = 60.0
_HISTORY_DAYS: Final = 400
_FORGET_EVERY: Final = 120


@dataclass(frozen=True, slots=True)
class Turn:
    """Who takes turns, and how often one comes."""

    process_id: UUID
    every_seconds: float


class Shifts(Protocol):
    """Where it is put on record that a camera stands elsewhere."""

    async def record(self, moved: Sequence[NewNotice], moment: datetime) -> None:
        """Returns when all of them are on record; repeating it is harmless. Raises AuditUnavailableError."""


class MaintenanceJudge:
    """Looks at all sensors in turn; of all replicas, one does."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a judgement needs
        self,
        store: SensorHealthStore,
        registry: SensorRegistry,
        finder: FactFinder,
        shifts: Shifts,
        clock: Clock,
        turn: Turn,
    ) -> None:
        self._store = store
        self._registry = registry
        self._finder = finder
        self._shifts = shifts
        self._clock = clock
        self._process_id = turn.process_id
        self._every = turn.every_seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to judge, in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Returns when nothing more is judged."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def judge(self) -> int:
        """The number of notices that were opened or cleared now; 0 too when another replica judges.

        Raises:
            SensorsUnknownError: The registry cannot be reached.
            StorageUnavailableError: The database did not answer.
            AuditUnavailableError: That a camera moved is not in the log; nothing was opened or cleared.
        """
        sensors = self._registry.everyone()
        if not await self._store.may_judge(self._process_id, int(3 * self._every) + 1):
            return 0
        now = self._clock.now()
        facts = await self._finder.facts(sensors, now)
        known = await self._store.open_kinds()
        opened, cleared = _changes(sensors, [findings(one, now) for one in facts], known)
        if not opened and not cleared:
            return 0
        # Before the notice: when this process dies in between, the next turn records the same once more.
        if moved := [one for one in opened if one.kind is Kind.MOVED]:
            await self._shifts.record(moved, now)
        changed = await self._store.change(opened, cleared, now)
        log.info("maintenance_changed", opened=len(opened), cleared=len(cleared))
        return changed

    async def _run(self) -> None:
        await asyncio.sleep(min(_SETTLE_SECONDS, 2 * self._every))
        turn = 0
        while True:
            try:
                with suppress(SensorsUnknownError):
                    await self.judge()
                if turn % _FORGET_EVERY == 0:
                    await self._store.forget(_HISTORY_DAYS)
            except Exception as error:
                # Whatever it is, it must not end the watch over the sensors.
                log.warning("maintenance_waits", error=type(error).__name__)
            turn += 1
            await asyncio.sleep(self._every)


def _changes(
    sensors: Sequence[sensor_pb2.Sensor], found: Sequence[Findings], known: Mapping[str, Set[Kind]]
) -> tuple[list[NewNotice], list[tuple[str, Kind]]]:
    """What is to be opened and what is to be cleared."""
    opened: list[NewNotice] = []
    cleared: list[tuple[str, Kind]] = []
    for sensor, finding in zip(sensors, found, strict=True):
        open_kinds = known.get(sensor.sensor_id, frozenset())
        for kind, description in finding.items():
            if description is None and kind in open_kinds:
                cleared.append((sensor.sensor_id, kind))
            elif description is not None and kind not in open_kinds:
                opened.append(_notice(sensor, kind, description))
    return opened, cleared


def _notice(sensor: sensor_pb2.Sensor, kind: Kind, description: str) -> NewNotice:
    return NewNotice(
        sensor_id=sensor.sensor_id,
        sensor_group=sensor.sensor_group,
        agency_ori=sensor.agency_ori,
        motor_carrier=sensor.partition == sensor_pb2.PARTITION_MOTOR_CARRIER,
        kind=kind,
        description=description,
    )
