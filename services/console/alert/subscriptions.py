"""What a person chooses to hear of (ENF-051 IV.D.1). The floor of IV.D.2 comes anyway: the service widens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as rpc
from alpr.matcher.v1 import hot_list_service_pb2 as list_pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as list_rpc
from alpr.type.v1 import hit_pb2, sensor_pb2
from services.common.errors import AlprError, FieldViolation, NotFoundError
from services.common.wire import raise_violations
from services.console import words
from services.console.alert import wishes
from services.console.board.page import is_carrier
from services.console.door import Person
from services.console.pages import said, status_of

_STUB: Final = rpc.SubscriptionServiceStub
_PATH: Final = "/alerts/subscriptions"
_NUMBER: Final = re.compile(r"\[\d+\]")
_MOST_LISTS: Final = 200
_NOTHING: Final = {"sentence": "", "fields": (), "clauses": ""}


@dataclass(frozen=True, slots=True)
class Chooser:
    """A person, and of which data set the choice is (II.H)."""

    person: Person
    partition: sensor_pb2.Partition.ValueType

    @classmethod
    async def of(cls, request: Request, person: Person) -> Chooser:
        """The data set that form or address name, or the one that the person has to do with."""
        asked = person.field("set") if person.form else request.query_params.get("set", "")
        carrier = is_carrier(await person.account(), asked)
        return cls(person, sensor_pb2.PARTITION_MOTOR_CARRIER if carrier else sensor_pb2.PARTITION_GENERAL)

    @property
    def carrier(self) -> bool:
        """Whether it is that of Motor Carrier Safety."""
        return self.partition == sensor_pb2.PARTITION_MOTOR_CARRIER

    @property
    def back(self) -> Response:
        """To what is chosen now; loading the page anew sends nothing again."""
        return RedirectResponse(f"{_PATH}?set={'motor-carrier' if self.carrier else 'general'}", 303)

    def wish(self) -> Mapping[str, Any]:
        """What the form says. Raises InvalidFieldError where it cannot be read."""
        wrong: list[FieldViolation] = []
        chosen = wishes.wanted(self.person, wrong)
        raise_violations(wrong)
        named = {"request_id": self.person.field("request_id"), "name": self.person.field("name")}
        return {**named, "filter": chosen, "partition": self.partition}

    async def choices(self) -> pb.ListSubscriptionsResponse:
        """What the person has chosen. Raises AlprError."""
        asked = pb.ListSubscriptionsRequest(partition=self.partition)
        answer: pb.ListSubscriptionsResponse = await self.person.call(_STUB, "ListSubscriptions", asked)
        return answer

    async def lists(self) -> list[tuple[str, str]]:
        """Id and name of the hot lists that the person may see the names of; none for who may not."""
        asked = list_pb.ListHotListsRequest(page_size=_MOST_LISTS)
        try:
            answer = await self.person.call(list_rpc.HotListServiceStub, "ListHotLists", asked)
        except AlprError:
            return []
        return [(one.hot_list_id, one.name) for one in answer.hot_lists]


async def show(request: Request, person: Person) -> Response:
    """What the person has chosen, and the form for one choice more."""
    return await _shown(await Chooser.of(request, person))


async def show_one(request: Request, person: Person) -> Response:
    """One choice, to be changed. Raises NotFoundError."""
    return await _shown_one(await Chooser.of(request, person), _id(request))


async def create(request: Request, person: Person) -> Response:
    """One choice more."""
    chooser = await Chooser.of(request, person)
    try:
        await person.call(_STUB, "CreateSubscription", pb.CreateSubscriptionRequest(**chooser.wish()))
    except AlprError as error:
        return await _shown(chooser, error)
    return chooser.back


async def change(request: Request, person: Person) -> Response:
    """Another choice in its place; boards that are open follow at once."""
    chooser = await Chooser.of(request, person)
    try:
        anew = pb.UpdateSubscriptionRequest(subscription_id=_id(request), **chooser.wish())
        await person.call(_STUB, "UpdateSubscription", anew)
    except AlprError as error:
        return await _shown_one(chooser, _id(request), error)
    return chooser.back


async def end(request: Request, person: Person) -> Response:
    """A choice ends. Who ends the last one hears of everything again."""
    chooser = await Chooser.of(request, person)
    over = pb.EndSubscriptionRequest(
        request_id=person.field("request_id"), subscription_id=_id(request), partition=chooser.partition
    )
    await person.call(_STUB, "EndSubscription", over)
    return chooser.back


async def _shown(chooser: Chooser, error: AlprError | None = None) -> Response:
    lists, listed = await chooser.lists(), await chooser.choices()
    chosen = [
        {
            "one": one,
            "words": wishes.in_words(one.filter, dict(lists)),
            "narrowed": wishes.narrowed(one.widened),
        }
        for one in listed.subscriptions
    ]
    form = wishes.sent(chooser.person) if error else wishes.empty()
    more = {"chosen": chosen, "floor": words.words(listed, "floor"), "path": _PATH}
    return await _page(chooser, "alert/subscriptions.html", error, form=form, **_lists(lists, form), **more)


async def _shown_one(chooser: Chooser, wanted: str, error: AlprError | None = None) -> Response:
    found = [one for one in (await chooser.choices()).subscriptions if one.subscription_id == wanted]
    if not found:
        raise NotFoundError("you have no such choice", resource=wanted)
    form = wishes.sent(chooser.person) if error else wishes.written(found[0].name, found[0].filter)
    more = {"form": form, "path": f"{_PATH}/{wanted}", **_lists(await chooser.lists(), form)}
    return await _page(chooser, "alert/subscription.html", error, **more)


async def _page(chooser: Chooser, template: str, error: AlprError | None, **more: Any) -> Response:
    return await chooser.person.show(
        template,
        status_of(error) if error else 200,
        title="What you hear of",
        section="/board",
        carrier=chooser.carrier,
        categories=words.choices(hit_pb2.HotListCategory),
        severities=words.choices(alert_pb.Severity),
        **(_refusal(error) if error else _NOTHING),
        **more,
    )


def _lists(known: list[tuple[str, str]], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lists to choose from: those with a name, and those that are chosen."""
    return {"lists": [*known, *((one, one) for one in form["hot_list_ids"] if one not in dict(known))]}


def _refusal(error: AlprError) -> Mapping[str, Any]:
    """The refusal, with fields by the names that the form has: it has one for all of a kind."""
    fields = [FieldViolation(_NUMBER.sub("", one.field), one.description) for one in error.violations]
    return {**said(error), "fields": fields}


def _id(request: Request) -> str:
    return str(request.path_params["subscription_id"])
