"""Where sensors stand: periods of portable ones, the vendor's work on fixed ones (ENF-051 II.I, IV.C.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import escort_service_pb2 as escort_pb
from alpr.audit.v1 import sensor_placement_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.escort_service_pb2_grpc import EscortServiceStub
from alpr.audit.v1.sensor_placement_service_pb2_grpc import SensorPlacementServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.sensors import place_at
from services.common.wire import to_datetime, to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    RunningAudit,
    last_entry,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIXED, MOBILE, PORTABLE = (
    sensor_pb2.DEPLOYMENT_TYPE_FIXED,
    sensor_pb2.DEPLOYMENT_TYPE_MOBILE,
    sensor_pb2.DEPLOYMENT_TYPE_PORTABLE,
)
APART = sensor_pb2.PARTITION_MOTOR_CARRIER
BRIDGE = read_pb2.Place(latitude=41.9, longitude=-87.8, description="bridge")
RAMP = read_pb2.Place(latitude=41.95, longitude=-87.7, description="ramp")


def stub(audit: RunningAudit) -> Any:
    return audit.people(SensorPlacementServiceStub)


def after(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


async def a_sensor(audit: RunningAudit, kind: int, by: Any = None, **changes: Any) -> str:
    """Id of a new sensor at the bridge."""
    sensor_id = f"cam-{request_id()[:8]}"
    usual = {
        **{"sensor_id": sensor_id, "agency_ori": ORI, "sensor_group": "expressway-north"},
        **{"deployment_type": kind, "place": BRIDGE, "provenance": sensor_pb2.PROVENANCE_OWN},
    }
    request = sensor_pb.RegisterSensorRequest(
        request_id=request_id(), sensor=sensor_pb2.Sensor(**{**usual, **changes})
    )
    metadata = by or audit.bearer(COORDINATOR)
    await audit.people(SensorServiceStub).RegisterSensor(request, metadata=metadata)
    return sensor_id


async def approved(audit: RunningAudit, sensor_id: str, start: datetime, end: datetime) -> sensor_pb2.Sensor:
    request = sensor_pb.ApproveDeploymentRequest(
        request_id=request_id(),
        sensor_id=sensor_id,
        status=sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        approved_from=to_timestamp(start),
        approved_until=to_timestamp(end),
    )
    answer = await audit.people(SensorServiceStub).ApproveDeployment(
        request, metadata=audit.bearer(COORDINATOR)
    )
    return answer.sensor


def period(sensor_id: str, start: float, end: float, **changes: Any) -> pb.ApprovePlacementRequest:
    """A period at the ramp, in hours from now."""
    usual = {
        **{"request_id": request_id(), "sensor_id": sensor_id, "place": RAMP},
        **{"start_time": to_timestamp(after(start)), "end_time": to_timestamp(after(end))},
    }
    return pb.ApprovePlacementRequest(**{**usual, **changes})


@asynccontextmanager
async def escorted(audit: RunningAudit) -> AsyncIterator[str]:
    """Id of an escort under which a vendor works."""
    vendor = await audit.person(audit_pb.ROLE_VENDOR_SUPPORT)
    request = escort_pb.EscortVendorRequest(
        request_id=request_id(),
        vendor_account_id=vendor.account_id,
        scope=escort_pb.ESCORT_SCOPE_HEALTH,
        minutes=30,
        reason="work order 4711",
    )
    stream = audit.people(EscortServiceStub).EscortVendor(request, metadata=audit.bearer(COORDINATOR))
    first = await stream.read()
    assert isinstance(first, escort_pb.EscortVendorResponse)
    try:
        yield first.escort.escort_id
    finally:
        stream.cancel()


def survey(sensor_id: str, escort_id: str, **changes: Any) -> pb.RecordSurveyRequest:
    usual = {
        **{"request_id": request_id(), "sensor_id": sensor_id, "place": RAMP, "escort_id": escort_id},
        **{"work_time": to_timestamp(datetime.now(UTC)), "work_order": "WO 4711"},
    }
    return pb.RecordSurveyRequest(**{**usual, **changes})


@pytest.mark.clause("II.I", "III.B.3.e")
async def test_a_portable_sensor_stands_where_it_was_approved_and_then_where_its_next_period_says(
    audit: RunningAudit,
) -> None:
    sensor_id = await a_sensor(audit, PORTABLE)
    first = await approved(audit, sensor_id, after(-2), after(1))

    request = period(sensor_id, 2, 30)
    moved = (await stub(audit).ApprovePlacement(request, metadata=audit.bearer(COORDINATOR))).sensor
    again = (await stub(audit).ApprovePlacement(request, metadata=audit.bearer(COORDINATOR))).sensor
    entry = await last_entry(audit)

    assert [one.place for one in first.placements] == [BRIDGE]
    assert [one.place for one in moved.placements] == [BRIDGE, RAMP]
    assert again == moved
    assert [place_at(moved, after(hours)) for hours in (-3, 0, 1.5, 3, 31)] == [
        None,
        BRIDGE,
        None,
        RAMP,
        None,
    ]
    assert (entry["action"], entry["resource"], entry["result"]) == ("sensor.place", sensor_id, "DONE")


@pytest.mark.clause("II.I")
async def test_a_sensor_cannot_stand_in_two_places_at_a_time(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit, PORTABLE), audit.bearer(COORDINATOR)
    approve = stub(audit).ApprovePlacement
    await approve(period(sensor_id, 10, 20), metadata=coordinator)

    for start, end in ((5, 11), (12, 13), (19, 25), (5, 25), (10, 20)):
        error = await refused(approve(period(sensor_id, start, end), metadata=coordinator))
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    at_once = [approve(period(sensor_id, 30, 40), metadata=coordinator) for _ in range(4)]
    outcomes = await asyncio.gather(*at_once, return_exceptions=True)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1


@pytest.mark.clause("II.I", "III.B.3.e")
async def test_a_period_ends_early_and_one_to_come_is_taken_back(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit, PORTABLE), audit.bearer(COORDINATOR)
    for start, end in ((-1, 5), (6, 8)):
        await stub(audit).ApprovePlacement(period(sensor_id, start, end), metadata=coordinator)

    def ending(placement_id: str) -> Any:
        request = pb.EndPlacementRequest(
            request_id=request_id(), sensor_id=sensor_id, placement_id=placement_id
        )
        return stub(audit).EndPlacement(request, metadata=coordinator)

    now, later = (await shown(audit, sensor_id)).placements
    ended = (await ending(now.placement_id)).sensor
    taken_back = (await ending(later.placement_id)).sensor
    twice = [await refused(ending(one.placement_id)) for one in (now, later)]
    unknown = await refused(ending(request_id()))
    free = (await stub(audit).ApprovePlacement(period(sensor_id, 1, 9), metadata=coordinator)).sensor

    assert place_at(ended, after(0.1)) is None
    assert to_datetime(ended.placements[0].end_time) <= datetime.now(UTC)
    assert place_at(taken_back, after(7)) is None
    assert {error.code for error in twice} == {grpc.StatusCode.FAILED_PRECONDITION}
    assert unknown.code is grpc.StatusCode.NOT_FOUND
    assert place_at(free, after(7)) == RAMP


async def shown(audit: RunningAudit, sensor_id: str) -> sensor_pb2.Sensor:
    request = sensor_pb.GetSensorRequest(sensor_id=sensor_id)
    answer = await audit.people(SensorServiceStub).GetSensor(request, metadata=audit.bearer(COORDINATOR))
    return answer.sensor


@pytest.mark.clause("III.E.1")
async def test_where_a_portable_motor_carrier_sensor_stands_its_supervisor_approves_and_nobody_else(
    audit: RunningAudit,
) -> None:
    supervisor = await audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)
    officer = await audit.person(audit_pb.ROLE_CVEO)
    sensor_id = await a_sensor(audit, PORTABLE, supervisor.metadata, partition=APART)
    approve = stub(audit).ApprovePlacement

    for stranger in (audit.bearer(COORDINATOR), officer.metadata):
        error = await refused(approve(period(sensor_id, 0, 5), metadata=stranger))
        assert error.metadata["clauses"] == "III.B.3.l"
        entry = await last_entry(audit)
        assert (entry["kind"], entry["action"]) == ("refusal", "mcs_sensor.place")
    placed = (await approve(period(sensor_id, 0, 5), metadata=supervisor.metadata)).sensor

    assert [one.place for one in placed.placements] == [RAMP]
    assert (await last_entry(audit))["action"] == "mcs_sensor.place"


@pytest.mark.clause("III.C.2.a")
async def test_a_work_unit_coordinator_places_the_sensors_of_the_own_unit_only(audit: RunningAudit) -> None:
    coordinator = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit="D4")
    own, other = [await a_sensor(audit, PORTABLE, unit=unit) for unit in ("D4", "D5")]

    await stub(audit).ApprovePlacement(period(own, 0, 5), metadata=coordinator.metadata)
    error = await refused(stub(audit).ApprovePlacement(period(other, 0, 5), metadata=coordinator.metadata))

    assert error.metadata["clauses"] == "III.C.2.a"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"place": None}, "place"),
        ({"place": read_pb2.Place(latitude=91, longitude=1)}, "place"),
        ({"place": read_pb2.Place(latitude=float("nan"), longitude=1)}, "place"),
        ({"end_time": None}, "end_time"),
        ({"end_time": to_timestamp(datetime(2040, 1, 1, tzinfo=UTC))}, "end_time"),
        ({"end_time": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "end_time"),
        ({"sensor_id": "Cam"}, "sensor_id"),
        ({"start_time": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "end_time"),
    ],
)
async def test_each_wrong_field_of_a_period_is_named(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    request = period(**{"sensor_id": "cam-nowhere", "start": 1, "end": 2, **changes})

    error = await refused(stub(audit).ApprovePlacement(request, metadata=audit.bearer(COORDINATOR)))

    assert field in [one.field for one in error.violations]


@pytest.mark.clause("II.I", "IV.C.4")
async def test_only_portable_sensors_have_periods_and_none_is_approved_long_after_the_fact(
    audit: RunningAudit,
) -> None:
    fixed, mobile, portable = [await a_sensor(audit, kind) for kind in (FIXED, MOBILE, PORTABLE)]
    approve, coordinator = stub(audit).ApprovePlacement, audit.bearer(COORDINATOR)

    for sensor_id in (fixed, mobile):
        error = await refused(approve(period(sensor_id, 0, 5), metadata=coordinator))
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    late = await refused(approve(period(portable, -25, 5), metadata=coordinator))

    assert [one.field for one in late.violations] == ["start_time"]


@pytest.mark.clause("II.G")
async def test_a_mobile_sensor_is_on_a_vehicle_and_no_other_is(audit: RunningAudit) -> None:
    mobile = await a_sensor(audit, MOBILE, vehicle="fleet 12-104")

    with pytest.raises(grpc.aio.AioRpcError):
        await a_sensor(audit, FIXED, vehicle="fleet 12-104")

    sensor = await shown(audit, mobile)
    assert sensor.vehicle == "fleet 12-104"
    assert place_at(sensor, after(0)) is None


@pytest.mark.clause("IV.C.4", "II.C")
async def test_the_vendors_work_under_escort_changes_the_survey_and_the_former_place_is_kept(
    audit: RunningAudit,
) -> None:
    sensor_id = await a_sensor(audit, FIXED)
    await approved(audit, sensor_id, after(-10), after(100))
    async with escorted(audit) as escort_id:
        await asyncio.sleep(0.01)
        request, coordinator = survey(sensor_id, escort_id), audit.bearer(COORDINATOR)
        moved = (await stub(audit).RecordSurvey(request, metadata=coordinator)).sensor
        entry = await last_entry(audit)
        # Sent again, it finds the sensor where it has put it itself.
        assert (await stub(audit).RecordSurvey(request, metadata=coordinator)).sensor == moved

    assert moved.place == RAMP
    assert moved.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED
    assert place_at(moved, after(-5)) == BRIDGE
    assert place_at(moved, after(1)) == RAMP
    assert entry["action"] == "sensor.survey"
    intents = await fetch(
        audit.database.admin_url,
        """SELECT other.name, other.value
           FROM audit.log_field AS one JOIN audit.log_field AS other USING (log_index)
           WHERE one.name = 'entry_id' AND one.value = $1""",
        entry["subject"],
    )
    said = {row["name"]: row["value"] for row in intents}
    assert said["detail.escort"] == escort_id
    assert said["detail.work_order"] == "WO 4711"
    assert said["detail.former_place"].endswith("bridge")
    assert said["detail.place"].endswith("ramp")


@pytest.mark.clause("IV.C.4")
async def test_without_an_escort_at_that_time_no_fixed_camera_has_moved(audit: RunningAudit) -> None:
    sensor_id, portable = await a_sensor(audit, FIXED), await a_sensor(audit, PORTABLE)
    coordinator, record = audit.bearer(COORDINATOR), stub(audit).RecordSurvey
    async with escorted(audit) as escort_id:
        before = survey(sensor_id, escort_id, work_time=to_timestamp(after(-1)))
        ahead = survey(sensor_id, escort_id, work_time=to_timestamp(after(0.2)))
        errors = [
            await refused(record(request, metadata=coordinator))
            for request in (before, ahead, survey(sensor_id, request_id()), survey(portable, escort_id))
        ]

    assert [error.code for error in errors] == [
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    ]
    assert errors[0].metadata["clauses"] == "IV.C.4"
    assert (await shown(audit, sensor_id)).place == BRIDGE


@pytest.mark.clause("IV.C.4")
async def test_the_database_moves_no_fixed_camera_without_the_escort(audit: RunningAudit) -> None:
    sensor_id = await a_sensor(audit, FIXED)
    url = audit.database.url("audit_app")
    record = "SELECT audit.record_survey($1::uuid, $2, 41.0, -88.0, '', $3, 'WO 1', $4::uuid)"
    async with escorted(audit) as escort_id:
        for moment, escort in ((after(-1), escort_id), (after(1), escort_id), (after(0), request_id())):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetch(url, record, request_id(), sensor_id, moment, escort)
    for statement in (
        "UPDATE audit.sensor SET latitude = 1 WHERE sensor_id = $1",
        "INSERT INTO audit.survey SELECT gen_random_uuid(), $1, now(), 'WO 1', gen_random_uuid()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(url, statement, sensor_id)

    assert (await shown(audit, sensor_id)).place == BRIDGE


@pytest.mark.clause("IV.C.4")
async def test_work_that_lies_before_work_on_record_is_not_taken(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit, FIXED), audit.bearer(COORDINATOR)
    async with escorted(audit) as escort_id:
        await asyncio.sleep(0.01)
        early = survey(sensor_id, escort_id)
        await asyncio.sleep(0.01)
        late = survey(sensor_id, escort_id, place=BRIDGE)
        await stub(audit).RecordSurvey(late, metadata=coordinator)
        again = (await stub(audit).RecordSurvey(late, metadata=coordinator)).sensor
        error = await refused(stub(audit).RecordSurvey(early, metadata=coordinator))

    assert len(again.placements) == 1
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.clause("III.B.3.o")
async def test_what_was_done_about_a_sensor_is_shown_to_those_who_answer_for_it(audit: RunningAudit) -> None:
    sensor_id = await a_sensor(audit, PORTABLE)
    await approved(audit, sensor_id, after(-1), after(1))
    auditor, officer = [await audit.person(role) for role in (audit_pb.ROLE_AUDITOR, audit_pb.ROLE_USER)]
    request = sensor_pb.GetSensorRequest(sensor_id=sensor_id)
    get = audit.people(SensorServiceStub).GetSensor

    seen = await get(request, metadata=auditor.metadata)
    error = await refused(get(request, metadata=officer.metadata))

    assert [one.action for one in seen.acts] == ["sensor.approve", "sensor.register"]
    assert error.metadata["clauses"] == "III.B.3.l"
