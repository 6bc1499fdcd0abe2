"""What left the agency, to whom, and what its recipients were told (ENF-051 III.B.3.m, III.B.3.n, IV.B)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.common.wire import to_timestamp
from services.console.analysis.recipient import KINDS
from services.console.auditor import people
from services.console.door import Door, Person
from services.console.pages import new_id

_ENTRIES: Final = 50
_NOTICES: Final = 200


def routes(door: Door) -> Sequence[Route]:
    """The register and the letters, to look at; who let a file go works on it at /search/register."""
    return (
        Route("/auditor/left", door.page(_show), methods=["GET", "POST"]),
        Route("/auditor/letters", door.page(_letters), methods=["GET", "POST"]),
    )


async def _show(_request: Request, person: Person) -> Response:
    """Files that left, newest first; of one read, or overdue, where that is asked for."""
    written = {name: person.field(name) for name in ("read_id", "overdue")}
    request = pb.ListDisseminationsRequest(
        request_id=new_id(), page_size=_ENTRIES, read_id=written["read_id"]
    )
    request.page_token = person.field("page_token") if person.form else ""
    if written["overdue"]:
        request.overdue_at.CopyFrom(to_timestamp(datetime.now(UTC)))
    page: dict[str, Any] = {
        "title": "What left",
        "section": "/auditor",
        "written": written,
        "recipients": dict(KINDS),
    }
    try:
        listed = await person.call(rpc.DisseminationServiceStub, "ListDisseminations", request)
    except AlprError as error:
        empty = pb.ListDisseminationsResponse()
        return await person.refused(error, "auditor/left.html", listed=empty, names={}, **page)
    names = await people.names_of(person, (one.account_id for one in listed.disseminations))
    return await person.show(
        "auditor/left.html", listed=listed, names=names, sentence="", fields=(), clauses="", **page
    )


async def _letters(_request: Request, person: Person) -> Response:
    """What recipients are to be told and were told, oldest first, and how the system's own letters fare."""
    token = person.field("page_token") if person.form else ""
    waiting, told = await asyncio.gather(
        _notices(person, "", every=False), _notices(person, token, every=True)
    )
    return await person.show(
        "auditor/letters.html",
        title="What recipients were told",
        section="/auditor",
        recipients=dict(KINDS),
        waiting=waiting,
        told=[one for one in told.notices if one.HasField("told_time")],
        next_page=told.next_page_token,
    )


async def _notices(person: Person, token: str, *, every: bool) -> pb.ListRecipientNoticesResponse:
    request = pb.ListRecipientNoticesRequest(
        request_id=new_id(), with_told=every, page_size=_NOTICES, page_token=token
    )
    answer: pb.ListRecipientNoticesResponse = await person.call(
        rpc.DisseminationServiceStub, "ListRecipientNotices", request
    )
    return answer
