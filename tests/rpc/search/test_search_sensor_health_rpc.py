"""How sensors do, over the network and with the real audit service; and that nothing here moves a camera."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.search.v1.sensor_health_service_pb2_grpc import SensorHealthServiceStub
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, ORI, last_entry, refused, request_id
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.search_house import PLACE, House, running_house
from tests.support.search_kit import archived_read, now

GENERAL, APART = sensor_pb2.PARTITION_GENERAL, sensor_pb2.PARTITION_MOTOR_CARRIER
SILENT, MOVED, BACKLOG = pb.MAINTENANCE_KIND_SILENT, pb.MAINTENANCE_KIND_MOVED, pb.MAINTENANCE_KIND_BACKLOG


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    database = await migrated_database("audit", "search")
    folder = tmp_path_factory.mktemp("house")
    async with running_house(database, tls, issuer, folder, PW_HEALTH_SECONDS="0.3") as running:
        yield running


def stub(house: House) -> Any:
    return house.person(SensorHealthServiceStub)


async def health(house: House, by: str = COORDINATOR, **request: Any) -> list[pb.SensorHealth]:
    answer = await stub(house).GetSensorHealth(
        pb.GetSensorHealthRequest(**request), metadata=house.audit.bearer(by), timeout=20
    )
    return list(answer.sensors)


async def until(house: House, sensor_id: str, holds: Callable[[pb.SensorHealth], bool]) -> pb.SensorHealth:
    """The sensor's health as soon as it is so; gives up after 30 seconds."""
    async with asyncio.timeout(60):
        while True:
            try:
                (one,) = await health(house, sensor_id=sensor_id)
                if holds(one):
                    return one
            except grpc.aio.AioRpcError as error:
                # The registry hears of a new sensor within a second.
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
            await asyncio.sleep(0.2)


async def read_of(house: House, sensor_id: str, captured: datetime, *, far: bool = False) -> None:
    read = archived_read(captured, agency=ORI, seed=str(uuid4()))
    read.read.sensor_id = sensor_id
    read.read.place.latitude, read.read.place.longitude = PLACE[0] + (0.02 if far else 0), PLACE[1]
    read.read.receive_time.FromDatetime(captured + timedelta(seconds=1))
    assert await house.store(read) == ["STORED"]


async def history(house: House, sensor_id: str, last: datetime) -> None:
    """Two weeks of 60 reads an hour, the last one at `last`."""
    await fetch(
        house.database.admin_url,
        "INSERT INTO archive.sensor_hour SELECT $1, h, 60, 60, 0, 60, 0, 1000000"
        " FROM generate_series(date_trunc('hour', $2::timestamptz) - interval '14 days',"
        " date_trunc('hour', $2::timestamptz), interval '1 hour') AS h",
        sensor_id,
        last,
    )
    await fetch(
        house.database.admin_url,
        "INSERT INTO archive.sensor_state (sensor_id, first_hour, last_capture, last_receive)"
        " VALUES ($1, date_trunc('hour', $2::timestamptz) - interval '14 days', $2, $2)",
        sensor_id,
        last,
    )


def name() -> str:
    return f"cam-{uuid4().hex[:12]}"


@pytest.mark.clause("III.B.2.c")
async def test_last_read_rate_delay_and_report_of_a_sensor_are_shown(house: House) -> None:
    sensor, captured = name(), now() - timedelta(seconds=90)
    await house.sensor(sensor)
    await until(house, sensor, lambda _: True)
    for n in range(5):
        await read_of(house, sensor, captured - timedelta(seconds=n))
    status = sensor_pb2.SensorStatus(
        sensor_id=sensor,
        sensor_time=to_timestamp(now() + timedelta(seconds=3)),
        backlog_count=7,
        backlog_since=to_timestamp(now() - timedelta(seconds=30)),
        storage_used=0.25,
    )
    await house.archive.RecordSensorStatus(
        archive_pb.RecordSensorStatusRequest(status=status, receive_time=to_timestamp(now()))
    )

    # Until its first read the sensor had been silent since its approval.
    one = await until(house, sensor, lambda one: one.reads_24h == 5 and not one.open_kinds)

    assert to_datetime(one.last_capture_time) == captured
    assert one.least_delay.ToTimedelta() == timedelta(seconds=1)
    assert not one.HasField("usual_reads_24h")
    assert one.drift_metres == pytest.approx(0, abs=1)
    assert timedelta(seconds=2) < one.clock_offset.ToTimedelta() < timedelta(seconds=4)
    assert (one.backlog_count, one.storage_used) == (7, 0.25)
    assert (one.deployment_type, one.deployment_status) == (
        sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
    )


