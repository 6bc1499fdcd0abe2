"""Use cases: how sensors do, how many are active, and what about them needs a hand (ENF-051 III.B.2.c)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import NotFoundError, StoppingError
from services.common.identity import AccessToken
from services.common.sensors import SensorRegistry, is_approved
from services.common.stopping import Stopping
from services.search.acts import ActPlan, Acts, Intent
from services.search.core.sensor_health import Facts, Kind
from services.search.leases import Leases
from services.search.sensor_facts import FactFinder
from services.search.store_sensor_health import Audience, Notice, SensorHealthStore

_LOOK_SECONDS: Final = 2.0
_SIGN_OF_LIFE: Final = timedelta(seconds=14)
_MOST_NOTICES: Final = 500


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and at which data set's sensors."""

    token: AccessToken
    motor_carrier: bool

    @property
    def action(self) -> str:
        """The action by which the policies know it."""
        return "mcs_sensor.health" if self.motor_carrier else "sensor.health"


@dataclass(frozen=True, slots=True)
class SensorView:
    """A sensor as the registry and the counts know it."""

    sensor: sensor_pb2.Sensor
    facts: Facts
    open_kinds: frozenset[Kind]
    moment: datetime


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many sensors of a group sent reads."""

    sensor_group: str
    active: int
    approved: int
    reads: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Notices that changed, and what to go on after; none for a sign of life."""

    notices: tuple[Notice, ...]
    position: int


class SensorHealth:
    """Shows nothing before it stands in audit's log that it is shown."""

    def __init__(  # noqa: PLR0913 - it joins what audit, registry and counts know
        self,
        *,
        acts: Acts,
        leases: Leases,
        registry: SensorRegistry,
        store: SensorHealthStore,
        finder: FactFinder,
        clock: Clock,
    ) -> None:
        self._acts = acts
        self._leases = leases
        self._registry = registry
        self._store = store
        self._finder = finder
        self._clock = clock

    async def health(self, viewer: Viewer, sensor_id: str, after: str, limit: int) -> list[SensorView]:
        """Up to `limit` sensors by id that come after `after`; the one only when `sensor_id` names one.

        Raises:
            NotFoundError: The one is not of the caller's agency and data set.
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError, SensorsUnknownError, StorageUnavailableError: Nothing was shown; try again.
        """
        async with self._recorded(viewer, sensor_id) as intent:
            sensors = self._sensors(intent, viewer)
            if sensor_id:
                sensors = [one for one in sensors if one.sensor_id == sensor_id]
                if not sensors:
                    raise NotFoundError("your agency has no such sensor", resource=sensor_id)
            sensors = [one for one in sensors if one.sensor_id > after][:limit]
            now = self._clock.now()
            facts = await self._finder.facts(sensors, now)
            known = await self._store.open_kinds()
        return [
            SensorView(sensor, fact, frozenset(known.get(sensor.sensor_id, ())), now)
            for sensor, fact in zip(sensors, facts, strict=True)
        ]

    async def active(self, viewer: Viewer, start: datetime, end: datetime) -> list[GroupCount]:
        """The counts of the period by sensor group, between two full hours. Errors as for `health`."""
        async with self._recorded(viewer, "") as intent:
            sensors, now = self._sensors(intent, viewer), self._clock.now()
            reads = await self._store.active([one.sensor_id for one in sensors], start, end)
        groups: dict[str, list[sensor_pb2.Sensor]] = {}
        for sensor in sensors:
            groups.setdefault(sensor.sensor_group, []).append(sensor)
        return [
            GroupCount(
                sensor_group=name,
                active=sum(one.sensor_id in reads for one in members),
                approved=sum(is_approved(one, now) for one in members),
                reads=sum(reads.get(one.sensor_id, 0) for one in members),
            )
            for name, members in sorted(groups.items())
        ]

    async def notices(
        self, viewer: Viewer, before: tuple[datetime, UUID], limit: int, *, open_only: bool
    ) -> list[Notice]:
        """Up to `limit` notices that opened before `before`, newest first. Errors as for `health`."""
        async with self._recorded(viewer, "") as intent:
            audience = Audience(intent.agency_ori, viewer.motor_carrier)
            return await self._store.page(audience, open_only=open_only, before=before, limit=limit)

    async def watch(self, viewer: Viewer, after: int, stopping: Stopping) -> AsyncGenerator[Changes]:
        """What is open, or changed after position `after`; then every change, and signs of life.

        Raises:
            EntitlementEndedError: The person may not watch any more.
            StoppingError: The process is to end; go on at another replica.
            AlprError: As for `health`.
        """
        async with self._leases.held(viewer.token, viewer.action) as lease:
            async with self._recorded(viewer, "") as intent:
                audience = Audience(intent.agency_ori, viewer.motor_carrier)
            told = self._clock.now()
            if not after:
                after = await self._store.position()
                yield Changes(tuple(await self._open(audience)), after)
            while True:
                lease.require()
                changed = await self._store.since(audience, open_only=False, after=after, limit=_MOST_NOTICES)
                after = changed[-1].position if changed else after
                if changed or self._clock.now() - told >= _SIGN_OF_LIFE:
                    told = self._clock.now()
                    yield Changes(tuple(changed), after)
                if len(changed) < _MOST_NOTICES:
                    await _pause(stopping)

    async def _open(self, audience: Audience) -> list[Notice]:
        found: list[Notice] = []
        while True:
            after = found[-1].position if found else 0
            page = await self._store.since(audience, open_only=True, after=after, limit=_MOST_NOTICES)
            found += page
            if len(page) < _MOST_NOTICES:
                return found

    def _sensors(self, intent: Intent, viewer: Viewer) -> list[sensor_pb2.Sensor]:
        return [
            sensor
            for sensor in self._registry.everyone()
            if sensor.agency_ori == intent.agency_ori
            and (sensor.partition == sensor_pb2.PARTITION_MOTOR_CARRIER) is viewer.motor_carrier
        ]

    @asynccontextmanager
    async def _recorded(self, viewer: Viewer, sensor_id: str) -> AsyncIterator[Intent]:
        """Looks inside of it; when it is left, the log has that what was found is shown."""
        plan = ActPlan(
            request_id=uuid4(), action=viewer.action, resource=sensor_id or "sensors", token=viewer.token
        )
        intent = await self._acts.begin(plan)
        try:
            yield intent
        except BaseException:
            await self._acts.failed(intent.intent_id)
            raise
        await self._acts.done(intent.intent_id, {})


async def _pause(stopping: Stopping) -> None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await stopping.wait()
    except TimeoutError:
        return
    raise StoppingError("the service is stopping; go on at another replica")
