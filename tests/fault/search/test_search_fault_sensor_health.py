"""Sensor health while its database, its registry or its counting fails: reads are stored all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest, RecordSensorStatusRequest
from alpr.search.v1.sensor_health_service_pb2_grpc import SensorHealthServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.clock import SystemClock
from services.common.errors import AuditUnavailableError, SensorsUnknownError, from_rpc_error
from services.common.wire import to_timestamp
from services.search.core.reads import AppendResult, NewRead
from services.search.core.sensor_activity import hour_of
from services.search.core.sensor_health import Kind
from services.search.maintenance import MaintenanceJudge, Turn
from services.search.sensor_facts import FactFinder
from services.search.sensor_notes import SensorNotes
from services.search.store_sensor_health import NewNotice, SensorHealthStore
from services.search.wire_append import parse_append
from tests.support.databases import MigratedDatabase, fetch
from tests.support.search_kit import ORI, archived_read, now
from tests.support.search_world import World

NOTE = "archive.note_sensor_activity"


@dataclass
class Registry:
    """Sensors as audit told them, or nobody at all."""

    sensors: dict[str, sensor_pb2.Sensor] = field(default_factory=dict)
    heard: bool = True

    def known(self, sensor_id: str) -> sensor_pb2.Sensor | None:
        return {one.sensor_id: one for one in self.everyone()}.get(sensor_id)

    def everyone(self) -> tuple[sensor_pb2.Sensor, ...]:
        if not self.heard:
            raise SensorsUnknownError("the registry of sensors cannot be reached; try again")
        return tuple(self.sensors.values())


@dataclass
class Log:
    """Takes what moved, or is away."""

    moved: list[str] = field(default_factory=list)
    away: bool = False

    async def record(self, moved: Sequence[NewNotice], _: datetime) -> None:
        if self.away:
            raise AuditUnavailableError("the audit service did not record that a camera moved")
        self.moved += [one.sensor_id for one in moved]


@dataclass
class Health:
    """Notes and judge of one process over a real database."""

    store: SensorHealthStore
    registry: Registry
    notes: SensorNotes
    judge: MaintenanceJudge
    log: Log
    database: MigratedDatabase


@pytest_asyncio.fixture
async def health(archive_database: MigratedDatabase) -> AsyncIterator[Health]:
    async with asyncpg.create_pool(archive_database.url("search_health"), min_size=1) as pool:
        process, store, registry, clock = uuid4(), SensorHealthStore(pool), Registry(), SystemClock()
        notes = SensorNotes(store, registry, clock, process)
        known: Any = registry
        journal = Log()
        judge = MaintenanceJudge(store, known, FactFinder(store), journal, clock, Turn(process, 0.01))
        yield Health(store, registry, notes, judge, journal, archive_database)


def a_sensor(**changes: Any) -> sensor_pb2.Sensor:
    usual: dict[str, Any] = {
        "sensor_id": f"cam-{uuid4().hex[:12]}",
        "agency_ori": ORI,
        "sensor_group": "expressway",
        "deployment_type": sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        "status": sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        "approved_from": to_timestamp(now() - timedelta(days=30)),
        "place": read_pb2.Place(latitude=41.978, longitude=-87.904),
    }
    return sensor_pb2.Sensor(**{**usual, **changes})


def stored(sensor_id: str, captured: datetime) -> tuple[list[NewRead], list[AppendResult]]:
    message = archived_read(captured, seed=str(uuid4()))
    message.read.sensor_id = sensor_id
    (read,) = parse_append(AppendReadsRequest(reads=[message]))
    return [read], [AppendResult(read.read_id, "STORED", "")]


async def counted(health: Health, sensor_id: str) -> int:
    hours = await health.store.hours([sensor_id], hour_of(now()) - timedelta(hours=2))
    return sum(hour.reads for hour in hours.get(sensor_id, ()))


@pytest.mark.clause("III.B.2.c")
async def test_counts_that_could_not_be_written_are_written_once_when_it_works_again(health: Health) -> None:
    sensor = a_sensor().sensor_id
    health.notes.note(*stored(sensor, now()))
    signature = (await fetch(health.database.admin_url, f"SELECT '{NOTE}'::regproc::regprocedure::text"))[0][
        0
    ]
    await fetch(health.database.admin_url, f"REVOKE EXECUTE ON FUNCTION {signature} FROM search_health")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await health.notes.flush()
    health.notes.note(*stored(sensor, now()))
    await fetch(health.database.admin_url, f"GRANT EXECUTE ON FUNCTION {signature} TO search_health")

    await health.notes.flush()
    first = await counted(health, sensor)
    await health.notes.stop()

    assert first == 1
    assert await counted(health, sensor) == 2


@pytest.mark.clause("III.B.2.c")
async def test_a_flush_whose_answer_was_lost_counts_once(health: Health) -> None:
    sensor = a_sensor().sensor_id
    health.notes.note(*stored(sensor, now()))
    write, lost = health.store.note, [True]

    async def lossy(*arguments: Any) -> None:
        await write(*arguments)
        if lost.pop() if lost else False:
            raise ConnectionResetError("the answer was lost")

    health.store.note = lossy  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        await health.notes.flush()
    await health.notes.flush()

    assert await counted(health, sensor) == 1


@pytest.mark.clause("III.B.2.c")
async def test_without_the_registry_reads_are_counted_and_nobody_is_judged(health: Health) -> None:
    sensor = a_sensor()
    health.registry.sensors[sensor.sensor_id] = sensor
    health.registry.heard = False

    health.notes.note(*stored(sensor.sensor_id, now()))
    await health.notes.flush()
    with pytest.raises(SensorsUnknownError):
        await health.judge.judge()

    assert await counted(health, sensor.sensor_id) == 1
    assert sensor.sensor_id not in await health.store.open_kinds()


@pytest.mark.clause("III.B.2.c")
async def test_of_two_processes_one_judges_and_the_other_takes_over(health: Health) -> None:
    sensor = a_sensor()
    health.registry.sensors[sensor.sensor_id] = sensor
    known: Any = health.registry
    other = MaintenanceJudge(
        health.store, known, FactFinder(health.store), health.log, SystemClock(), Turn(uuid4(), 0.01)
    )
    assert await health.judge.judge() == 1

    waits = await other.judge()
    health.registry.sensors[sensor.sensor_id] = a_sensor(
        sensor_id=sensor.sensor_id, status=sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED
    )
    await asyncio.sleep(1.1)

    assert waits == 0
    assert await other.judge() == 1
    assert sensor.sensor_id not in await health.store.open_kinds()


@pytest.mark.clause("III.B.2.c")
async def test_reads_are_stored_while_health_cannot_be_written_at_all(world: World) -> None:
    await world.admin("REVOKE USAGE ON SCHEMA archive FROM search_health")
    try:
        answer = await world.archive.AppendReads(AppendReadsRequest(reads=[archived_read()]), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError):
            await world.archive.RecordSensorStatus(report(), timeout=20)
    finally:
        await world.admin("GRANT USAGE ON SCHEMA archive TO search_health")
    await world.archive.RecordSensorStatus(report(), timeout=60)

    assert [one.status for one in answer.results] == [read_pb2.READ_STATUS_STORED]


def report() -> RecordSensorStatusRequest:
    status = sensor_pb2.SensorStatus(sensor_id="cam-1", sensor_time=to_timestamp(now()))
    return RecordSensorStatusRequest(status=status, receive_time=to_timestamp(now()))


async def test_nothing_is_shown_while_audit_is_away(world: World) -> None:
    await world.audit_server.stop(0)
    stub = SensorHealthServiceStub(world.people)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetSensorHealth(pb.GetSensorHealthRequest(), metadata=world.metadata, timeout=20)
    call = stub.WatchMaintenance(pb.WatchMaintenanceRequest(), metadata=world.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as watched:
        await call.read()

    for error in (caught.value, watched.value):
        assert from_rpc_error(error).reason == AuditUnavailableError.reason


@pytest.mark.clause("III.B.3.e", "IV.C.4")
async def test_that_a_camera_moved_is_on_record_before_anybody_is_told(health: Health) -> None:
    elsewhere = read_pb2.Place(latitude=41.5, longitude=-87.904)
    sensor = a_sensor(place=elsewhere, approved_from=to_timestamp(now() - timedelta(minutes=5)))
    health.registry.sensors[sensor.sensor_id] = sensor
    for _ in range(6):
        health.notes.note(*stored(sensor.sensor_id, now()))
    await health.notes.flush()
    health.log.away = True
    # Whoever judged before may do so for a second more.
    await asyncio.sleep(1.1)

    with pytest.raises(AuditUnavailableError):
        await health.judge.judge()
    untold = sensor.sensor_id not in await health.store.open_kinds()
    health.log.away = False
    await health.judge.judge()
    await health.judge.judge()

    assert untold
    assert health.log.moved == [sensor.sensor_id]
    assert Kind.MOVED in (await health.store.open_kinds())[sensor.sensor_id]
