"""What agencies of other states declare in writing before they are answered (625 ILCS 5/2-130; IV.B.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import declaration_service_pb2 as pb
from alpr.audit.v1 import declaration_service_pb2_grpc as rpc
from services.console import justification
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/declarations"
_DONE: Final = {
    "record": "The declaration is on record. The agency's people are answered while it counts.",
    "end": "The declaration is ended. Without another one, the agency's people are answered nothing.",
}


def routes(door: Door) -> Sequence[Route]:
    """The list, and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/record", door.page(act(_record, _show)), methods=["POST"]),
        Route(f"{PLACE}/end", door.page(act(_end, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    stub = rpc.DeclarationServiceStub
    law = (await person.call(stub, "ListDeclarations", pb.ListDeclarationsRequest(page_size=1))).law
    asked = pb.ListDeclarationsRequest(page_size=500)
    found = await lists.every(person, stub, "ListDeclarations", asked, "declarations")
    agencies = await lists.agencies(person)
    return await places.show(
        request,
        person,
        "declarations.html",
        PLACE,
        forms,
        title="Declarations",
        law=law,
        uses={one.use_id: one.text for one in law.uses},
        declarations=sorted(found, key=lambda one: not one.in_force),
        names={one.ori: one.name for one in agencies},
        # Others need none.
        agencies=[
            (one.ori, f"{one.name} ({one.ori})") for one in agencies if not one.ori.startswith(law.home_state)
        ],
        codes=(await justification.asked_for(person))["codes"],
        decides=bool(places.STATEWIDE & frozenset((await person.account()).roles)),
        now=in_days(0),
        in_year=in_days(365),
        sentences=_DONE,
    )


async def _record(_request: Request, person: Person) -> str:
    declared = pb.Declaration(
        agency_ori=person.field("agency_ori"),
        document_sha256=await digest(person, "document"),
        signed_by=person.field("signed_by"),
        office=person.field("office"),
        sign_time=moment(person, "sign_time"),
        start_time=moment(person, "start_time"),
        end_time=moment(person, "end_time"),
        excluded_uses=person.fields("excluded_uses"),
        excluded_offence_codes=person.fields("excluded_offence_codes"),
    )
    request = pb.RecordDeclarationRequest(request_id=person.field("request_id"), declaration=declared)
    await person.call(rpc.DeclarationServiceStub, "RecordDeclaration", request)
    return f"{PLACE}?done=record"


async def _end(_request: Request, person: Person) -> str:
    request = pb.EndDeclarationRequest(
        request_id=person.field("request_id"),
        declaration_id=person.field("declaration_id"),
        reason=person.field("reason"),
    )
    await person.call(rpc.DeclarationServiceStub, "EndDeclaration", request)
    return f"{PLACE}?done=end"
