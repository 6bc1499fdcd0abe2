"""What left, and what its recipients are still to be told (ENF-051 III.B.3.m, III.B.3.n)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.common.wire import to_timestamp
from services.console import justification
from services.console.analysis.leaving import data_set
from services.console.analysis.recipient import KINDS
from services.console.door import Page, Person
from services.console.pages import new_id, said, status_of

_ROWS: Final = 100
_ACTS: Final[dict[str, tuple[str, Any, tuple[str, ...]]]] = {
    "deleted": ("RecordDeletion", pb.RecordDeletionRequest, ("dissemination_id", "statement")),
    "told": ("RecordTold", pb.RecordToldRequest, ("notice_id", "statement")),
    "sent": ("ResendNotice", pb.ResendNoticeRequest, ("notice_id", "email")),
}
"""RPC, its request, and the fields of it that the form has, by the last part of the address."""
ACTS: Final = tuple(_ACTS)


async def show(_request: Request, person: Person) -> Response:
    """Entries of the register, newest first, and notices that wait."""
    return await _shown(person, None)


def act(name: str) -> Page:
    """Endpoint of one act on an entry or a notice."""

    async def endpoint(_request: Request, person: Person) -> Response:
        rpc_name, message, fields = _ACTS[name]
        request = message(
            request_id=person.field("request_id"),
            partition=data_set(person),
            **{field: person.field(field) for field in fields},
        )
        try:
            await person.call(rpc.DisseminationServiceStub, rpc_name, request)
        except AlprError as error:
            return await _shown(person, error)
        return RedirectResponse("/search/register#main", 303)

    return endpoint


async def _shown(person: Person, refusal: AlprError | None) -> Response:
    values: dict[str, Any] = {
        "title": "What left",
        "section": "/search",
        "here": "/search/register",
        "why": justification.given(person),
        "overdue": person.field("overdue"),
        "chosen_set": person.field("data_set"),
        "recipients": dict(KINDS),
        # Of the form that was refused; other forms of the page have the same fields.
        "refused_id": (person.field("dissemination_id") or person.field("notice_id")) if refusal else "",
        "written": person.field,
    }
    listed = await person.call(rpc.DisseminationServiceStub, "ListDisseminations", _entries(person))
    asked = pb.ListRecipientNoticesRequest(request_id=new_id(), page_size=_ROWS, partition=data_set(person))
    notices = await person.call(rpc.DisseminationServiceStub, "ListRecipientNotices", asked)
    told = said(refusal) if refusal else {"sentence": "", "fields": (), "clauses": ""}
    return await person.show(
        "analysis/register.html",
        status_of(refusal) if refusal else 200,
        listed=listed,
        notices=notices,
        **told,
        **values,
    )


def _entries(person: Person) -> pb.ListDisseminationsRequest:
    request = pb.ListDisseminationsRequest(
        request_id=new_id(),
        read_id=person.field("read_id"),
        page_size=_ROWS,
        page_token=person.field("page_token"),
        partition=data_set(person),
    )
    if person.field("overdue"):
        request.overdue_at.CopyFrom(to_timestamp(datetime.now(UTC)))
    return request
