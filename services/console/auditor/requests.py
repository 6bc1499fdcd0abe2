"""Requests of government entities that enforce no law, and what was decided on them (ENF-051 IV.B.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import government_request_service_pb2 as pb
from alpr.audit.v1 import government_request_service_pb2_grpc as rpc
from services.console import words
from services.console.auditor import people
from services.console.coordinator import places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/auditor/requests"
_ROWS: Final = 30
_GRANTED_DAYS: Final = 30  # what the form proposes, as the command line does
_DONE: Final = {
    "record": "The request is on record and waits for the statewide coordinator's decision.",
    "decide": "The decision is on record.",
}


def routes(door: Door) -> Sequence[Route]:
    """The list and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/record", door.page(act(_record, _show)), methods=["POST"]),
        Route(f"{PLACE}/decide", door.page(act(_decide, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    """Requests to the person's agency, newest first; forms for whom the services let act."""
    wanted = pb.ListGovernmentRequestsRequest(
        page_size=_ROWS, page_token=request.query_params.get("page", "") or person.field("page")
    )
    listed = await person.call(rpc.GovernmentRequestServiceStub, "ListGovernmentRequests", wanted)
    roles = frozenset((await person.account()).roles)
    return await person.show(
        "auditor/requests.html",
        forms.status,
        title="Requests of government entities",
        section="/auditor",
        forms=forms,
        done=request.query_params.get("done", ""),
        sentences=_DONE,
        requests=listed.government_requests,
        next_page=listed.next_page_token,
        page=wanted.page_token,
        names=await people.names_of(person, (one.decider_account_id for one in listed.government_requests)),
        decisions=words.choices(pb.GovernmentRequestDecision),
        records=bool(places.COORDINATORS & roles),
        decides=bool(places.STATEWIDE & roles),
        now=in_days(0),
        until=in_days(_GRANTED_DAYS),
    )


async def _record(_request: Request, person: Person) -> str:
    asked = pb.GovernmentRequest(
        entity=person.field("entity"),
        entity_type=person.field("entity_type"),
        person=person.field("person"),
        purpose=person.field("purpose"),
        document_sha256=await digest(person, "document"),
        receive_time=moment(person, "receive_time"),
    )
    request = pb.RecordGovernmentRequestRequest(
        request_id=person.field("request_id"), government_request=asked
    )
    await person.call(rpc.GovernmentRequestServiceStub, "RecordGovernmentRequest", request)
    return f"{PLACE}?done=record"


async def _decide(_request: Request, person: Person) -> str:
    decision = words.one_of(pb.GovernmentRequestDecision, person.field("decision"))
    granted = decision == pb.GOVERNMENT_REQUEST_DECISION_GRANTED
    request = pb.DecideGovernmentRequestRequest(
        request_id=person.field("request_id"),
        government_request_id=person.field("government_request_id"),
        decision=decision,
        reason=person.field("reason"),
        # The form has the moment for both; a refusal has no end.
        valid_until=moment(person, "valid_until") if granted else None,
    )
    await person.call(rpc.GovernmentRequestServiceStub, "DecideGovernmentRequest", request)
    return f"{PLACE}?done=decide"
