"""Plates that a person, a unit or the operator of a camera watches for (ENF-051 II.D)."""

from __future__ import annotations

import uuid
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.matcher.v1 import local_list_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2
from services.common.errors import AlprError
from services.console import justification, moments, words
from services.console.door import Person
from services.console.hot_lists.lists import SECTION
from services.console.pages import said, status_of

_STUB: Final = rpc.LocalListServiceStub
_PAGE: Final = 200
_KEPT: Final = (
    *("pattern", "state", "plate_type", "category", "make", "color"),
    *("owner_kind", "sensor_id"),
)


async def show(request: Request, person: Person) -> Response:
    """What the person, the unit and the agency's cameras watch for, and the form to watch for more."""
    return await _show(request, person)


async def add(request: Request, person: Person) -> Response:
    """Watches for a plate, with case number and purpose as a question has them (IV.C.5, IV.C.6)."""
    asked = pb.AddLocalEntryRequest(
        request_id=person.field("request_id"),
        owner_kind=person.number("owner_kind"),
        sensor_id=person.field("sensor_id"),
        pattern=person.field("pattern").upper(),
        state=person.field("state").upper(),
        plate_type=person.field("plate_type").upper(),
        category=person.number("category"),
        vehicle=hit_pb2.ListedVehicle(make=person.field("make").upper(), color=person.field("color").upper()),
        justification=justification.given(person),
    )
    try:
        until = moments.moment(person, "expire_time")
        if until is not None:
            asked.expire_time.CopyFrom(until)
        await person.call(_STUB, "AddLocalEntry", asked)
    except AlprError as error:
        sent = {name: person.field(name) for name in _KEPT}
        sent["expire_time"] = moments.written(person, "expire_time")
        return await _show(request, person, status_of(error), sent=sent, **said(error))
    return RedirectResponse("/hot-lists/local#main", 303)


async def remove(_request: Request, person: Person) -> Response:
    """Stops watching for a plate at once."""
    asked = pb.RemoveLocalEntryRequest(
        request_id=person.field("request_id"), entry_id=person.field("entry_id")
    )
    await person.call(_STUB, "RemoveLocalEntry", asked)
    return RedirectResponse("/hot-lists/local#main", 303)


async def _show(request: Request, person: Person, status: int = 200, **values: Any) -> Response:
    with_ended = request.query_params.get("ended") == "1"
    asked = pb.ListLocalEntriesRequest(
        with_ended=with_ended, page_size=_PAGE, page_token=request.query_params.get("after", "")
    )
    listed = await person.call(_STUB, "ListLocalEntries", asked)
    usual = {"sentence": "", "fields": (), "clauses": "", "sent": {}}
    return await person.show(
        "hot_lists/local.html",
        status,
        title="Local lists",
        section=SECTION,
        entries=listed.entries,
        suspended=listed.suspended,
        after=listed.next_page_token,
        with_ended=with_ended,
        live=pb.LOCAL_ENTRY_STATE_LIVE,
        owners=words.choices(pb.LocalListOwnerKind),
        categories=words.choices(hit_pb2.HotListCategory),
        request_id=str(uuid.uuid4()),
        **await justification.asked_for(person),
        **{**usual, **values},
    )
