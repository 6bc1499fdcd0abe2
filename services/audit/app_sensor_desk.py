"""How every act on a sensor begins: who asks, which sensor, and whether they may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.policy import Thing
from services.audit.core.registry import Partition, Sensor, SensorAct
from services.audit.errors import UnknownSensorError
from services.audit.store_sensors import SensorStore
from services.common.clock import Clock

# Makes the change by the act, in one transaction with its intent.
Change = Callable[[SensorAct], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Permitted:
    """An act that the policies allow: by whom, with what call, on which sensor as it is now."""

    call: Call
    attempt: Attempt
    action: str
    account_id: str
    sensor: Sensor


class SensorDesk:
    """Takes requests about sensors."""

    def __init__(self, gate: Gate, actor: Actor, store: SensorStore, clock: Clock) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._clock = clock

    @asynccontextmanager
    async def permitted(self, call: Call, sensor_id: str, verb: str) -> AsyncIterator[Permitted]:
        """Who may do `verb` to the sensor; what is refused inside is recorded as well.

        Raises:
            UnknownSensorError: There is no such sensor.
            NotPermittedError: The person may not.
        """
        attempt = Attempt("", f"sensor.{verb}", resource=sensor_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            sensor = await self.sensor(sensor_id)
            action = action_of(verb, sensor)
            attempt.note(action=action)
            self._gate.permit(person, action, thing_of(sensor))
            yield Permitted(call, attempt, action, person.account.account_id, sensor)

    async def carry_out(
        self,
        what: Permitted,
        details: Mapping[str, str],
        change: Change,
        found: Mapping[str, str] | None = None,
    ) -> None:
        """Records the intent, makes the change, records the outcome; `found` is what stood there before."""

        async def made(intent_id: str) -> None:
            await change(SensorAct(intent_id, what.action, what.account_id, self._clock.now()))

        act = Act(what.action, thing_of(what.sensor), details, found=found or {})
        await self._actor.carry_out(act, what.call, what.attempt, made)

    async def sensor(self, sensor_id: str) -> Sensor:
        """The sensor as stored.

        Raises:
            UnknownSensorError: There is no such sensor.
        """
        sensor = await self._store.by_id(sensor_id)
        if sensor is None:
            raise UnknownSensorError("there is no such sensor", resource=sensor_id)
        return sensor


def thing_of(sensor: Sensor) -> Thing:
    """The sensor as the policies see it."""
    return Thing(sensor.sensor_id, agency=sensor.agency_ori, unit=sensor.unit)


def action_of(verb: str, sensor: Sensor) -> str:
    """Sensors of the Motor Carrier Safety system are its supervisors' business (ENF-051 III.E.1)."""
    return f"mcs_sensor.{verb}" if sensor.partition is Partition.MOTOR_CARRIER else f"sensor.{verb}"
