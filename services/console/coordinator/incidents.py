"""Breaches, attacks and malware: recorded, told of within the hour, closed (ENF-051 III.B.3.c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import incident_service_pb2 as pb
from alpr.audit.v1 import incident_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/incidents"
_PAGE: Final = 50
_NAMES: Final[Mapping[int, str]] = {
    pb.INCIDENT_RECIPIENT_CJIS_COORDINATOR: "The CJIS agency coordinator",
    pb.INCIDENT_RECIPIENT_PLATFORM_OPERATOR: "Who operates the platform",
    pb.INCIDENT_RECIPIENT_PARTNER_AGENCY: "An agency that data are shared with",
}
RECIPIENTS: Final = [(value, _NAMES.get(value, text)) for value, text in words.choices(pb.IncidentRecipient)]
_DONE: Final = {"tell": "It is on record who was told.", "close": "The incident is closed."}


def routes(door: Door) -> Sequence[Route]:
    """The list, and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/open", door.page(_open), methods=["POST"]),
        Route(f"{PLACE}/tell", door.page(act(_tell, _show)), methods=["POST"]),
        Route(f"{PLACE}/close", door.page(act(_close, _show)), methods=["POST"]),
    )


async def newest(person: Person) -> Sequence[pb.Incident]:
    """The newest incidents of the agency; those that are open come first. Raises AlprError."""
    request = pb.ListIncidentsRequest(page_size=_PAGE)
    answer = await person.call(rpc.IncidentServiceStub, "ListIncidents", request)
    return sorted(answer.incidents, key=lambda one: bool(one.HasField("close_time")))


async def _show(
    request: Request, person: Person, forms: Forms, opened: pb.OpenIncidentResponse | None = None
) -> Response:
    own = await person.account()
    coordinates = bool(places.COORDINATORS & frozenset(own.roles))
    names = {one.account_id: one.full_name for one in await lists.accounts(person)} if coordinates else {}
    return await places.show(
        request,
        person,
        "incidents.html",
        PLACE,
        forms,
        title="Incidents",
        opened=opened,
        incidents=await newest(person),
        names=names,
        kinds=words.choices(pb.IncidentKind),
        recipients=RECIPIENTS,
        now=in_days(0),
        sentences=_DONE,
    )


async def _open(request: Request, person: Person) -> Response:
    """The page, with whom to tell now. Whoever sends the same form again is told the same."""
    try:
        wanted = pb.OpenIncidentRequest(
            request_id=person.field("request_id"),
            kind=person.number("kind"),
            summary=person.field("summary"),
            discover_time=moment(person, "discover_time"),
        )
        opened = await person.call(rpc.IncidentServiceStub, "OpenIncident", wanted)
    except AlprError as error:
        return await _show(request, person, Forms.refused(person, error))
    return await _show(request, person, Forms(), opened)


async def _tell(_request: Request, person: Person) -> str:
    told = pb.IncidentNotice(
        recipient=person.number("recipient"), name=person.field("name"), way=person.field("way")
    )
    request = pb.RecordIncidentNoticeRequest(
        request_id=person.field("request_id"), incident_id=person.field("incident_id"), notice=told
    )
    await person.call(rpc.IncidentServiceStub, "RecordIncidentNotice", request)
    return f"{PLACE}?done=tell"


async def _close(_request: Request, person: Person) -> str:
    request = pb.CloseIncidentRequest(
        request_id=person.field("request_id"),
        incident_id=person.field("incident_id"),
        finding=person.field("finding"),
    )
    await person.call(rpc.IncidentServiceStub, "CloseIncident", request)
    return f"{PLACE}?done=close"
