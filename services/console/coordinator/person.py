"""One person: training, roles, what the account may do, and how it ends (ENF-051 III.B.3, III.C.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import grpc
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2_grpc as rpc
from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1 import review_service_pb2 as review_pb
from alpr.audit.v1 import review_service_pb2_grpc as review_rpc
from alpr.audit.v1 import sign_in_service_pb2 as sign_in_pb
from alpr.audit.v1 import sign_in_service_pb2_grpc as sign_in_rpc
from services.common.errors import AlprError
from services.console import words
from services.console.coordinator import lists, people, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

_DONE: Final = {
    "create": "The account is made. It may be used once it is enabled.",
    "certify": "It is on record.",
    "grant": "The role is granted.",
    "revoke": "The role is taken away.",
    "enable": "The account is enabled.",
    "suspend": "The account is suspended.",
    "end": "When the account ends is on record.",
    "review": "The review of what the account may do is on record.",
    "update": "The account is corrected.",
    "vet": "The decision is on record.",
    "unvet": "The access is taken back.",
    "except": "The approval is on record.",
    "sign-ins": "The sign-ins are ended.",
    "misuse": "The review is open.",
}

Fields = Callable[[Person], Awaitable[Mapping[str, Any]]]


def routes(door: Door) -> Sequence[Route]:
    """The page, and each act on it."""
    place = f"{people.PLACE}/{{account_id:uuid}}"
    changes = [
        Route(f"{place}/{key}", door.page(act(_change(key, name, fields), _show)), methods=["POST"])
        for key, name, fields in _CHANGES
    ]
    return (
        Route(place, door.page(plain(_show)), methods=["GET"]),
        *changes,
        Route(f"{place}/sign-ins", door.page(act(_end_sign_ins, _show)), methods=["POST"]),
        Route(f"{place}/misuse", door.page(act(_open_review, _show)), methods=["POST"]),
    )


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    account_id = str(request.path_params["account_id"])
    answer = await person.call(
        rpc.AccountServiceStub, "GetAccount", pb.GetAccountRequest(account_id=account_id)
    )
    account: pb.Account = answer.account
    own = await person.account()
    return await places.show(
        request,
        person,
        "person.html",
        people.PLACE,
        forms,
        title="A person",
        account=account,
        decides=bool(places.STATEWIDE & frozenset(own.roles)),
        action=f"{people.PLACE}/{account_id}",
        held=people.held(account),
        ends=people.ends(account),
        used=people.is_used(account),
        kinds=people.KINDS,
        roles=words.choices(roles.Role),
        unit_choices=[(one.code, f"{one.code}, {one.name}") for one in await lists.units(person)],
        sign_ins=await _sign_ins(person, account_id),
        today=in_days(0),
        in_year=in_days(365),
        sentences=_DONE,
    )


async def _sign_ins(person: Person, account_id: str) -> Sequence[sign_in_pb.SignIn]:
    request = sign_in_pb.ListSignInsRequest(account_id=account_id)
    try:
        answer = await person.call(sign_in_rpc.SignInServiceStub, "ListSignIns", request)
    except AlprError as error:
        if error.code is not grpc.StatusCode.PERMISSION_DENIED:
            raise
        return ()
    found: Sequence[sign_in_pb.SignIn] = answer.sign_ins
    return found


def _change(key: str, name: str, fields: Fields) -> Callable[[Request, Person], Awaitable[str]]:
    """The act of AccountService's RPC `name`, with `fields` of the form."""

    async def work(request: Request, person: Person) -> str:
        account_id = str(request.path_params["account_id"])
        made = getattr(pb, f"{name}Request")(
            request_id=person.field("request_id"), account_id=account_id, **await fields(person)
        )
        await person.call(rpc.AccountServiceStub, name, made)
        return f"{people.PLACE}/{account_id}?done={key}"

    return work


async def _end_sign_ins(request: Request, person: Person) -> str:
    account_id = str(request.path_params["account_id"])
    ended = sign_in_pb.EndSignInsRequest(
        request_id=person.field("request_id"), account_id=account_id, reason=person.field("reason")
    )
    await person.call(sign_in_rpc.SignInServiceStub, "EndSignIns", ended)
    return f"{people.PLACE}/{account_id}?done=sign-ins"


async def _open_review(request: Request, person: Person) -> str:
    account_id = str(request.path_params["account_id"])
    opened = review_pb.OpenReviewRequest(
        request_id=person.field("request_id"), account_id=account_id, reason=person.field("reason")
    )
    await person.call(review_rpc.ReviewServiceStub, "OpenReview", opened)
    return f"{people.PLACE}/{account_id}?done=misuse"


async def _nothing(_person: Person) -> Mapping[str, Any]:
    return {}


async def _reason(person: Person) -> Mapping[str, Any]:
    return {"reason": person.field("reason")}


async def _role(person: Person) -> Mapping[str, Any]:
    return {"role": person.number("role")}


async def _finding(person: Person) -> Mapping[str, Any]:
    return {"finding": person.field("finding")}


async def _end(person: Person) -> Mapping[str, Any]:
    return {"end_time": moment(person, "end_time"), "reason": person.field("reason")}


async def _certification(person: Person) -> Mapping[str, Any]:
    certification = pb.Certification(
        kind=person.number("kind"),
        valid_from=moment(person, "valid_from"),
        valid_until=moment(person, "valid_until"),
        reference=person.field("reference"),
    )
    return {"certification": certification}


async def _decision(person: Person) -> Mapping[str, Any]:
    decision = pb.VettingDecision(
        document_sha256=await digest(person, "document"),
        reference=person.field("reference"),
        valid_until=moment(person, "valid_until"),
    )
    return {"decision": decision}


async def _exception(person: Person) -> Mapping[str, Any]:
    return {"email_exception": await people.exception(person) or pb.EmailException()}


async def _profile(person: Person) -> Mapping[str, Any]:
    names = ("full_name", "badge_number", "email", "unit", "reason")
    # What is as it was is not sent: it changes nothing.
    new = {name: person.field(name) for name in names if person.field(name) != person.field(f"was_{name}")}
    return {**new, "email_exception": await people.exception(person)}


_CHANGES: Final[Sequence[tuple[str, str, Fields]]] = (
    ("certify", "RecordCertification", _certification),
    ("grant", "GrantRole", _role),
    ("revoke", "RevokeRole", _role),
    ("enable", "EnableAccount", _nothing),
    ("suspend", "SuspendAccount", _reason),
    ("end", "EndAccount", _end),
    ("review", "ReviewAccount", _finding),
    ("update", "UpdateProfile", _profile),
    ("vet", "GrantNonAgencyAccess", _decision),
    ("unvet", "RevokeNonAgencyAccess", _reason),
    ("except", "ExtendEmailException", _exception),
)
