"""What agencies let each other have (ENF-051 III.B.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import governance_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2_grpc as rpc
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/agreements"
_NAMES: Final[Mapping[int, str]] = {
    pb.DATA_CLASS_HOT_LIST_HITS: "Hits on hot lists",
    pb.DATA_CLASS_MOTOR_CARRIER_HITS: "Hits of Motor Carrier Safety",
    pb.DATA_CLASS_READS: "Reads",
}
GIVEN: Final = [(value, _NAMES.get(value, text)) for value, text in words.choices(pb.DataClass)]
_DONE: Final = {
    "propose": "The agreement is before the other party. Nothing is shared before that one accepts.",
    "accept": "The agreement is accepted. It counts within its period.",
    "end": "The agreement is ended.",
    "register": "The agency is registered.",
}


def routes(door: Door) -> Sequence[Route]:
    """The list and the acts on it."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/propose", door.page(act(_propose, _show)), methods=["POST"]),
        Route(f"{PLACE}/accept", door.page(act(_accept, _show)), methods=["POST"]),
        Route(f"{PLACE}/end", door.page(act(_end, _show)), methods=["POST"]),
        Route(f"{PLACE}/register", door.page(act(_register, _show)), methods=["POST"]),
    )


def waits_for(agreement: pb.Agreement, ori: str) -> bool:
    """It is the agency `ori` that has to accept it, or to turn it down."""
    return agreement.state == pb.AGREEMENT_STATE_PROPOSED and agreement.proposed_by_ori != ori


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    own = await person.account()
    found = await lists.agreements(person)
    agencies = await lists.agencies(person)
    over = pb.AGREEMENT_STATE_ENDED
    found.sort(key=lambda one: (not waits_for(one, own.agency_ori), one.state == over, one.end_time.seconds))
    return await places.show(
        request,
        person,
        "agreements.html",
        PLACE,
        forms,
        title="Agreements",
        agreements=[(one, waits_for(one, own.agency_ori), one.state == over) for one in found],
        agencies=[(one.ori, f"{one.name} ({one.ori})") for one in agencies],
        names={one.ori: one.name for one in agencies},
        given=GIVEN,
        own_account=own,
        decides=bool(places.STATEWIDE & frozenset(own.roles)),
        now=in_days(0),
        in_year=in_days(365),
        sentences=_DONE,
    )


async def _propose(_request: Request, person: Person) -> str:
    agreement = pb.Agreement(
        provider_ori=person.field("provider_ori"),
        recipient_ori=person.field("recipient_ori"),
        data_classes=[value for value, _ in GIVEN if str(value) in person.fields("data_classes")],  # type: ignore[misc]
        document_sha256=await digest(person, "document"),
        start_time=moment(person, "start_time"),
        end_time=moment(person, "end_time"),
    )
    request = pb.ProposeAgreementRequest(request_id=person.field("request_id"), agreement=agreement)
    await person.call(rpc.GovernanceServiceStub, "ProposeAgreement", request)
    return f"{PLACE}?done=propose"


async def _accept(_request: Request, person: Person) -> str:
    request = pb.AcceptAgreementRequest(
        request_id=person.field("request_id"), agreement_id=person.field("agreement_id")
    )
    await person.call(rpc.GovernanceServiceStub, "AcceptAgreement", request)
    return f"{PLACE}?done=accept"


async def _end(_request: Request, person: Person) -> str:
    request = pb.EndAgreementRequest(
        request_id=person.field("request_id"),
        agreement_id=person.field("agreement_id"),
        reason=person.field("reason"),
    )
    await person.call(rpc.GovernanceServiceStub, "EndAgreement", request)
    return f"{PLACE}?done=end"


async def _register(_request: Request, person: Person) -> str:
    agency = pb.Agency(
        ori=person.field("ori"),
        name=person.field("name"),
        email_domains=person.field("email_domains").replace(",", " ").split(),
    )
    request = pb.RegisterAgencyRequest(request_id=person.field("request_id"), agency=agency)
    await person.call(rpc.GovernanceServiceStub, "RegisterAgency", request)
    return f"{PLACE}?done=register"
