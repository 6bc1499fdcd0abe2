"""Sensor health, put together: registry, counts, the judge, and who may look (ENF-051 III.B.2.c)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import grpc

from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.search.v1 import sensor_health_service_pb2
from alpr.search.v1.sensor_health_service_pb2_grpc import add_SensorHealthServiceServicer_to_server
from services.common.clock import Clock
from services.common.pg import Pool, open_pool
from services.common.sensors import SensorRegistry
from services.common.server import ServerBuilder
from services.search.acts import Acts
from services.search.app_sensor_health import SensorHealth
from services.search.config import SearchSettings
from services.search.leases import Leases
from services.search.maintenance import MaintenanceJudge, Turn
from services.search.sensor_facts import FactFinder
from services.search.sensor_notes import SensorNotes
from services.search.server_sensor_health import SensorHealthServer
from services.search.shift_events import ShiftEvents
from services.search.store_sensor_health import SensorHealthStore

_SERVICE = sensor_health_service_pb2.DESCRIPTOR.services_by_name["SensorHealthService"].full_name


@dataclass(frozen=True, slots=True)
class OpenSensorHealth:
    """What there is of sensor health, running.

    Attributes:
        notes: Counts what is stored.
        store: Keeps what sensors say of themselves.
    """

    notes: SensorNotes
    store: SensorHealthStore
    health: SensorHealth
    judge: MaintenanceJudge
    registry: SensorRegistry
    pool: Pool

    def served_by(self, builder: ServerBuilder) -> ServerBuilder:
        """`builder`, which serves it, and ends it when the server has stopped."""
        builder.add(_SERVICE, add_SensorHealthServiceServicer_to_server, SensorHealthServer(self.health))
        builder.on_stop(self.pool.close).on_stop(self.registry.stop)
        return builder.on_stop(self.judge.stop).on_stop(self.notes.stop)


async def open_sensor_health(
    settings: SearchSettings, channel: grpc.aio.Channel, acts: Acts, clock: Clock
) -> OpenSensorHealth:
    """Sensor health, started.

    Raises:
        StorageUnavailableError: The database did not answer.
    """
    pool = await open_pool(
        settings.health_database_url, application_name="search-health", min_size=1, max_size=4
    )
    process_id, store = uuid4(), SensorHealthStore(pool)
    registry = SensorRegistry(SensorServiceStub(channel), clock)
    finder = FactFinder(store)
    notes = SensorNotes(store, registry, clock, process_id)
    shifts = ShiftEvents(AuthorizationServiceStub(channel), settings.audit_timeout_seconds)
    turn = Turn(process_id, settings.health_seconds)
    judge = MaintenanceJudge(store, registry, finder, shifts, clock, turn)
    leases = Leases(HealthServiceStub(channel), clock, settings.audit_timeout_seconds)
    health = SensorHealth(
        acts=acts, leases=leases, registry=registry, store=store, finder=finder, clock=clock
    )
    await registry.start()
    await notes.start()
    await judge.start()
    return OpenSensorHealth(notes, store, health, judge, registry, pool)
