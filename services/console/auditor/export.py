"""The log as a file that the offline verifier proves: whole, or of one person or case."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alpr.audit.v1 import log_service_pb2 as pb
from alpr.audit.v1 import log_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.common.receipts import export_header, export_line
from services.console.auditor import people
from services.console.door import Door, Person

_LINES = 200


def routes(door: Door) -> Sequence[Route]:
    """The form, and the file."""
    return (
        Route("/auditor/export", door.page(_form), methods=["GET"]),
        Route("/auditor/export", door.page(_export), methods=["POST"]),
    )


async def _form(_request: Request, person: Person) -> Response:
    return await person.show("auditor/export.html", **_page(person), sentence="", fields=(), clauses="")


async def _export(_request: Request, person: Person) -> Response:
    """The log as JSON lines; a file that broke off has no checkpoint at its end (ENF-051 IV.A.3)."""
    request = pb.ExportLogRequest(
        first_index=person.number("first_index"),
        case_number=person.field("of_case"),
        counted_only=bool(person.field("counted")),
    )
    try:
        request.account_id = await _account(person)
        newest = await person.call(rpc.LogServiceStub, "GetCheckpoint", pb.GetCheckpointRequest())
        messages = person.stream(rpc.LogServiceStub, "ExportLog", request)
        first = await anext(messages)  # a refusal comes before anything of a file
    except AlprError as error:
        return await person.refused(error, "auditor/export.html", **_page(person))
    head = export_header(newest.checkpoint, request.first_index) + export_line(first)
    name = f"log-from-{request.first_index}.jsonl"
    return StreamingResponse(
        _lines(head, messages),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _lines(head: str, messages: AsyncIterator[pb.ExportLogResponse]) -> AsyncIterator[str]:
    """The file in pieces of some entries. An error ends the connection, and the browser sees that."""
    lines = [head]
    async for message in messages:
        lines.append(export_line(message))
        if len(lines) >= _LINES:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


async def _account(person: Person) -> str:
    who = person.field("who")
    if not who or people.is_id(who):
        return who
    found = await people.matching(person, who)
    if len(found) != 1:
        said = (
            f"{len(found)} people are meant by that; write the badge number." if found else "Nobody is meant."
        )
        violation = FieldViolation("account_id", said)
        raise InvalidFieldError("the person is not clear", violations=[violation])
    return str(found[0].account_id)


def _page(person: Person) -> dict[str, Any]:
    names = ("who", "of_case", "first_index", "counted")
    return {
        "title": "Take the log along",
        "section": "/auditor",
        "written": {name: person.field(name) if person.form else "" for name in names},
    }
