"""Questions to the log: who did what, for which case, when. Each page of an answer is an entry itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2_grpc as rpc
from alpr.audit.v1.log_service_pb2 import LogEntry
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console import justification, moments
from services.console.answers import packed
from services.console.auditor import people
from services.console.coordinator import lists
from services.console.door import Door, Person
from services.console.question import set_window

KINDS: Final = [(one, one) for one in ("query", "refusal", "intent", "outcome", "event", "genesis")]
_SIZES: Final = [(number, f"{number}") for number in (25, 50, 100, 200)]
_USUAL: Final = 50
_FILTER: Final = ("who", "agency_ori", "of_case", "action", "kind", "plate", "page_size")
_ARGUMENT: Final = re.compile(r"([a-z_0-9]+):(?:[0-9]+:)?(.*)")
_PAGING: Final = frozenset({"kind", "from_us", "to_us", "page_size", "before_us", "before_read_id"})


def routes(door: Door) -> Sequence[Route]:
    """The form, and what it asks for."""
    return (
        Route("/auditor/log", door.page(_form), methods=["GET"]),
        Route("/auditor/log", door.page(_ask), methods=["POST"]),
    )


async def _form(request: Request, person: Person) -> Response:
    """The form; an address may name an account, and nothing else of the question."""
    asked = dict.fromkeys(_FILTER, "") | {"who": request.query_params.get("account", "")}
    return await person.show("auditor/log_form.html", **await _page(person, asked), sentence="", fields=())


async def _ask(_request: Request, person: Person) -> Response:
    """A page of entries (ENF-051 III.B.3.o); back on the form, in words, what was refused."""
    asked, matches = {name: person.field(name) for name in _FILTER}, []
    try:
        request = _request_of(person)
        if asked["who"]:
            matches = await _meant(person, asked["who"])
            request.account_id = matches[0][0]
            if len(matches) > 1:
                said = f"{len(matches)} people are meant by that; choose one."
                raise InvalidFieldError(
                    "the person is not clear", violations=[FieldViolation("account_id", said)]
                )
        answer = await person.call(rpc.LogQueryServiceStub, "ListEntries", request)
        names = await people.names_of(
            person, (one.value for row in answer.entries for one in row.fields if one.name == "actor")
        )
    except AlprError as error:
        page = await _page(person, asked, matches)
        return await person.refused(error, "auditor/log_form.html", **page)
    carried = (
        asked
        | {"who": request.account_id}
        | {f"{name}_utc": moments.written(person, name) for name in ("from", "to")}
    )
    return await person.show(
        "auditor/log.html",
        **await justification.asked_for(person),
        title="Entries of the log",
        section="/auditor",
        answer=answer,
        rows=[row(one, names) for one in answer.entries],
        carried=carried,
        whose=names.get(request.account_id, request.account_id),
    )


def _request_of(person: Person) -> pb.ListEntriesRequest:
    request = pb.ListEntriesRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        case_number=person.field("of_case"),
        action=person.field("action"),
        kind=person.field("kind"),
        plate=person.field("plate").upper(),
        agency_ori=person.field("agency_ori").upper(),
        page_size=person.number("page_size") or _USUAL,
        page_token=person.field("page_token"),
    )
    wrong: list[FieldViolation] = []
    set_window(request, person, wrong)
    if wrong:
        raise InvalidFieldError("a moment cannot be read", violations=wrong)
    return request


async def _meant(person: Person, who: str) -> list[tuple[str, str]]:
    """Id and name of each account that may be meant, one at least."""
    if people.is_id(who):
        return [(who.lower(), "")]
    found = await people.matching(person, who)
    if not found:
        wrong = [FieldViolation("account_id", "Nobody of the agency has that name or badge number.")]
        raise InvalidFieldError("the person is not known", violations=wrong)
    return [(one.account_id, f"{one.full_name}, badge {one.badge_number}, {one.unit}") for one in found]


async def _page(
    person: Person, asked: Mapping[str, str], matches: Sequence[tuple[str, str]] = ()
) -> Mapping[str, Any]:
    return {
        **await justification.asked_for(person),
        "title": "Ask the log",
        "section": "/auditor",
        "asked": asked,
        "matches": matches if len(matches) > 1 else (),
        "agencies": await lists.agencies(person),
        "window": [moments.written(person, name) if person.form else "" for name in ("from", "to")],
        "entry_kinds": KINDS,
        "sizes": _SIZES,
        "usual": _USUAL,
    }


def row(entry: LogEntry, names: Mapping[str, str]) -> Mapping[str, Any]:
    """What a line of a list shows of the entry, and the entry itself as the next page takes it."""
    values = {one.name: one.value for one in entry.fields}
    actor = values.get("actor", "")
    receipt = AuditReceipt(
        entry_id=values.get("entry_id", ""), log_index=entry.log_index, leaf=entry.leaf, fields=entry.fields
    )
    return {
        "index": entry.log_index,
        "time": entry.record_time,
        "kind": values.get("kind", ""),
        "action": values.get("action", ""),
        "actor": names.get(actor, actor or values.get("service", "")),
        "agency": values.get("actor_agency", values.get("agency", "")),
        "case_number": values.get("case_number", ""),
        "said": question_words(values.get("question", "")) or values.get("purpose", ""),
        "result": values.get("result", values.get("decision", "")),
        "packed": packed(receipt),
    }


def question_words(question: str) -> str:
    """What a recorded question asked for, in a line: its arguments that say something, without its paging."""
    said = [found.groups() for line in question.split("\n") if (found := _ARGUMENT.fullmatch(line))]
    if not said:
        return question
    return ", ".join(f"{name} {value}" for name, value in said if value and name not in _PAGING)
