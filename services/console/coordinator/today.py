"""What is due today: what ended or will end soon, what waits for a decision, what needs a hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import review_service_pb2 as review_pb
from alpr.audit.v1 import review_service_pb2_grpc as review_rpc
from alpr.audit.v1 import roster_service_pb2 as roster_pb
from alpr.audit.v1 import roster_service_pb2_grpc as roster_rpc
from services.common.errors import AlprError
from services.console import words
from services.console.coordinator import (
    agreements,
    escorts,
    incidents,
    lists,
    packets,
    people,
    places,
    roster,
    sensors,
)
from services.console.coordinator.forms import Forms, plain
from services.console.door import Door, Person

PLACE: Final = "/coordinator"
_REVIEWS: Final = "/auditor/reviews"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is due: what it is of, where it is seen to, and until when."""

    name: str
    place: str
    what: str = ""
    time: Timestamp | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Things of one kind that are due, and the page where all of them stand."""

    name: str
    place: str
    lines: Sequence[Line]


Look = Callable[[Person, account_pb.Account], Awaitable[Sequence[Due]]]


def routes(door: Door) -> Sequence[Route]:
    """The page."""
    return (Route(PLACE, door.page(plain(_show)), methods=["GET"]),)


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    own = await person.account()
    held = frozenset(own.roles)
    # Who would be refused is not asked for: each refusal is an entry of the log.
    looks = [look for look, for_roles in _LOOKS if held & for_roles]
    found = await asyncio.gather(*(_looked(look, person, own) for look in looks))
    due = [one for these, _ in found for one in these if one.lines]
    return await places.show(
        request,
        person,
        "today.html",
        PLACE,
        forms,
        title="Due today",
        due=due,
        failed=[failed for _, failed in found if failed],
    )


async def _looked(look: Look, person: Person, own: account_pb.Account) -> tuple[Sequence[Due], str]:
    """What is due, and why that is not known: one service that is away does not hide the others."""
    try:
        return await look(person, own), ""
    except AlprError as error:
        return (), error.message


async def _people(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    everybody = await lists.accounts(person)
    used = [one for one in everybody if people.is_used(one)]
    ending = [(end, one) for one in used for end in people.ends(one) if end.soon]
    ending.sort(key=lambda pair: pair[0].time.seconds)
    waiting = [one for one in everybody if one.state == account_pb.ACCOUNT_STATE_PENDING]
    return (
        Due(
            "Ended, or ends within 30 days",
            people.PLACE,
            [Line(one.full_name, _page(one), end.name, end.time, end.over) for end, one in ending],
        ),
        Due("Accounts that wait to be enabled", people.PLACE, _named(waiting)),
        Due("Yearly reviews of accounts", people.PLACE, _named(one for one in used if one.review_due)),
    )


def _page(account: account_pb.Account) -> str:
    return f"{people.PLACE}/{account.account_id}"


def _named(accounts: Iterable[account_pb.Account]) -> list[Line]:
    return [Line(one.full_name, _page(one), one.unit) for one in accounts]


async def _units(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    vacant = [one for one in await lists.units(person) if not one.served]
    lines = [Line(one.code, "/coordinator/units", one.name, over=True) for one in vacant]
    return (Due("Units without a coordinator", "/coordinator/units", lines),)


async def _packet(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    lines = []
    for week in packets.weeks()[:2]:
        found = await packets.packet(person, "", week)
        if not found.HasField("sign_time"):
            place = f"{packets.PLACE}?week={week}"
            lines.append(Line(f"Unit {found.unit}, week of {week}", place, over=found.overdue))
    return (Due("Weekly packets to sign", packets.PLACE, lines),)


async def _reviews(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    request = review_pb.ListReviewsRequest(page_size=200, open_only=True)
    found = await lists.every(person, review_rpc.ReviewServiceStub, "ListReviews", request, "reviews")
    lines = [
        Line(one.full_name, _REVIEWS, _because(one), one.open_time, one.overdue)
        for one in sorted(found, key=lambda one: (not one.overdue, one.open_time.seconds))
    ]
    return (Due("Reviews of possible misuse", _REVIEWS, lines),)


def _because(review: review_pb.Review) -> str:
    flags = sorted({words.word(one, "rule") for one in review.flags})
    return ", ".join(flags) if flags else "opened by a person"


async def _leavers(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    answer = await person.call(roster_rpc.RosterServiceStub, "ListLeavers", roster_pb.ListLeaversRequest())
    lines = [
        Line(one.full_name, f"{people.PLACE}/{one.account_id}", one.unit, one.since_time, over=True)
        for one in answer.leavers
    ]
    return (Due("Left the agency, and may still sign in", roster.PLACE, lines),)


async def _agreements(person: Person, own: account_pb.Account) -> Sequence[Due]:
    found = await lists.agreements(person)
    soon = datetime.now(UTC) + people.SOON
    accepted = agency_pb.AGREEMENT_STATE_ACCEPTED
    waiting = [one for one in found if agreements.waits_for(one, own.agency_ori)]
    ending = [one for one in found if one.state == accepted and words.moment(one.end_time) <= soon]
    return (
        Due("Agreements that wait for you", agreements.PLACE, [_parties(one, "") for one in waiting]),
        Due(
            "Agreements that end within 30 days", agreements.PLACE, [_parties(one, "ends") for one in ending]
        ),
    )


def _parties(one: agency_pb.Agreement, what: str) -> Line:
    time: Any = one.end_time if what else None
    return Line(f"{one.provider_ori} to {one.recipient_ori}", agreements.PLACE, what, time)


async def _sensors(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    waiting = [one for one in await lists.sensors(person) if sensors.waits(one)]
    notices = await sensors.open_notices(person)
    return (
        Due(
            "Deployments that wait for approval",
            sensors.PLACE,
            [
                Line(one.sensor_id, f"{sensors.PLACE}/{one.sensor_id}", one.place.description)
                for one in waiting
            ],
        ),
        Due(
            "Sensors that need a hand",
            sensors.PLACE,
            [
                Line(
                    one.sensor_id,
                    f"{sensors.PLACE}/{one.sensor_id}",
                    words.word(one, "kind"),
                    one.open_time,
                    True,
                )
                for one in notices
            ],
        ),
    )


async def _escorts(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    now = [one for one in await escorts.newest(person) if not one.HasField("ended_time")]
    lines = [Line(one.reason, f"{escorts.PLACE}/{one.escort_id}", "until", one.end_time, True) for one in now]
    return (Due("The vendor is in session", escorts.PLACE, lines),)


async def _incidents(person: Person, _own: account_pb.Account) -> Sequence[Due]:
    opened = [one for one in await incidents.newest(person) if not one.HasField("close_time")]
    lines = [_incident(one) for one in opened]
    return (Due("Incidents that are open", incidents.PLACE, lines),)


def _incident(one: incident_pb.Incident) -> Line:
    told = bool(one.notified_after_seconds)
    what = "told, and not closed" if told else "the CJIS agency coordinator is to be told until"
    time = None if told else one.due_time
    return Line(words.word(one, "kind"), incidents.PLACE, what, time, not told)


_ALL: Final = places.COORDINATORS | {roles.ROLE_SYSTEM_ADMINISTRATOR}
_LOOKS: Final[Sequence[tuple[Look, frozenset[int]]]] = (
    (_incidents, _ALL),
    (_escorts, _ALL),
    (_people, places.COORDINATORS),
    (_leavers, places.STATEWIDE),
    (_units, places.COORDINATORS),
    (_sensors, _ALL),
    (_packet, places.COORDINATORS),
    (_reviews, places.COORDINATORS),
    (_agreements, places.STATEWIDE),
)
