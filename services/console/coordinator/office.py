"""The office of the statewide coordinator: one person holds it; it is handed over in one moment (III.A)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import office_service_pb2 as pb
from alpr.audit.v1 import office_service_pb2_grpc as rpc
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person

PLACE: Final = "/coordinator/office"
_DONE: Final = {
    "offer": "The office is offered. It may be accepted for seven days.",
    "accept": "You hold it.",
}


def routes(door: Door) -> Sequence[Route]:
    """The office, its offer, and its acceptance."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/offer", door.page(act(_offer, _show)), methods=["POST"]),
        Route(f"{PLACE}/accept", door.page(act(_accept, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    answer = await person.call(rpc.OfficeServiceStub, "GetOffice", pb.GetOfficeRequest())
    own = await person.account()
    holds = answer.office.holder_account_id == own.account_id
    everybody = await lists.accounts(person) if holds else []
    names = {one.account_id: one.full_name for one in everybody}
    names[own.account_id] = own.full_name
    return await places.show(
        request,
        person,
        "office.html",
        PLACE,
        forms,
        title="Office of the statewide coordinator",
        office=answer.office,
        holds=holds,
        own_account=own,
        names=names,
        choices=[(one.account_id, f"{one.full_name}, {one.unit}") for one in everybody],
        sentences=_DONE,
    )


async def _offer(_request: Request, person: Person) -> str:
    offer = pb.OfficeOffer(
        successor_account_id=person.field("successor_account_id"),
        official=person.field("official"),
        document_sha256=await digest(person, "document"),
    )
    request = pb.OfferOfficeRequest(request_id=person.field("request_id"), offer=offer)
    await person.call(rpc.OfficeServiceStub, "OfferOffice", request)
    return f"{PLACE}?done=offer"


async def _accept(_request: Request, person: Person) -> str:
    request = pb.AcceptOfficeRequest(request_id=person.field("request_id"), offer_id=person.field("offer_id"))
    await person.call(rpc.OfficeServiceStub, "AcceptOffice", request)
    return f"{PLACE}?done=accept"
