"""What managers do: make a list, activate and approve versions, end their use (ENF-051 III.B.3.d and h)."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from services.common.errors import AlprError
from services.console.door import Person
from services.console.hot_lists.lists import STUB, show_one_with, show_with
from services.console.pages import said, status_of

# Two versions of ten million rows are compared first, and the new one is got ready.
_LONGEST_SECONDS: Final = 900.0


async def create(_request: Request, person: Person) -> Response:
    """Makes an empty list, and goes to it."""
    name, source = person.field("name"), person.field("source")
    asked = pb.CreateHotListRequest(
        request_id=person.field("request_id"), name=name, source=person.number("source")
    )
    try:
        made = await person.call(STUB, "CreateHotList", asked)
    except AlprError as error:
        return await show_with(person, status=status_of(error), name=name, source=source, **said(error))
    return RedirectResponse(f"/hot-lists/{made.hot_list.hot_list_id}", 303)


async def activate(request: Request, person: Person) -> Response:
    """Makes a version the one that reads are compared with; an older one rolls back."""
    asked = pb.ActivateHotListVersionRequest(
        request_id=person.field("request_id"), hot_list_id=_list(request), version=person.number("version")
    )
    return await _done(request, person, "ActivateHotListVersion", asked)


async def approve(request: Request, person: Person) -> Response:
    """Agrees to somebody else's version that removes much of its list (III.B.3.h)."""
    asked = pb.ApproveHotListVersionRequest(
        request_id=person.field("request_id"), hot_list_id=_list(request), version=person.number("version")
    )
    return await _done(request, person, "ApproveHotListVersion", asked)


async def deactivate(request: Request, person: Person) -> Response:
    """Takes the list out of use."""
    asked = pb.DeactivateHotListRequest(
        request_id=person.field("request_id"), hot_list_id=_list(request), reason=person.field("reason")
    )
    return await _done(request, person, "DeactivateHotList", asked)


async def _done(request: Request, person: Person, name: str, asked: Any) -> Response:
    try:
        await person.call(STUB, name, asked, seconds=_LONGEST_SECONDS)
    except AlprError as error:
        return await show_one_with(request, person, status_of(error), **said(error))
    return RedirectResponse(f"/hot-lists/{_list(request)}#main", 303)


def _list(request: Request) -> str:
    return str(request.path_params["hot_list_id"])