@pytest.mark.clause("III.B.2.c")
async def test_a_camera_that_falls_silent_raises_a_notice_that_ends_with_its_next_read(house: House) -> None:
    sensor = name()
    await history(house, sensor, now() - timedelta(hours=1))
    await house.sensor(sensor)

    silent = await until(house, sensor, lambda one: SILENT in one.open_kinds)
    await read_of(house, sensor, now())
    await until(house, sensor, lambda one: SILENT not in one.open_kinds)

    assert silent.usual_reads_24h == pytest.approx(60 * 23.5, rel=0.03)
    listed = await stub(house).ListMaintenance(
        pb.ListMaintenanceRequest(), metadata=house.audit.bearer(COORDINATOR)
    )
    (notice,) = [one for one in listed.notices if one.sensor_id == sensor and one.kind == SILENT]
    assert notice.HasField("clear_time")
    assert notice.description.startswith("No read for 1 h")


@pytest.mark.clause("III.B.3.e", "II.C", "IV.C.4")
async def test_a_fixed_camera_whose_reads_come_from_elsewhere_is_said_to_have_moved(house: House) -> None:
    sensor, car = name(), name()
    await house.sensor(sensor)
    await house.sensor(car, deployment_type=sensor_pb2.DEPLOYMENT_TYPE_MOBILE)
    for one in (sensor, car):
        await until(house, one, lambda _: True)
    for n in range(6):
        for one in (sensor, car):
            await read_of(house, one, now() - timedelta(seconds=n), far=True)

    moved = await until(house, sensor, lambda one: MOVED in one.open_kinds)
    driven = await until(house, car, lambda one: one.reads_24h == 6)

    assert moved.drift_metres == pytest.approx(2224, rel=0.01)
    assert not driven.HasField("drift_metres")
    assert MOVED not in driven.open_kinds
    told = await fetch(
        house.database.admin_url,
        """SELECT two.value FROM audit.log_field AS one JOIN audit.log_field AS two USING (log_index)
           WHERE one.name = 'action' AND one.value = 'sensor.moved' AND two.name = 'resource'""",
    )
    assert [row["value"] for row in told if row["value"] in {sensor, car}] == [sensor]


@pytest.mark.clause("III.B.2.c")
async def test_a_watcher_hears_of_what_is_open_and_of_every_change_and_goes_on_where_it_was(
    house: House,
) -> None:
    before, later = name(), name()
    await history(house, before, now() - timedelta(hours=3))
    await house.sensor(before)
    await until(house, before, lambda one: SILENT in one.open_kinds)
    metadata = house.audit.bearer(COORDINATOR)

    call = stub(house).WatchMaintenance(pb.WatchMaintenanceRequest(), metadata=metadata)
    first = await call.read()
    assert before in {one.sensor_id for one in first.notices}
    assert not any(one.HasField("clear_time") for one in first.notices)

    await history(house, later, now() - timedelta(hours=3))
    await house.sensor(later)
    opened = await heard(call, later)
    call.cancel()
    await read_of(house, later, now())
    await until(house, later, lambda one: SILENT not in one.open_kinds)

    request = pb.WatchMaintenanceRequest(after_position=opened.position)
    resumed = stub(house).WatchMaintenance(request, metadata=metadata)
    cleared = await heard(resumed, later)
    resumed.cancel()

    assert (opened.kind, cleared.kind) == (SILENT, SILENT)
    assert not opened.HasField("clear_time")
    assert cleared.HasField("clear_time")
    assert cleared.notice_id == opened.notice_id
    assert cleared.position > opened.position >= first.position


async def heard(call: Any, sensor_id: str) -> pb.MaintenanceNotice:
    """The next notice of that sensor."""
    async with asyncio.timeout(30):
        while True:
            for one in (await call.read()).notices:
                if one.sensor_id == sensor_id:
                    return one


@pytest.mark.clause("IV.A.4", "IV.A.2")
async def test_a_watch_ends_when_the_person_is_suspended(house: House) -> None:
    coordinator = await house.audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    call = stub(house).WatchMaintenance(pb.WatchMaintenanceRequest(), metadata=coordinator.metadata)
    await call.read()

    await house.audit.people(AccountServiceStub).SuspendAccount(
        account_pb.SuspendAccountRequest(
            request_id=request_id(), account_id=coordinator.account_id, reason="left the unit"
        ),
        metadata=house.audit.bearer(COORDINATOR),
    )

    error = await ended(call)
    assert error.reason == ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED


