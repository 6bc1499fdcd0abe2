"""Districts, zones and specialty units, and who coordinates each (ENF-051 III.C.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import unit_service_pb2 as pb
from alpr.audit.v1 import unit_service_pb2_grpc as rpc
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person

PLACE: Final = "/coordinator/units"
_DONE: Final = {
    "register": "The unit is registered. Its people can be enabled once it has a coordinator.",
    "appoint": "The appointment is on record.",
    "end": "The appointment is ended. Nobody new of the unit is enabled until there is another.",
}


def routes(door: Door) -> Sequence[Route]:
    """The list and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/register", door.page(act(_register, _show)), methods=["POST"]),
        Route(f"{PLACE}/appoint", door.page(act(_appoint, _show)), methods=["POST"]),
        Route(f"{PLACE}/end", door.page(act(_end, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    found = await lists.units(person)
    everybody = await lists.accounts(person)
    # Who stands before nobody comes first.
    own = await person.account()
    return await places.show(
        request,
        person,
        "units.html",
        PLACE,
        forms,
        title="Units",
        units=sorted(found, key=lambda one: (one.served, one.code)),
        names={one.account_id: one.full_name for one in everybody},
        choices=[(one.account_id, f"{one.full_name}, {one.unit}") for one in everybody],
        kinds=words.choices(pb.UnitKind),
        own_account=own,
        decides=bool(places.STATEWIDE & frozenset(own.roles)),
        sentences=_DONE,
    )


async def _register(_request: Request, person: Person) -> str:
    unit = pb.Unit(
        agency_ori=person.field("agency_ori"),
        code=person.field("code"),
        name=person.field("name"),
        kind=person.number("kind"),
    )
    request = pb.RegisterUnitRequest(request_id=person.field("request_id"), unit=unit)
    await person.call(rpc.UnitServiceStub, "RegisterUnit", request)
    return f"{PLACE}?done=register"


async def _appoint(_request: Request, person: Person) -> str:
    appointment = pb.Appointment(
        account_id=person.field("account_id"),
        commander=person.field("commander"),
        document_sha256=await digest(person, "document"),
    )
    request = pb.AppointCoordinatorRequest(
        request_id=person.field("request_id"),
        agency_ori=person.field("agency_ori"),
        code=person.field("code"),
        appointment=appointment,
    )
    await person.call(rpc.UnitServiceStub, "AppointCoordinator", request)
    return f"{PLACE}?done=appoint"


async def _end(_request: Request, person: Person) -> str:
    request = pb.EndAppointmentRequest(
        request_id=person.field("request_id"),
        agency_ori=person.field("agency_ori"),
        code=person.field("code"),
        reason=person.field("reason"),
    )
    await person.call(rpc.UnitServiceStub, "EndAppointment", request)
    return f"{PLACE}?done=end"
