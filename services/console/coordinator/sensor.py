"""One sensor: where it may stand, what it comes with, who saw to it (ENF-051 II.C, II.I, III.B.3.e-h)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import sensor_certificate_service_pb2 as certificate_pb
from alpr.audit.v1 import sensor_certificate_service_pb2_grpc as certificate_rpc
from alpr.audit.v1 import sensor_placement_service_pb2 as placement_pb
from alpr.audit.v1 import sensor_placement_service_pb2_grpc as placement_rpc
from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2_grpc as rpc
from alpr.type.v1 import sensor_pb2
from services.common.errors import FieldViolation, InvalidFieldError
from services.console import words
from services.console.coordinator import escorts, lists, places, sensors
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

_DONE: Final = {
    "approve": "The deployment is approved.",
    "suspend": "The sensor is suspended. Nothing is accepted from it any more.",
    "place": "The place and its period are approved.",
    "end-place": "The period is ended.",
    "survey": "Where it stands since the vendor's work is on record.",
    "record": "The certificate is on record.",
    "revoke": "The certificate is revoked, for good.",
}
_IDS: Final = r"{sensor_id:str}"


def routes(door: Door) -> Sequence[Route]:
    """The page, and each act on it."""
    place = f"{sensors.PLACE}/{_IDS}"
    works = {
        "approve": _approve,
        "suspend": _suspend,
        "place": _place,
        "end-place": _end_place,
        "survey": _survey,
        "record": _record,
        "revoke": _revoke,
    }
    return (
        Route(place, door.page(plain(show)), methods=["GET"]),
        *(
            Route(f"{place}/{key}", door.page(act(_done(key, work), show)), methods=["POST"])
            for key, work in works.items()
        ),
    )


def _done(
    key: str, work: Callable[[Person, str], Awaitable[Any]]
) -> Callable[[Request, Person], Awaitable[str]]:
    async def worked(request: Request, person: Person) -> str:
        sensor_id = request.path_params["sensor_id"]
        await work(person, sensor_id)
        return f"{sensors.PLACE}/{sensor_id}?done={key}"

    return worked


async def show(request: Request, person: Person, forms: Forms) -> Response:
    """The sensor's page. Raises AlprError."""
    sensor_id = request.path_params["sensor_id"]
    answer = await person.call(rpc.SensorServiceStub, "GetSensor", pb.GetSensorRequest(sensor_id=sensor_id))
    own = await person.account()
    coordinates = bool(places.COORDINATORS & frozenset(own.roles))
    names = {one.account_id: one.full_name for one in await lists.accounts(person)} if coordinates else {}
    fixed = answer.sensor.deployment_type == sensor_pb2.DEPLOYMENT_TYPE_FIXED
    return await places.show(
        request,
        person,
        "sensor.html",
        sensors.PLACE,
        forms,
        title=f"Sensor {answer.sensor.sensor_id}",
        sensor=answer.sensor,
        acts=answer.acts,
        point=sensors.point(answer.sensor, None),
        names=names,
        may=coordinates,
        action=f"{sensors.PLACE}/{answer.sensor.sensor_id}",
        fixed=fixed,
        worked=await _sessions(person, names) if fixed and coordinates else (),
        portable=answer.sensor.deployment_type == sensor_pb2.DEPLOYMENT_TYPE_PORTABLE,
        approved=answer.sensor.status == sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        placements=[(one, _standing(one)) for one in answer.sensor.placements],
        certificates=[(one, _is_over(one)) for one in answer.sensor.certificates],
        now=in_days(0),
        sentences=_DONE,
    )


def _is_over(one: sensor_pb2.Placement | sensor_pb2.SensorCertificate) -> bool:
    return one.HasField("end_time") and words.moment(one.end_time) <= datetime.now(UTC)


def _standing(one: sensor_pb2.Placement) -> str:
    """Whether the period is over, now or ahead; one that was taken back ends as it begins."""
    if one.HasField("end_time") and words.moment(one.end_time) <= words.moment(one.start_time):
        return "taken back"
    if _is_over(one):
        return "over"
    return "ahead" if words.moment(one.start_time) > datetime.now(UTC) else "now"


async def _sessions(person: Person, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """The newest sessions of the vendor, to say in which of them it worked on the sensor."""
    return [
        (
            one.escort_id,
            f"{words.moment(one.begin_time):%Y-%m-%d %H:%M} UTC,"
            f" {names.get(one.vendor_account_id, 'the vendor')}: {one.reason}",
        )
        for one in await escorts.newest(person)
    ]


async def _approve(person: Person, sensor_id: str) -> None:
    request = pb.ApproveDeploymentRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        status=sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        approved_from=moment(person, "approved_from"),
        approved_until=moment(person, "approved_until"),
    )
    await person.call(rpc.SensorServiceStub, "ApproveDeployment", request)


async def _suspend(person: Person, sensor_id: str) -> None:
    request = pb.ApproveDeploymentRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        status=sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED,
    )
    await person.call(rpc.SensorServiceStub, "ApproveDeployment", request)


async def _place(person: Person, sensor_id: str) -> None:
    request = placement_pb.ApprovePlacementRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        place=sensors.place_of(person),
        start_time=moment(person, "start_time"),
        end_time=moment(person, "end_time"),
    )
    await person.call(placement_rpc.SensorPlacementServiceStub, "ApprovePlacement", request)


async def _end_place(person: Person, sensor_id: str) -> None:
    request = placement_pb.EndPlacementRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        placement_id=person.field("placement_id"),
    )
    await person.call(placement_rpc.SensorPlacementServiceStub, "EndPlacement", request)


async def _survey(person: Person, sensor_id: str) -> None:
    """Where the vendor's work has put a fixed sensor: nobody of the agency moves one (IV.C.4)."""
    request = placement_pb.RecordSurveyRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        place=sensors.place_of(person),
        work_time=moment(person, "work_time"),
        work_order=person.field("work_order"),
        escort_id=person.field("escort_id"),
    )
    await person.call(placement_rpc.SensorPlacementServiceStub, "RecordSurvey", request)


async def _record(person: Person, sensor_id: str) -> None:
    request = certificate_pb.RecordSensorCertificateRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        certificate_pem=person.field("certificate_pem"),
    )
    await person.call(certificate_rpc.SensorCertificateServiceStub, "RecordSensorCertificate", request)


async def _revoke(person: Person, sensor_id: str) -> None:
    try:
        sha256 = bytes.fromhex(person.field("sha256"))
    except ValueError:
        wrong = FieldViolation("sha256", "is no SHA-256")
        raise InvalidFieldError("a field cannot be read", violations=[wrong]) from None
    request = certificate_pb.RevokeSensorCertificateRequest(
        request_id=person.field("request_id"),
        sensor_id=sensor_id,
        sha256=sha256,
        reason=person.field("reason"),
    )
    await person.call(certificate_rpc.SensorCertificateServiceStub, "RevokeSensorCertificate", request)
