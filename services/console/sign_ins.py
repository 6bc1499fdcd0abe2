"""Where a person is signed in, and how that ends (ENF-051 III.B.3.k)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alpr.audit.v1 import sign_in_service_pb2 as pb
from alpr.audit.v1 import sign_in_service_pb2_grpc as rpc
from services.console.door import Door, Person


def routes(door: Door) -> Sequence[Route]:
    """The list and the act on it."""
    return (
        Route("/sign-ins", door.page(_show), methods=["GET"]),
        Route("/sign-ins/end", door.page(_end), methods=["POST"]),
    )


async def end_own(person: Person) -> None:
    """Ends the sign-in that this very call came from, at once and everywhere. Raises AlprError."""
    listed = await person.call(rpc.SignInServiceStub, "ListSignIns", pb.ListSignInsRequest())
    for one in listed.sign_ins:
        if one.own:
            await _ended(person, str(uuid.uuid4()), one.sign_in_id, "signed out at the console")


async def _show(_request: Request, person: Person) -> Response:
    listed = await person.call(rpc.SignInServiceStub, "ListSignIns", pb.ListSignInsRequest())
    return await person.show(
        "sign_ins.html", title="Sign-ins", sign_ins=listed.sign_ins, request_id=str(uuid.uuid4())
    )


async def _end(_request: Request, person: Person) -> Response:
    await _ended(person, person.field("request_id"), person.field("sign_in_id"), person.field("reason"))
    return RedirectResponse("/sign-ins#main", 303)


async def _ended(person: Person, request_id: str, sign_in_id: str, reason: str) -> None:
    request = pb.EndSignInsRequest(request_id=request_id, sign_in_id=sign_in_id, reason=reason)
    await person.call(rpc.SignInServiceStub, "EndSignIns", request)
