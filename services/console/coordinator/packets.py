"""Weekly packets: what a unit's people did, looked at and signed (ENF-051 III.C.2.d, CJIS AU-6)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import packet_service_pb2 as pb
from alpr.audit.v1 import packet_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console import words
from services.console.answers import attachment
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, plain
from services.console.door import Door, Person

PLACE: Final = "/coordinator/packets"
_WEEKS: Final = 8
_COLUMNS: Final = ("unit", "week", "person", "questions", "cases", "refused", "acts", "files", "flags")
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_DONE: Final = {"sign": "The packet is signed."}


def routes(door: Door) -> Sequence[Route]:
    """The packet, another one, the signature, and the packet as a table."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(PLACE, door.page(plain(_show)), methods=["POST"]),
        Route(f"{PLACE}/sign", door.page(act(_sign, _show)), methods=["POST"]),
        Route(f"{PLACE}/table", door.page(_table), methods=["POST"]),
    )


async def packet(person: Person, unit: str, week: str) -> pb.WeeklyPacket:
    """The packet of a unit and week; of the own unit where none is named. Raises AlprError."""
    request = pb.GetWeeklyPacketRequest(unit=unit, week=week)
    answer = await person.call(rpc.PacketServiceStub, "GetWeeklyPacket", request)
    found: pb.WeeklyPacket = answer.packet
    return found


def weeks() -> list[str]:
    """The Mondays of the weeks that are over, newest first."""
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    return [(monday - timedelta(weeks=back)).isoformat() for back in range(1, _WEEKS + 1)]


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    week = person.field("week") or request.query_params.get("week", "") or weeks()[0]
    unit = person.field("unit")
    try:
        shown = await packet(person, unit, week)
    except AlprError as error:
        shown, forms = None, Forms.refused(person, error)
    everybody = {one.account_id: one.full_name for one in await lists.accounts(person)}
    return await places.show(
        request,
        person,
        "packets.html",
        PLACE,
        forms,
        title="Weekly packet",
        packet=shown,
        until=date.fromisoformat(shown.week) + timedelta(days=6) if shown else None,
        signer=everybody.get(shown.signer_account_id, shown.signer_account_id) if shown else "",
        asked=(shown.unit, shown.week) if shown else (unit, week),
        units=[(one.code, f"{one.code}, {one.name}") for one in await lists.units(person)],
        weeks=[(one, f"week of {one}") for one in weeks()],
        sentences=_DONE,
    )


async def _sign(_request: Request, person: Person) -> str:
    try:
        sha256 = bytes.fromhex(person.field("sha256"))
    except ValueError:
        wrong = FieldViolation("sha256", "is no SHA-256")
        raise InvalidFieldError("a field cannot be read", violations=[wrong]) from None
    signed = pb.SignWeeklyPacketRequest(
        request_id=person.field("request_id"),
        unit=person.field("unit"),
        week=person.field("week"),
        sha256=sha256,
    )
    await person.call(rpc.PacketServiceStub, "SignWeeklyPacket", signed)
    return f"{PLACE}?done=sign"


async def _table(_request: Request, person: Person) -> Response:
    """The packet as CSV."""
    found = await packet(person, person.field("unit"), person.field("week"))
    return attachment(table(found).encode(), f"packet-{found.week}.csv", "text/csv; charset=utf-8")


def table(found: pb.WeeklyPacket) -> str:
    """The packet as CSV (RFC 4180), a line for each person; no cell is a formula to a spreadsheet."""
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow(_COLUMNS)
    lines.writerows(_rows(found))
    return written.getvalue()


def _rows(found: pb.WeeklyPacket) -> Iterator[Sequence[str]]:
    for one in found.lines:
        numbers = (one.questions, one.cases, one.refused, one.acts, one.files)
        flags = ", ".join(words.words(one, "flags"))
        yield tuple(map(_safe, (found.unit, found.week, one.full_name, *map(str, numbers), flags)))


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
