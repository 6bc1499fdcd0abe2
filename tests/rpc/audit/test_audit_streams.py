"""Sensors and entitlements, as streams follow them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    begin,
    last_entry,
    refused,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer


def sensors(audit: RunningAudit) -> Any:
    return audit.people(SensorServiceStub)


def new_sensor(**changes: Any) -> sensor_pb.RegisterSensorRequest:
    usual = {
        "sensor_id": f"cam-{request_id()[:8]}",
        "agency_ori": ORI,
        "sensor_group": "expressway-north",
        "deployment_type": sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        "place": read_pb2.Place(latitude=41.9, longitude=-87.8, description="I-90 at mile 12"),
        "provenance": sensor_pb2.PROVENANCE_OWN,
    }
    return sensor_pb.RegisterSensorRequest(
        request_id=request_id(), sensor=sensor_pb2.Sensor(**{**usual, **changes})
    )


def approval(name: str, **changes: Any) -> sensor_pb.ApproveDeploymentRequest:
    usual = {
        "request_id": request_id(),
        "sensor_id": name,
        "status": sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        "approved_from": to_timestamp(datetime.now(UTC)),
    }
    return sensor_pb.ApproveDeploymentRequest(**{**usual, **changes})


@pytest.mark.clause("III.B.3.e", "II.C")
async def test_a_sensor_is_registered_then_approved_then_suspended_and_each_is_on_record(
    audit: RunningAudit,
) -> None:
    coordinator, request = audit.bearer(COORDINATOR), new_sensor()
    sensor_id = request.sensor.sensor_id

    registered = (await sensors(audit).RegisterSensor(request, metadata=coordinator)).sensor
    again = (await sensors(audit).RegisterSensor(request, metadata=coordinator)).sensor
    approved = (await sensors(audit).ApproveDeployment(approval(sensor_id), metadata=coordinator)).sensor
    suspension = approval(sensor_id, status=sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED, approved_from=None)
    suspended = (await sensors(audit).ApproveDeployment(suspension, metadata=coordinator)).sensor

    assert registered == again
    assert registered.status == sensor_pb2.DEPLOYMENT_STATUS_REGISTERED
    assert approved.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED
    assert approved.HasField("approved_from")
    assert suspended.status == sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED
    entry = await last_entry(audit)
    assert (entry["action"], entry["resource"], entry["result"]) == ("sensor.suspend", sensor_id, "DONE")


@pytest.mark.clause("IV.D.1", "III.B.3.e")
async def test_a_sensor_belongs_to_the_unit_that_it_was_registered_for(audit: RunningAudit) -> None:
    coordinator, request = audit.bearer(COORDINATOR), new_sensor(unit=" District 15 ")
    sensor_id = request.sensor.sensor_id

    made = (await sensors(audit).RegisterSensor(request, metadata=coordinator)).sensor
    entry = await last_entry(audit)
    await sensors(audit).ApproveDeployment(approval(sensor_id), metadata=coordinator)
    listed = await sensors(audit).ListSensors(
        sensor_pb.ListSensorsRequest(page_size=500), metadata=coordinator
    )
    stream = audit.service(SensorServiceStub, "matcher").WatchSensors(sensor_pb.WatchSensorsRequest())
    watched = await stream.read()
    stream.cancel()

    assert made.unit == "District 15"
    assert (entry["action"], entry["resource"]) == ("sensor.register", sensor_id)
    for shown in (listed.sensors, watched.sensors):
        assert [one.unit for one in shown if one.sensor_id == sensor_id] == ["District 15"]


@pytest.mark.clause("II.H")
async def test_a_sensor_is_of_the_motor_carrier_safety_system_only_when_it_is_registered_so(
    audit: RunningAudit,
) -> None:
    coordinator = audit.bearer(COORDINATOR)
    supervisor = (await audit.person(pb.ROLE_CVEO_SUPERVISOR)).metadata
    apart = new_sensor(partition=sensor_pb2.PARTITION_MOTOR_CARRIER)

    one = (await sensors(audit).RegisterSensor(apart, metadata=supervisor)).sensor
    other = (await sensors(audit).RegisterSensor(new_sensor(), metadata=coordinator)).sensor
    unknown = await refused(sensors(audit).RegisterSensor(new_sensor(partition=9), metadata=coordinator))

    assert one.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
    assert other.partition == sensor_pb2.PARTITION_GENERAL
    assert [violation.field for violation in unknown.violations] == ["sensor.partition"]


@pytest.mark.clause("III.E.1")
@pytest.mark.parametrize(
    "mounted",
    [
        sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        sensor_pb2.DEPLOYMENT_TYPE_MOBILE,
        sensor_pb2.DEPLOYMENT_TYPE_PORTABLE,
    ],
)
async def test_a_motor_carrier_safety_deployment_is_the_cveo_supervisors_to_approve_and_nobody_elses(
    audit: RunningAudit, mounted: int
) -> None:
    supervisor, officer = [await audit.person(role) for role in (pb.ROLE_CVEO_SUPERVISOR, pb.ROLE_CVEO)]
    apart = new_sensor(partition=sensor_pb2.PARTITION_MOTOR_CARRIER, deployment_type=mounted)
    sensor_id, general = apart.sensor.sensor_id, new_sensor()
    await sensors(audit).RegisterSensor(apart, metadata=supervisor.metadata)
    await sensors(audit).RegisterSensor(general, metadata=audit.bearer(COORDINATOR))

    for stranger in (audit.bearer(COORDINATOR), officer.metadata):
        error = await refused(sensors(audit).ApproveDeployment(approval(sensor_id), metadata=stranger))
        assert error.metadata["clauses"] == "III.B.3.l"
        assert (await last_entry(audit))["action"] == "mcs_sensor.approve"
    foreign = approval(general.sensor.sensor_id)
    error = await refused(sensors(audit).ApproveDeployment(foreign, metadata=supervisor.metadata))
    approved = await sensors(audit).ApproveDeployment(approval(sensor_id), metadata=supervisor.metadata)

    assert error.metadata["clauses"] == "III.B.3.l"
    assert approved.sensor.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED
    assert (await last_entry(audit))["action"] == "mcs_sensor.approve"


@pytest.mark.clause("III.B.3.e", "III.B.3.f")
async def test_only_a_coordinator_of_the_same_agency_places_sensors(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)

    by_user = await refused(sensors(audit).RegisterSensor(new_sensor(), metadata=officer.metadata))
    foreign = new_sensor(agency_ori=OTHER_ORI)
    by_other = await refused(sensors(audit).RegisterSensor(foreign, metadata=audit.bearer(COORDINATOR)))
    unknown = await refused(
        sensors(audit).ApproveDeployment(approval("cam-nowhere"), metadata=audit.bearer(COORDINATOR))
    )

    assert by_user.metadata["clauses"] == "III.B.3.l"
    assert by_other.metadata["clauses"] == "III.B.3.f"
    assert unknown.code is grpc.StatusCode.NOT_FOUND


async def test_a_sensor_id_is_given_once(audit: RunningAudit) -> None:
    request = new_sensor()
    await sensors(audit).RegisterSensor(request, metadata=audit.bearer(COORDINATOR))
    request.request_id = request_id()

    error = await refused(sensors(audit).RegisterSensor(request, metadata=audit.bearer(COORDINATOR)))

    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sensor_id": "X"}, "sensor.sensor_id"),
        ({"agency_ori": "x"}, "sensor.agency_ori"),
        ({"sensor_group": ""}, "sensor.sensor_group"),
        ({"deployment_type": 0}, "sensor.deployment_type"),
        ({"provenance": 9}, "sensor.provenance"),
        ({"unit": "  "}, "sensor.unit"),
        ({"unit": "D" * 201}, "sensor.unit"),
        ({"unit": "District\n15"}, "sensor.unit"),
        ({"place": None}, "sensor.place"),
        ({"place": read_pb2.Place(latitude=91, longitude=1)}, "sensor.place"),
        ({"place": read_pb2.Place(latitude=float("nan"), longitude=1)}, "sensor.place"),
        ({"status": sensor_pb2.DEPLOYMENT_STATUS_APPROVED}, "sensor"),
    ],
)
async def test_a_sensor_of_the_wrong_shape_names_the_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    call = sensors(audit).RegisterSensor(new_sensor(**changes), metadata=audit.bearer(COORDINATOR))

    assert [one.field for one in (await refused(call)).violations] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": sensor_pb2.DEPLOYMENT_STATUS_REGISTERED}, "status"),
        ({"approved_from": None}, "approved_from"),
        ({"approved_until": to_timestamp(datetime.now(UTC) - timedelta(days=1))}, "approved_until"),
        ({"sensor_id": ""}, "sensor_id"),
    ],
)
async def test_an_approval_of_the_wrong_shape_names_the_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    call = sensors(audit).ApproveDeployment(approval("cam-1", **changes), metadata=audit.bearer(COORDINATOR))

    assert [one.field for one in (await refused(call)).violations] == [field]


@pytest.mark.clause("III.B.3.e")
async def test_a_watcher_gets_every_sensor_then_every_change_and_heartbeats(audit: RunningAudit) -> None:
    coordinator, request = audit.bearer(COORDINATOR), new_sensor()
    await sensors(audit).RegisterSensor(request, metadata=coordinator)
    listed = await sensors(audit).ListSensors(
        sensor_pb.ListSensorsRequest(page_size=500), metadata=coordinator
    )
    stream = audit.service(SensorServiceStub, "ocr").WatchSensors(sensor_pb.WatchSensorsRequest())

    snapshot = await stream.read()
    await sensors(audit).ApproveDeployment(approval(request.sensor.sensor_id), metadata=coordinator)
    started = time.monotonic()
    change = await stream.read()
    while not change.sensors:
        change = await stream.read()
    seen_after = time.monotonic() - started
    heartbeat = await asyncio.wait_for(stream.read(), 20)
    stream.cancel()

    assert snapshot.snapshot
    assert {one.sensor_id for one in snapshot.sensors} == {one.sensor_id for one in listed.sensors}
    assert [one.status for one in change.sensors] == [sensor_pb2.DEPLOYMENT_STATUS_APPROVED]
    assert change.revision == snapshot.revision + 1
    assert seen_after < 2
    assert (len(heartbeat.sensors), heartbeat.snapshot, heartbeat.revision) == (0, False, change.revision)


async def test_pages_hold_every_sensor_once(audit: RunningAudit) -> None:
    coordinator = audit.bearer(COORDINATOR)
    for _ in range(3):
        await sensors(audit).RegisterSensor(new_sensor(), metadata=coordinator)
    found, token = [], ""

    while True:
        request = sensor_pb.ListSensorsRequest(page_size=2, page_token=token)
        page = await sensors(audit).ListSensors(request, metadata=coordinator)
        found += [one.sensor_id for one in page.sensors]
        token = page.next_page_token
        if not token:
            break

    assert found == sorted(set(found))


async def test_only_services_watch(audit: RunningAudit) -> None:
    call = audit.people(SensorServiceStub).WatchSensors(sensor_pb.WatchSensorsRequest())

    assert (await refused(call.read())).code is grpc.StatusCode.UNAUTHENTICATED


def entitlement(audit: RunningAudit, token: str, action: str = "alerts.subscribe") -> Any:
    request = health_pb.WatchEntitlementsRequest(access_token=token, action=action)
    return audit.service(HealthServiceStub, "alerts").WatchEntitlements(request)


async def end_of(stream: Any) -> AlprError:
    """The error with which the stream ends, within ten seconds."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(20):
            while await stream.read() is not grpc.aio.EOF:
                pass
    return from_rpc_error(caught.value)


