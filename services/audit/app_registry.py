"""Agencies and sensors (ENF-051 III.A, III.B.3.e)."""

from __future__ import annotations

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.app_placements import words_of
from services.audit.app_sensor_desk import Permitted, SensorDesk, action_of, thing_of
from services.audit.core.email import EmailPack
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.core.registry import Agency, Approval, DeploymentStatus, Sensor, SensorAct
from services.audit.errors import AgencyNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_sensors import SensorStore
from services.common.errors import FieldViolation
from services.common.wire import raise_violations


class Agencies:
    """Keeps agencies."""

    def __init__(self, gate: Gate, actor: Actor, store: AccountStore, email: EmailPack) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._email = email

    async def register(self, call: Call, agency: Agency) -> Agency:
        """The agency, registered.

        Raises:
            AgencyExistsError: Its ORI is registered already.
            InvalidFieldError: A domain is no government's (III.B.3.j).
        """
        thing = Thing(agency.ori, agency=agency.ori)
        attempt = Attempt("", "agency.register", resource=agency.ori, request_id=call.request_id)
        async with self._gate.recording(attempt):
            self._gate.permit(await self._gate.person(call.token, attempt), "agency.register", thing)
            if not all(map(self._email.is_government, agency.email_domains)):
                text = "must be government domains; others are listed in the policy pack once checked"
                raise_violations([FieldViolation("agency.email_domains", text)])
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

    def __init__(self, gate: Gate, actor: Actor, store: SensorStore, desk: SensorDesk) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._desk = desk

    async def register(self, call: Call, sensor: Sensor) -> Sensor:
        """The sensor, registered and not yet approved.

        Raises:
            SensorExistsError: Its id is taken.
        """
        action = action_of("register", sensor)
        attempt = Attempt("", action, resource=sensor.sensor_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, action, thing_of(sensor))
        asked = Permitted(call, attempt, action, person.account.account_id, sensor)
        details = {
            "sensor_group": sensor.sensor_group,
            "deployment_type": sensor.deployment_type.value,
            "place": words_of(sensor.place),
            "provenance": sensor.provenance.value,
            "partition": sensor.partition.value,
        }
        further = {"unit": sensor.unit, "vehicle": sensor.vehicle}
        details |= {name: value for name, value in further.items() if value}
        await self._desk.carry_out(asked, details, lambda act: self._store.register(act, sensor))
        return await self._desk.sensor(sensor.sensor_id)

    async def decide(self, call: Call, sensor_id: str, approval: Approval) -> Sensor:
        """The sensor, its deployment approved or suspended."""
        verb = "approve" if approval.status is DeploymentStatus.APPROVED else "suspend"
        async with self._desk.permitted(call, sensor_id, verb) as asked:
            pass
        bounds = {"approved_from": approval.approved_from, "approved_until": approval.approved_until}
        details = {name: rfc3339(moment) for name, moment in bounds.items() if moment}
        await self._desk.carry_out(asked, details, lambda act: self._store.decide(act, sensor_id, approval))
        return await self._desk.sensor(sensor_id)

    async def show(self, call: Call, sensor_id: str) -> tuple[Sensor, list[SensorAct]]:
        """The sensor, and what was done about it, newest first."""
        async with self._desk.permitted(call, sensor_id, "show") as asked:
            return asked.sensor, await self._store.acts(sensor_id)

    async def page(self, call: Call, after: str, limit: int) -> list[Sensor]:
        """Up to `limit` sensors of the caller's agency whose id comes after `after`."""
        person = await self._actor.signed_in(call, "sensor.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, after, limit)
