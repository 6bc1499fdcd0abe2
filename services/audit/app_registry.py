"""Agencies and sensors (ENF-051 III.A, III.B.3.e)."""

from __future__ import annotations

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.core.registry import Agency, Approval, DeploymentStatus, Partition, Sensor
from services.audit.errors import AgencyNotFoundError, UnknownSensorError
from services.audit.store_accounts import AccountStore
from services.audit.store_sensors import SensorStore


class Agencies:
    """Keeps agencies."""

    def __init__(self, gate: Gate, actor: Actor, store: AccountStore) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store

    async def register(self, call: Call, agency: Agency) -> Agency:
        """The agency, registered.

        Raises:
            AgencyExistsError: Its ORI is registered already.
        """
        thing = Thing(agency.ori, agency=agency.ori)
        attempt = Attempt("", "agency.register", resource=agency.ori, request_id=call.request_id)
        async with self._gate.recording(attempt):
            self._gate.permit(await self._gate.person(call.token, attempt), "agency.register", thing)
        act = Act(
            "agency.register", thing, {"name": agency.name, "email_domains": ",".join(agency.email_domains)}
        )
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.register_agency(intent, agency)
        )
        stored = await self._store.agency(agency.ori)
        if stored is None:
            raise AgencyNotFoundError("this agency is not registered", resource=agency.ori)
        return stored

    async def page(self, call: Call, after: str, limit: int) -> list[Agency]:
        """Up to `limit` agencies whose ORI comes after `after`."""
        await self._actor.signed_in(call, "agency.list", Thing())
        return await self._store.agencies(after, limit)


class Sensors:
    """Keeps sensors and where and when they may stand."""

    def __init__(self, gate: Gate, actor: Actor, store: SensorStore) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store

    async def register(self, call: Call, sensor: Sensor) -> Sensor:
        """The sensor, registered and not yet approved.

        Raises:
            SensorExistsError: Its id is taken.
        """
        thing = Thing(sensor.sensor_id, agency=sensor.agency_ori)
        action = _action("register", sensor)
        attempt = Attempt("", action, resource=sensor.sensor_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            self._gate.permit(await self._gate.person(call.token, attempt), action, thing)
        place = sensor.place
        details = {
            "sensor_group": sensor.sensor_group,
            "deployment_type": sensor.deployment_type.value,
            "place": f"{place.latitude:.7f},{place.longitude:.7f} {place.description}".strip(),
            "provenance": sensor.provenance.value,
            "partition": sensor.partition.value,
        }
        if sensor.unit:
            details["unit"] = sensor.unit
        act = Act(action, thing, details)
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.register(intent, sensor))
        return await self._sensor(sensor.sensor_id)

    async def decide(self, call: Call, sensor_id: str, approval: Approval) -> Sensor:
        """The sensor, its deployment approved or suspended."""
        verb = "approve" if approval.status is DeploymentStatus.APPROVED else "suspend"
        attempt = Attempt("", f"sensor.{verb}", resource=sensor_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            sensor = await self._sensor(sensor_id)
            action = _action(verb, sensor)
            attempt.note(action=action)
            thing = Thing(sensor_id, agency=sensor.agency_ori)
            self._gate.permit(person, action, thing)
        bounds = {"approved_from": approval.approved_from, "approved_until": approval.approved_until}
        details = {name: rfc3339(moment) for name, moment in bounds.items() if moment}
        act = Act(action, thing, details)
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.decide(intent, sensor_id, approval)
        )
        return await self._sensor(sensor_id)

    async def page(self, call: Call, after: str, limit: int) -> list[Sensor]:
        """Up to `limit` sensors of the caller's agency whose id comes after `after`."""
        person = await self._actor.signed_in(call, "sensor.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, after, limit)

    async def _sensor(self, sensor_id: str) -> Sensor:
        sensor = await self._store.by_id(sensor_id)
        if sensor is None:
            raise UnknownSensorError("there is no such sensor", resource=sensor_id)
        return sensor


def _action(verb: str, sensor: Sensor) -> str:
    """Sensors of the Motor Carrier Safety system are its supervisors' business (ENF-051 III.E.1)."""
    return f"mcs_sensor.{verb}" if sensor.partition is Partition.MOTOR_CARRIER else f"sensor.{verb}"