@pytest.mark.clause("IV.A.4")
async def test_a_lease_comes_at_once_and_ends_no_later_than_a_minute_or_the_token(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(pb.ROLE_USER)
    now = int(time.time())

    stream = entitlement(audit, officer.token())
    lease = await stream.read()
    short = await entitlement(audit, officer.token(iat=now, exp=now + 20)).read()
    stream.cancel()

    assert lease.actor.account_id == officer.account_id
    assert timedelta(seconds=50) < to_datetime(lease.lease_until) - datetime.now(UTC) <= timedelta(seconds=60)
    assert to_datetime(short.lease_until).timestamp() == now + 20


async def suspend(audit: RunningAudit, officer: Officer) -> None:
    request = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=officer.account_id, reason="left"
    )
    await audit.people(AccountServiceStub).SuspendAccount(request, metadata=audit.bearer(COORDINATOR))


async def take_role(audit: RunningAudit, officer: Officer) -> None:
    request = account_pb.RevokeRoleRequest(
        request_id=request_id(), account_id=officer.account_id, role=pb.ROLE_USER
    )
    await audit.people(AccountServiceStub).RevokeRole(request, metadata=audit.bearer(COORDINATOR))


@pytest.mark.clause("IV.A.2", "IV.A.4", "III.B.3.l")
@pytest.mark.parametrize(("change", "clause"), [(suspend, "IV.A.2"), (take_role, "III.B.3.l")])
async def test_a_stream_ends_within_seconds_of_suspension_or_lost_role(
    audit: RunningAudit, change: Callable[[RunningAudit, Officer], Awaitable[None]], clause: str
) -> None:
    officer = await audit.person(pb.ROLE_USER)
    stream = entitlement(audit, officer.token())
    await stream.read()

    await change(audit, officer)
    started = time.monotonic()
    error = await end_of(stream)

    assert time.monotonic() - started < 3
    assert (error.code, error.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED,
    )
    assert error.metadata["clauses"] == clause
    entry = await last_entry(audit)
    assert (entry["kind"], entry["result"], entry["service"]) == ("refusal", "ENTITLEMENT_ENDED", "alerts")


