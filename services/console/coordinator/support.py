"""Help after installation: coordinators ask for it, at the first tier (ENF-051 IV.F)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import support_service_pb2 as pb
from alpr.audit.v1 import support_service_pb2_grpc as rpc
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person

PLACE: Final = "/coordinator/support"
_PAGE: Final = 50
_DONE: Final = {
    "ask": "The request is on record. Tell the first tier of it: nothing is sent from here.",
    "close": "The request is closed.",
}


def routes(door: Door) -> Sequence[Route]:
    """The list, and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/ask", door.page(act(_ask, _show)), methods=["POST"]),
        Route(f"{PLACE}/close", door.page(act(_close, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    asked = pb.ListSupportRequest(page_size=_PAGE)
    listed = await person.call(rpc.SupportServiceStub, "ListSupport", asked)
    return await places.show(
        request,
        person,
        "support.html",
        PLACE,
        forms,
        title="Support",
        first_tier=listed.first_tier,
        # What is open comes first.
        requests=sorted(listed.support_requests, key=lambda one: bool(one.HasField("close_time"))),
        names={one.account_id: one.full_name for one in await lists.accounts(person)},
        categories=words.choices(pb.SupportCategory),
        sentences=_DONE,
    )


async def _ask(_request: Request, person: Person) -> str:
    request = pb.RequestSupportRequest(
        request_id=person.field("request_id"),
        category=person.number("category"),
        details=person.field("details"),
    )
    await person.call(rpc.SupportServiceStub, "RequestSupport", request)
    return f"{PLACE}?done=ask"


async def _close(_request: Request, person: Person) -> str:
    request = pb.CloseSupportRequest(
        request_id=person.field("request_id"),
        support_request_id=person.field("support_request_id"),
        resolution=person.field("resolution"),
    )
    await person.call(rpc.SupportServiceStub, "CloseSupport", request)
    return f"{PLACE}?done=close"
