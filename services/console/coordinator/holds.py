"""Legal holds: reads that outlive the retention period, for a case (ENF-051 IV.E.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import retention_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation
from services.common.wire import raise_violations
from services.console import justification, question
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days

PLACE: Final = "/coordinator/holds"


def routes(door: Door) -> Sequence[Route]:
    """The list, and the acts on it; the answer to each has its receipts."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/place", door.page(_place), methods=["POST"]),
        Route(f"{PLACE}/release", door.page(_release), methods=["POST"]),
    )


async def _show(
    request: Request,
    person: Person,
    forms: Forms,
    placed: pb.PlaceHoldResponse | None = None,
    released: pb.ReleaseHoldResponse | None = None,
) -> Response:
    asked = pb.ListHoldsRequest(page_size=500)
    found = await lists.every(person, rpc.RetentionServiceStub, "ListHolds", asked, "holds")
    why = await justification.asked_for(person)
    return await places.show(
        request,
        person,
        "holds.html",
        PLACE,
        forms,
        title="Holds",
        placed=placed,
        released=released,
        # What is in force comes first, the newest first.
        holds=sorted(found, key=lambda one: (one.HasField("release_time"), -one.place_time.seconds)),
        names={one.account_id: one.full_name for one in await lists.accounts(person)},
        kinds=why["kinds"],
        codes=why["codes"],
        decides=bool(places.STATEWIDE & frozenset((await person.account()).roles)),
        now=in_days(0),
    )


async def _place(request: Request, person: Person) -> Response:
    """The page, with what the hold covers. Whoever sends the same form again places no second one."""
    try:
        wanted = pb.PlaceHoldRequest(
            request_id=person.field("request_id"),
            justification=justification.given(person),
            plates=person.field("plates").replace(",", " ").split(),
            sensor_ids=person.field("sensor_ids").replace(",", " ").split(),
            document_sha256=await digest(person, "document"),
            reason=person.field("reason"),
        )
        wrong: list[FieldViolation] = []
        question.set_window(wanted, person, wrong)
        raise_violations(wrong)
        placed = await _called(person, "PlaceHold", wanted)
    except AlprError as error:
        return await _show(request, person, Forms.refused(person, error))
    return await _show(request, person, Forms(), placed=placed)


async def _release(request: Request, person: Person) -> Response:
    """The page, with how many reads have ended."""
    wanted = pb.ReleaseHoldRequest(
        request_id=person.field("request_id"),
        hold_id=person.field("hold_id"),
        reason=person.field("reason"),
    )
    try:
        released = await _called(person, "ReleaseHold", wanted)
    except AlprError as error:
        return await _show(request, person, Forms.refused(person, error))
    return await _show(request, person, Forms(), released=released)


async def _called(person: Person, name: str, wanted: Any) -> Any:
    return await person.call(rpc.RetentionServiceStub, name, wanted)
