"""What the log holds of somebody: what was asked, tried and done under the own account (ENF-051 III.B.3.k).

It needs no case number. Whose entries they are, audit takes from the token; each page is an entry itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2_grpc as rpc
from alpr.audit.v1.log_service_pb2 import LogEntry
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console import moments
from services.console.auditor.entry import proven, withheld
from services.console.auditor.log import row
from services.console.door import Door, Person
from services.console.question import set_window

_KINDS: Final = [
    ("query", "Questions"),
    ("refusal", "What was refused"),
    ("intent", "Acts that were begun"),
    ("outcome", "How questions and acts ended"),
    ("event", "Events, for instance a sign-in"),
]
_ONE: Final = {"query": "question", "refusal": "refused", "intent": "act", "outcome": "outcome"}
_SIZES: Final = [(number, f"{number}") for number in (25, 50, 100, 200)]
_USUAL: Final = 50
_FILTER: Final = ("action", "kind", "page_size")


def routes(door: Door) -> Sequence[Route]:
    """The form, and what it asks for."""
    return (
        Route("/own-log", door.page(_form), methods=["GET"]),
        Route("/own-log", door.page(_look), methods=["POST"]),
        Route("/own-log/entry", door.page(_entry), methods=["POST"]),
    )


async def _form(_request: Request, person: Person) -> Response:
    return await person.show("own_log.html", **_page(person), answer=None, sentence="", fields=(), clauses="")


async def _look(_request: Request, person: Person) -> Response:
    """A page of the own entries, newest first; back on the form, in words, what was refused."""
    try:
        answer = await person.call(rpc.LogQueryServiceStub, "ListOwnEntries", _request_of(person))
    except AlprError as error:
        return await person.refused(error, "own_log.html", **_page(person), answer=None)
    return await person.show(
        "own_log.html",
        **_page(person),
        answer=answer,
        rows=[_row(one) for one in answer.entries],
        carried={name: person.field(name) for name in _FILTER}
        | {f"{name}_utc": moments.written(person, name) for name in ("from", "to")},
        sentence="",
        fields=(),
        clauses="",
    )


async def _entry(_request: Request, person: Person) -> Response:
    """One entry of such a page with all of its fields and its proof, to take along."""
    receipt = await proven(person)
    return await person.show(
        "own_entry.html",
        title=f"Entry {receipt.log_index}",
        receipt=receipt,
        withheld=withheld(receipt),
        notice=person.field("notice"),
    )


def _request_of(person: Person) -> pb.ListOwnEntriesRequest:
    request = pb.ListOwnEntriesRequest(
        request_id=person.field("request_id"),
        action=person.field("action"),
        kind=person.field("kind"),
        page_size=person.number("page_size") or _USUAL,
        page_token=person.field("page_token"),
    )
    wrong: list[FieldViolation] = []
    set_window(request, person, wrong)
    if wrong:
        raise InvalidFieldError("a moment cannot be read", violations=wrong)
    return request


def _page(person: Person) -> Mapping[str, Any]:
    return {
        "title": "What the log holds of you",
        "asked": {name: person.field(name) for name in _FILTER},
        "window": [moments.written(person, name) for name in ("from", "to")],
        "entry_kinds": _KINDS,
        "sizes": _SIZES,
        "usual": _USUAL,
    }


def _row(entry: LogEntry) -> Mapping[str, Any]:
    """What a line shows of the entry, and the entry itself as the page of it takes it."""
    values = {one.name: one.value for one in entry.fields}
    shown = row(entry, {})
    return {
        **shown,
        "what": _ONE.get(shown["kind"], shown["kind"]),
        "purpose": values.get("purpose", ""),
        "said": shown["said"] if values.get("question") else values.get("resource", ""),
        "count": values.get("row_count", ""),
    }
