"""A sensor's certificate out of its own request: issued, shown, saved as a file (ENF-051 III.B.3.h)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import sensor_certificate_service_pb2 as pb
from alpr.audit.v1 import sensor_certificate_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console.answers import attachment
from services.console.coordinator import places, sensor, sensors
from services.console.coordinator.forms import Forms
from services.console.door import Door, Person

_MEDIA_TYPE: Final = "application/x-pem-file"


def routes(door: Door) -> Sequence[Route]:
    """The act, whose answer is the certificate."""
    place = f"{sensors.PLACE}/{{sensor_id:str}}/issue"
    return (Route(place, door.page(_issue), methods=["POST"]),)


async def _issue(request: Request, person: Person) -> Response:
    """The certificate on a page, or as a file. Whoever sends the same form again gets the same one."""
    sensor_id = request.path_params["sensor_id"]
    try:
        wanted = pb.IssueSensorCertificateRequest(
            request_id=person.field("request_id"),
            sensor_id=sensor_id,
            certificate_request=person.field("certificate_request"),
            valid_days=person.number("valid_days"),
        )
        made = await person.call(rpc.SensorCertificateServiceStub, "IssueSensorCertificate", wanted)
    except AlprError as error:
        return await sensor.show(request, person, Forms.refused(person, error))
    if person.field("plain"):
        return attachment(made.certificate_pem.encode("ascii"), f"{sensor_id}.pem", _MEDIA_TYPE)
    return await places.show(
        request,
        person,
        "certificate.html",
        sensors.PLACE,
        Forms(),
        title="A sensor's certificate",
        sensor_id=sensor_id,
        action=f"{sensors.PLACE}/{sensor_id}",
        asked=wanted,
        certificate=made.certificate,
        pem=made.certificate_pem,
    )
