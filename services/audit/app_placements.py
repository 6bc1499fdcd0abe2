"""Where sensors stand: periods of portable ones, the vendor's work on fixed ones (ENF-051 II.I, IV.C.4)."""

from __future__ import annotations

import uuid
from typing import Final

from services.audit.app_act import Call
from services.audit.app_sensor_desk import SensorDesk
from services.audit.core.entry import rfc3339
from services.audit.core.escort import Escort
from services.audit.core.placement import LATEST_APPROVAL, Place, Placement, Survey
from services.audit.core.registry import DeploymentType, Sensor
from services.audit.errors import EscortNotFoundError
from services.audit.store_escorts import EscortStore
from services.audit.store_placements import PlacementStore
from services.common.clock import Clock
from services.common.errors import FieldViolation, WrongStateError
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("c5f0f1a2-0b57-5a54-8f7e-3d9b7d5c6e21")


class Placements:
    """Keeps where sensors stand."""

    def __init__(self, desk: SensorDesk, store: PlacementStore, escorts: EscortStore, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._escorts = escorts
        self._clock = clock

    async def approve(self, call: Call, sensor_id: str, given: Placement) -> Sensor:
        """The sensor, with a further period; the id of `given` is made here.

        Raises:
            WrongStateError: It is not a portable sensor, or stands elsewhere in that period.
            InvalidFieldError: The period began more than a day ago.
        """
        async with self._desk.permitted(call, sensor_id, "place") as asked:
            _require(asked.sensor, DeploymentType.PORTABLE)
            if given.start_time < self._clock.now() - LATEST_APPROVAL:
                raise_violations([FieldViolation("start_time", "must be at most a day ago")])
        new_id = str(uuid.uuid5(_NAMESPACE, f"{asked.account_id}/{call.request_id}"))
        period = Placement(new_id, given.place, given.start_time, given.end_time)
        details = {
            "placement": new_id,
            "place": words_of(given.place),
            "start_time": rfc3339(given.start_time),
            "end_time": rfc3339(given.end_time) if given.end_time else "none",
        }
        await self._desk.carry_out(asked, details, lambda act: self._store.approve(act, sensor_id, period))
        return await self._desk.sensor(sensor_id)

    async def end(self, call: Call, sensor_id: str, placement_id: str) -> Sensor:
        """The sensor, whose period has ended.

        Raises:
            WrongStateError: It is not a portable sensor, or the period has ended already.
            PlacementNotFoundError: The sensor has no such period.
        """
        async with self._desk.permitted(call, sensor_id, "place") as asked:
            _require(asked.sensor, DeploymentType.PORTABLE)
        details = {"ended_placement": placement_id}
        await self._desk.carry_out(asked, details, lambda act: self._store.end(act, sensor_id, placement_id))
        return await self._desk.sensor(sensor_id)

    async def survey(self, call: Call, sensor_id: str, survey: Survey) -> Sensor:
        """The sensor, at the place where the vendor's work has put it.

        Raises:
            WrongStateError: It is no fixed sensor, the escort did not last then, or later work is on record.
            EscortNotFoundError: The agency has no such escort.
        """
        async with self._desk.permitted(call, sensor_id, "survey") as asked:
            _require(asked.sensor, DeploymentType.FIXED)
            await self._check_escort(asked.sensor, survey)
        details = {
            "place": words_of(survey.place),
            "work_time": rfc3339(survey.work_time),
            "work_order": survey.work_order,
            "escort": survey.escort_id,
        }
        found = {"former_place": words_of(asked.sensor.place)}
        await self._desk.carry_out(
            asked, details, lambda act: self._store.survey(act, sensor_id, survey), found
        )
        return await self._desk.sensor(sensor_id)

    async def _check_escort(self, sensor: Sensor, survey: Survey) -> None:
        escort: Escort = await self._escorts.by_id(survey.escort_id)
        if escort.agency_ori != sensor.agency_ori:
            raise EscortNotFoundError("there is no such escort", resource=survey.escort_id)
        if survey.work_time > self._clock.now():
            raise_violations([FieldViolation("work_time", "must not lie ahead")])
        if not escort.begin_time <= survey.work_time <= (escort.ended_time or escort.end_time):
            text = "the vendor was not under that escort at that time"
            raise WrongStateError(text, resource=survey.escort_id, metadata={"clauses": "IV.C.4"})


def words_of(place: Place) -> str:
    """The place in one line, for the log."""
    return f"{place.latitude:.7f},{place.longitude:.7f} {place.description}".strip()


def _require(sensor: Sensor, kind: DeploymentType) -> None:
    if sensor.deployment_type is not kind:
        raise WrongStateError(_WHY[kind], resource=sensor.sensor_id, metadata={"clauses": _CLAUSE[kind]})


_WHY: Final = {
    DeploymentType.PORTABLE: "only portable sensors are moved from place to place",
    DeploymentType.FIXED: "only fixed sensors have a surveyed place; give a portable one a period",
}
_CLAUSE: Final = {DeploymentType.PORTABLE: "IV.C.4", DeploymentType.FIXED: "II.C"}
