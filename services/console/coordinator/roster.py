"""The personnel office's roster: who has left, and is out within a day (CJIS AC-2, PS-4)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import roster_service_pb2 as pb
from alpr.audit.v1 import roster_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console.coordinator import places
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/roster"
COLUMN: Final = "badge_number"
_MOST_BYTES: Final = 8 * 1024 * 1024
_DONE: Final = {
    "compare": "The roster is compared. Who is not on it stands below; nothing is ended yet.",
    "end": "The accounts are ended.",
}


def routes(door: Door) -> Sequence[Route]:
    """The leavers, the comparison, and their end."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/compare", door.page(act(_compare, _show)), methods=["POST"]),
        Route(f"{PLACE}/end", door.page(act(_end, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    answer = await person.call(rpc.RosterServiceStub, "ListLeavers", pb.ListLeaversRequest())
    return await places.show(
        request,
        person,
        "roster.html",
        PLACE,
        forms,
        title="Who has left",
        leavers=answer.leavers,
        now=in_days(0),
        sentences=_DONE,
    )


async def _compare(_request: Request, person: Person) -> str:
    file = person.form.get("roster")
    content = await file.read(_MOST_BYTES + 1) if isinstance(file, UploadFile) else b""
    request = pb.SubmitRosterRequest(
        request_id=person.field("request_id"),
        badge_numbers=_badge_numbers(content),
        sha256=hashlib.sha256(content).digest(),
        as_of_time=moment(person, "as_of_time"),
    )
    await person.call(rpc.RosterServiceStub, "SubmitRoster", request)
    return f"{PLACE}?done=compare"


async def _end(_request: Request, person: Person) -> str:
    request = pb.EndLeaversRequest(request_id=person.field("request_id"), leavers=person.number("leavers"))
    await person.call(rpc.RosterServiceStub, "EndLeavers", request)
    return f"{PLACE}?done=end"


def _badge_numbers(content: bytes) -> list[str]:
    """The badge numbers of the file, in its order; nothing else of it goes on. Raises InvalidFieldError."""
    if len(content) > _MOST_BYTES:
        raise _unreadable("is too long")
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        if COLUMN not in (rows.fieldnames or ()):
            raise _unreadable(f"needs a first line with the column {COLUMN}")
        found = [(rows.line_num, (row[COLUMN] or "").strip()) for row in rows]
    except (UnicodeDecodeError, csv.Error):
        raise _unreadable("is no CSV file in UTF-8") from None
    for line, badge in found:
        if not badge:
            raise _unreadable(f"has no {COLUMN} in line {line}")
    return [badge for _, badge in found]


def _unreadable(text: str) -> AlprError:
    return InvalidFieldError("The roster cannot be read.", violations=[FieldViolation("roster", text)])
