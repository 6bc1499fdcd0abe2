"""The agency's sensors: what waits for approval, and how each does (ENF-051 III.B.2.c, III.B.3.e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2_grpc as rpc
from alpr.search.v1 import sensor_health_service_pb2 as health_pb
from alpr.search.v1 import sensor_health_service_pb2_grpc as health_rpc
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.wire import to_timestamp
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, decimal, plain
from services.console.door import Door, Person
from services.console.moments import in_days

PLACE: Final = "/coordinator/sensors"
_DONE: Final = {
    "register": "The sensor is registered. Nothing is accepted from it before it is approved.",
    "approve": "The deployment is approved.",
}
_DAY: Final = timedelta(days=1)


def routes(door: Door) -> Sequence[Route]:
    """The list, and the form of a new sensor."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/register", door.page(act(_register, _show)), methods=["POST"]),
    )


async def open_notices(person: Person) -> list[health_pb.MaintenanceNotice]:
    """What about the sensors needs a hand, newest first. Raises AlprError."""
    request = health_pb.ListMaintenanceRequest(open_only=True, page_size=500)
    return await lists.every(
        person, health_rpc.SensorHealthServiceStub, "ListMaintenance", request, "notices"
    )


def waits(sensor: sensor_pb2.Sensor) -> bool:
    """Nobody has approved where it stands yet."""
    return sensor.status == sensor_pb2.DEPLOYMENT_STATUS_REGISTERED


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    found = await lists.sensors(person)
    asked = health_pb.GetSensorHealthRequest(page_size=500)
    stub = health_rpc.SensorHealthServiceStub
    health = {
        one.sensor_id: one for one in await lists.every(person, stub, "GetSensorHealth", asked, "sensors")
    }
    rows = [(one, health.get(one.sensor_id)) for one in sorted(found, key=lambda one: _order(one, health))]
    own = await person.account()
    return await places.show(
        request,
        person,
        "sensors.html",
        PLACE,
        forms,
        title="Sensors",
        waiting=[one for one in found if waits(one)],
        rows=rows,
        points=[point(one, state) for one, state in rows],
        notices=await open_notices(person),
        active=await _active(person),
        own_account=own,
        may=bool(places.COORDINATORS & frozenset(own.roles)),
        deployments=words.choices(sensor_pb2.DeploymentType),
        provenances=words.choices(sensor_pb2.Provenance),
        now=in_days(0),
        sentences=_DONE,
    )


def _order(one: sensor_pb2.Sensor, health: Mapping[str, health_pb.SensorHealth]) -> tuple[bool, str]:
    state = health.get(one.sensor_id)
    return not (state and state.open_kinds), one.sensor_id


def point(one: sensor_pb2.Sensor, state: health_pb.SensorHealth | None) -> Mapping[str, Any]:
    """The sensor as a point of the map: its place, and how it does."""
    kinds = ", ".join(words.words(state, "open_kinds")) if state else ""
    approved = one.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED
    return {
        "id": one.sensor_id,
        "lat": one.place.latitude,
        "lon": one.place.longitude,
        "label": one.sensor_id,
        "detail": kinds or words.word(one, "status"),
        "href": f"{PLACE}/{one.sensor_id}",
        "look": "warning" if waits(one) else "off" if not approved else "danger" if kinds else "good",
    }


async def _active(person: Person) -> health_pb.CountActiveSensorsResponse:
    now = datetime.now(UTC)
    request = health_pb.CountActiveSensorsRequest(to=to_timestamp(now))
    getattr(request, "from").CopyFrom(to_timestamp(now - _DAY))
    answer: health_pb.CountActiveSensorsResponse = await person.call(
        health_rpc.SensorHealthServiceStub, "CountActiveSensors", request
    )
    return answer


async def _register(_request: Request, person: Person) -> str:
    sensor = sensor_pb2.Sensor(
        sensor_id=person.field("sensor_id"),
        agency_ori=person.field("agency_ori"),
        sensor_group=person.field("sensor_group"),
        deployment_type=person.number("deployment_type"),
        provenance=person.number("provenance"),
        place=place_of(person),
        unit=person.field("unit"),
        vehicle=person.field("vehicle"),
    )
    request = pb.RegisterSensorRequest(request_id=person.field("request_id"), sensor=sensor)
    await person.call(rpc.SensorServiceStub, "RegisterSensor", request)
    return f"{PLACE}?done=register"


def place_of(person: Person) -> read_pb2.Place:
    """The place that the form speaks of. Raises InvalidFieldError."""
    return read_pb2.Place(
        latitude=decimal(person, "latitude"),
        longitude=decimal(person, "longitude"),
        description=person.field("description"),
    )