async def ended(call: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(30):
            while True:
                await call.read()
    return from_rpc_error(caught.value)


@pytest.mark.clause("III.B.2.c")
async def test_the_sensors_that_were_active_in_a_period_are_counted_by_group(house: House) -> None:
    group, active, idle, waiting = f"group-{uuid4().hex[:8]}", name(), name(), name()
    for sensor, approved in ((active, True), (idle, True), (waiting, False)):
        await house.sensor(sensor, approved=approved, sensor_group=group)
        await until(house, sensor, lambda _: True)
    await read_of(house, active, now() - timedelta(hours=2))
    await until(house, active, lambda one: one.reads_24h == 1)

    async def count(hours_from: int, hours_to: int) -> list[tuple[int, int, int]]:
        answer = await stub(house).CountActiveSensors(
            pb.CountActiveSensorsRequest(
                **{
                    "from": to_timestamp(now() - timedelta(hours=hours_from)),
                    "to": to_timestamp(now() - timedelta(hours=hours_to)),
                }
            ),
            metadata=house.audit.bearer(COORDINATOR),
        )
        assert answer.active_count >= sum(
            one.active_count for one in answer.groups if one.sensor_group == group
        )
        return [
            (one.active_count, one.approved_count, one.read_count)
            for one in answer.groups
            if one.sensor_group == group
        ]

    assert await count(24, 0) == [(1, 2, 1)]
    assert await count(48, 24) == [(0, 2, 0)]


@pytest.mark.clause("III.B.3.l", "III.B.2.c")
@pytest.mark.parametrize(
    ("role", "partition", "allowed"),
    [
        (audit_pb.ROLE_WORK_UNIT_COORDINATOR, GENERAL, True),
        (audit_pb.ROLE_SYSTEM_ADMINISTRATOR, GENERAL, True),
        (audit_pb.ROLE_USER, GENERAL, False),
        (audit_pb.ROLE_CVEO_SUPERVISOR, GENERAL, False),
        (audit_pb.ROLE_CVEO_SUPERVISOR, APART, True),
        (audit_pb.ROLE_CVEO, APART, False),
        (audit_pb.ROLE_STATEWIDE_COORDINATOR, APART, False),
    ],
)
async def test_only_who_looks_after_sensors_sees_how_they_do_and_it_is_on_record(
    house: House, role: audit_pb.Role.ValueType, partition: int, allowed: bool
) -> None:
    person = await house.audit.person(role)
    requests = {
        "GetSensorHealth": pb.GetSensorHealthRequest(partition=partition),
        "ListMaintenance": pb.ListMaintenanceRequest(partition=partition),
        "CountActiveSensors": pb.CountActiveSensorsRequest(
            **{"from": to_timestamp(now() - timedelta(hours=1)), "to": to_timestamp(now())},
            partition=partition,
        ),
    }
    action = "mcs_sensor.health" if partition == APART else "sensor.health"

    for method, request in requests.items():
        call = getattr(stub(house), method)(request, metadata=person.metadata, timeout=60)
        if allowed:
            await call
            entry = await last_entry(house.audit)
            assert (entry["kind"], entry["action"], entry["result"]) == ("outcome", action, "DONE")
            assert entry["actor"] == person.account_id
        else:
            assert (await refused(call)).metadata["clauses"] == "III.B.3.l"
            assert (await last_entry(house.audit))["action"] == action
    watch = stub(house).WatchMaintenance(
        pb.WatchMaintenanceRequest(partition=partition), metadata=person.metadata
    )
    if allowed:
        await watch.read()
        watch.cancel()
    else:
        assert (await ended(watch)).metadata["clauses"] == "III.B.3.l"


@pytest.mark.clause("II.H")
async def test_sensors_of_motor_carrier_safety_are_shown_to_its_supervisors_alone(house: House) -> None:
    supervisor, scale, camera = await house.audit.person(audit_pb.ROLE_CVEO_SUPERVISOR), name(), name()
    await house.sensor(scale, by=supervisor.subject, partition=APART)
    await house.sensor(camera)
    await until(house, camera, lambda _: True)

    theirs = {one.sensor_id for one in await health(house, supervisor.subject, partition=APART)}
    ours = {one.sensor_id for one in await health(house, page_size=500)}

    assert scale in theirs - ours
    assert camera in ours - theirs


async def test_sensors_come_in_pages_by_id(house: House) -> None:
    for _ in range(3):
        last = name()
        await house.sensor(last)
    await until(house, last, lambda _: True)
    everything = [one.sensor_id for one in await health(house, page_size=500)]

    seen, request = [], pb.GetSensorHealthRequest(page_size=2)
    while True:
        page = await stub(house).GetSensorHealth(request, metadata=house.audit.bearer(COORDINATOR))
        seen += [one.sensor_id for one in page.sensors]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert seen == everything == sorted(everything)
