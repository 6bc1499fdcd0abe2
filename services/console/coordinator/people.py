"""The people of the agency: what ends first comes first (ENF-051 III.C.2.b, III.D.1, IV.A.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2_grpc as rpc
from alpr.audit.v1 import authorization_service_pb2 as roles
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/people"
SOON: Final = timedelta(days=30)
_PAGE: Final = 50
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_NAMES: Final[Mapping[int, str]] = {
    pb.CERTIFICATION_KIND_ALPR_TRAINING: "ALPR training",
    pb.CERTIFICATION_KIND_LEADS: "LEADS certification",
    pb.CERTIFICATION_KIND_SECURITY_AWARENESS: "Security awareness",
    pb.CERTIFICATION_KIND_BACKGROUND_CHECK: "Background check",
    pb.CERTIFICATION_KIND_MOTOR_CARRIER_TRAINING: "Motor carrier training",
}
KINDS: Final = [(number, _NAMES.get(number, text)) for number, text in words.choices(pb.CertificationKind)]
"""Number and name of each training, certification and screening."""


@dataclass(frozen=True, slots=True)
class End:
    """Something of a person's that ends: its name, and when."""

    name: str
    time: Timestamp

    @property
    def over(self) -> bool:
        """It has ended."""
        return words.moment(self.time) <= datetime.now(UTC)

    @property
    def soon(self) -> bool:
        """It has ended, or will before long."""
        return words.moment(self.time) <= datetime.now(UTC) + SOON


def routes(door: Door) -> Sequence[Route]:
    """The list, the search in it, and the form of a new account."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(PLACE, door.page(plain(_show)), methods=["POST"]),
        Route(f"{PLACE}/new", door.page(plain(_new)), methods=["GET"]),
        Route(f"{PLACE}/new", door.page(act(_create, _new)), methods=["POST"]),
    )


def held(account: pb.Account) -> list[pb.Certification]:
    """Of each kind the one that lasts longest, what ends first first; older ones are history."""
    newest: dict[int, pb.Certification] = {}
    for one in account.certifications:
        if one.kind not in newest or one.valid_until.seconds > newest[one.kind].valid_until.seconds:
            newest[one.kind] = one
    return sorted(newest.values(), key=lambda one: one.valid_until.seconds)


def ends(account: pb.Account) -> list[End]:
    """What of a person's will end, first what ends first."""
    return sorted(_ends(account), key=lambda one: one.time.seconds)


def _ends(account: pb.Account) -> Iterator[End]:
    for one in held(account):
        yield End(_NAMES.get(one.kind, "Certification"), one.valid_until)
    if account.HasField("email_until"):
        yield End("Approval of the address", account.email_until)
    if account.HasField("non_agency_access"):
        yield End("Data of other agencies", account.non_agency_access.valid_until)
    if account.HasField("end_time"):
        yield End("The account", account.end_time)


def is_used(account: pb.Account) -> bool:
    """The account is enabled and has not ended."""
    over = account.HasField("end_time") and words.moment(account.end_time) <= datetime.now(UTC)
    return account.state == pb.ACCOUNT_STATE_ENABLED and not over


def _order(account: pb.Account) -> tuple[bool, datetime, str]:
    first = next(iter(ends(account)), None)
    return not is_used(account), words.moment(first.time) if first else _LAST, account.full_name.casefold()


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    found = sorted(filter(_Wanted(person).fits, await lists.accounts(person)), key=_order)
    last = max(1, -(-len(found) // _PAGE))
    page = min(last, int(person.field("page")) if person.field("page").isdecimal() else 1)
    rows = [(one, ends(one)[:1], is_used(one)) for one in found[(page - 1) * _PAGE : page * _PAGE]]
    return await places.show(
        request,
        person,
        "people.html",
        PLACE,
        forms,
        title="People",
        rows=rows,
        number=len(found),
        page=page,
        last=last,
        asked={name: person.field(name) for name in ("text", "state", "role", "only")},
        states=words.choices(pb.AccountState),
        roles=words.choices(roles.Role),
    )


class _Wanted:
    """Which people the form asks for; all where it was not sent."""

    def __init__(self, person: Person) -> None:
        self._text = person.field("text").casefold()
        self._state = person.field("state")
        self._role = person.field("role")
        self._only = person.field("only")

    def fits(self, one: pb.Account) -> bool:
        """Whether the person is asked for."""
        texts = (one.full_name, one.badge_number, one.email, one.unit)
        return (
            any(self._text in text.casefold() for text in texts)
            and self._state in ("", str(one.state))
            and (not self._role or int(self._role) in one.roles if self._role.isdecimal() else True)
            and (self._only != "ending" or (is_used(one) and any(end.soon for end in ends(one))))
            and (self._only != "review" or one.review_due)
        )


async def _new(request: Request, person: Person, forms: Forms) -> Response:
    own = await person.account()
    return await places.show(
        request,
        person,
        "person_new.html",
        PLACE,
        forms,
        title="A new account",
        own_account=own,
        unit_choices=[(one.code, f"{one.code}, {one.name}") for one in await lists.units(person)],
        in_year=in_days(365),
    )


async def _create(_request: Request, person: Person) -> str:
    names = ("subject", "issuer", "full_name", "badge_number", "email", "agency_ori", "unit")
    wanted = pb.Account()
    for name in names:
        setattr(wanted, name, person.field(name))
    if end := moment(person, "end_time"):
        wanted.end_time.CopyFrom(end)
    request = pb.CreateAccountRequest(
        request_id=person.field("request_id"), account=wanted, email_exception=await exception(person)
    )
    made = await person.call(rpc.AccountServiceStub, "CreateAccount", request)
    return f"{PLACE}/{made.account.account_id}?done=create"


async def exception(person: Person) -> pb.EmailException | None:
    """The written approval of an address that the form speaks of; None where it does not."""
    approver, document = person.field("approver"), await digest(person, "approval")
    if not approver and not document:
        return None
    return pb.EmailException(
        approver=approver,
        document_sha256=document,
        reason=person.field("approval_reason"),
        valid_until=moment(person, "approval_until"),
    )