@pytest.mark.clause("IV.A.4", "III.D.1")
async def test_a_stream_ends_when_token_or_certification_ends(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    lapsing = await audit.person(pb.ROLE_USER, certifications=(), enable=False)
    for kind in account_pb.CertificationKind.values():
        life = timedelta(seconds=3 if kind == account_pb.CERTIFICATION_KIND_LEADS else 600)
        if kind:
            await audit.certify(lapsing.account_id, kind, life)
    enable = account_pb.EnableAccountRequest(request_id=request_id(), account_id=lapsing.account_id)
    await audit.people(AccountServiceStub).EnableAccount(enable, metadata=audit.bearer(COORDINATOR))
    now = int(time.time())

    ends = await asyncio.gather(
        end_of(entitlement(audit, officer.token(iat=now, exp=now + 3))),
        end_of(entitlement(audit, lapsing.token())),
    )

    assert {one.code for one in ends} == {grpc.StatusCode.PERMISSION_DENIED}
    assert ends[1].metadata["clauses"] == "IV.A.4"


@pytest.mark.clause("IV.A.4")
async def test_who_may_not_begin_gets_no_lease(audit: RunningAudit) -> None:
    no_token = await refused(entitlement(audit, "").read())
    no_role = await refused(entitlement(audit, audit.token(COORDINATOR)).read())
    no_action = await refused(entitlement(audit, audit.token(COORDINATOR), "nonsense").read())

    assert no_token.code is grpc.StatusCode.UNAUTHENTICATED
    assert no_role.code is grpc.StatusCode.PERMISSION_DENIED
    assert no_action.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_streams_end_when_the_service_stops(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path_factory.mktemp("audit"))
    await begin(settings, database, issuer)
    async with running_audit(settings, database, tls, issuer) as audit:
        officer = await audit.person(pb.ROLE_USER)
        watch = audit.service(SensorServiceStub, "ocr").WatchSensors(sensor_pb.WatchSensorsRequest())
        lease = entitlement(audit, officer.token())
        await watch.read()
        await lease.read()
        ends = asyncio.gather(end_of(watch), end_of(lease))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        stopping = asyncio.create_task(audit.stop())
        errors = await ends
        await stopping

    assert [one.reason for one in errors] == [ErrorReason.ERROR_REASON_STOPPING] * 2
    assert time.monotonic() - started < 3
