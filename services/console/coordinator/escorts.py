"""Sessions of the vendor's support: begun, followed and stopped by the agency's own people (III.B.3.p).

A session lasts as long as its page follows it: whoever closes the page, is signed out or lets the screen lock
has left, and the service ends it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import grpc
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1 import escort_service_pb2 as pb
from alpr.audit.v1 import escort_service_pb2_grpc as rpc
from services.common.errors import AlprError, NotFoundError
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person
from services.console.following import ends_at

PLACE: Final = "/coordinator/escorts"
_DONE: Final = {"cut": "The session is stopped: the vendor may do nothing any more."}
_PAGE: Final = 50
_SIGN_IN_OVER: Final = "I"
_FINAL: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)
_NAMES: Final[Mapping[int, str]] = {
    pb.ESCORT_SCOPE_HEALTH: "look how sensors and services do",
    pb.ESCORT_SCOPE_MODELS: "that, and change recognition models",
}
_SCOPES: Final = [(value, _NAMES.get(value, text)) for value, text in words.choices(pb.EscortScope)]


def routes(door: Door) -> Sequence[Route]:
    """The list, a session, what happens in it, and its end."""
    place = f"{PLACE}/{{escort_id:uuid}}"
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/begin", door.page(act(_begin, _show)), methods=["POST"]),
        Route(place, door.page(plain(_show_one)), methods=["GET"]),
        Route(f"{place}/events", door.page(_follow), methods=["GET"]),
        Route(f"{place}/cut", door.page(act(_cut, _show_one)), methods=["POST"]),
    )


async def newest(person: Person) -> Sequence[pb.Escort]:
    """The newest sessions of the agency; those that last come first. Raises AlprError."""
    request = pb.ListEscortsRequest(page_size=_PAGE)
    answer = await person.call(rpc.EscortServiceStub, "ListEscorts", request)
    return sorted(answer.escorts, key=lambda one: bool(one.HasField("ended_time")))


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    own = await person.account()
    names, vendors = await _names(person, own.roles)
    return await places.show(
        request,
        person,
        "escorts.html",
        PLACE,
        forms,
        title="Vendor sessions",
        escorts=await newest(person),
        names=names,
        vendors=vendors,
        scope_names=_SCOPES,
        sentences=_DONE,
    )


async def _names(person: Person, held: Sequence[int]) -> tuple[Mapping[str, str], list[tuple[str, str]]]:
    """Names of accounts, and the vendor's accounts; none of either for who may not list accounts."""
    if not places.COORDINATORS & frozenset(held):
        return {}, []
    found = await lists.accounts(person)
    vendors = [one for one in found if roles.ROLE_VENDOR_SUPPORT in one.roles]
    return {one.account_id: one.full_name for one in found}, [
        (one.account_id, one.full_name) for one in vendors
    ]


async def _begin(_request: Request, person: Person) -> str:
    """Begins a session; its page has to follow within seconds."""
    request = pb.EscortVendorRequest(
        request_id=person.field("request_id"),
        vendor_account_id=person.field("vendor_account_id"),
        scope=person.number("scope"),
        minutes=person.number("minutes"),
        reason=person.field("reason"),
    )
    async with aclosing(person.stream(rpc.EscortServiceStub, "EscortVendor", request)) as events:
        first = await anext(events)
    return f"{PLACE}/{first.escort.escort_id}"


async def _show_one(request: Request, person: Person, forms: Forms) -> Response:
    escort_id = str(request.path_params["escort_id"])
    own = await person.account()
    asked = pb.ListEscortsRequest(page_size=200)
    found = await lists.every(person, rpc.EscortServiceStub, "ListEscorts", asked, "escorts")
    escort = next((one for one in found if one.escort_id == escort_id), None)
    if escort is None:
        raise NotFoundError("There is no such session.")
    names, _ = await _names(person, own.roles)
    lasts = not escort.HasField("ended_time")
    return await places.show(
        request,
        person,
        "escort.html",
        PLACE,
        forms,
        title="A vendor session",
        escort=escort,
        scope_names=_SCOPES,
        names=names,
        lasts=lasts,
        follows=lasts and escort.escort_account_id == own.account_id,
        sentences=_DONE,
    )


async def _cut(request: Request, person: Person) -> str:
    escort_id = str(request.path_params["escort_id"])
    cut = pb.CutEscortRequest(request_id=person.field("request_id"), escort_id=escort_id)
    await person.call(rpc.EscortServiceStub, "CutEscort", cut)
    return f"{PLACE}/{escort_id}?done=cut"


async def _follow(request: Request, person: Person) -> Response:
    """What happens in a session of one's own, a line of JSON each. It lasts as long as this is read."""
    events = _lines(person, str(request.path_params["escort_id"]), ends_at(person))
    return StreamingResponse(events, media_type="application/x-ndjson", headers={"X-Accel-Buffering": "no"})


async def _lines(person: Person, escort_id: str, until: float) -> AsyncIterator[str]:
    request = pb.EscortVendorRequest(escort_id=escort_id)
    stream = person.stream(rpc.EscortServiceStub, "EscortVendor", request, alone=True)
    try:
        async with aclosing(stream) as events:
            while (left := until - time.time()) > 0:
                async with asyncio.timeout(left):
                    event = await anext(events, None)
                if event is None:
                    return
                yield _line(event)
    except TimeoutError:
        return  # the page comes again at once, and the door looks who it is
    except AlprError as error:
        # The page tries anew what passes; so it does with a new token when the one of this call has ended.
        if error.code in _FINAL and error.metadata.get("clauses") != _SIGN_IN_OVER:
            yield json.dumps({"kind": "over", "sentence": error.message}) + "\n"


def _line(event: pb.EscortVendorResponse) -> str:
    if event.HasField("call"):
        call = event.call
        told: dict[str, Any] = {
            "kind": "call",
            "id": call.entry_id,
            "at": f"{words.moment(call.call_time):%Y-%m-%dT%H:%M:%SZ}",
            "action": call.action,
            "service": call.service,
        }
    else:
        told = {"kind": "escort", "ended": event.escort.HasField("ended_time"), "calls": event.escort.calls}
    return json.dumps(told) + "\n"
