"""The page of patrol cars: for a crew what was sent to it, for a centre its cars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.alerts.v1 import asset_service_pb2 as pb
from alpr.alerts.v1 import asset_service_pb2_grpc as rpc
from alpr.alerts.v1 import dispatch_service_pb2 as dispatch_pb
from alpr.audit.v1 import authorization_service_pb2 as roles
from services.common.errors import AlprError
from services.console.alert import view
from services.console.door import Person
from services.console.pages import said, status_of
from services.console.patrol.messages import waiting

_CREWS: Final = frozenset({roles.ROLE_USER, roles.ROLE_SENSOR_OPERATOR})
_STAND_DOWN: Final = frozenset(
    {
        dispatch_pb.DELIVERY_KIND_NOT_CONFIRMED,
        dispatch_pb.DELIVERY_KIND_WITHDRAWN,
        dispatch_pb.DELIVERY_KIND_CANCELLED,
    }
)
_NOTHING: Final = {"sentence": "", "fields": (), "clauses": ""}


async def show(request: Request, person: Person) -> Response:
    """The page; with `part=1` only what was sent to the car."""
    return await shown(person, part=request.query_params.get("part") == "1")


async def shown(
    person: Person, *, form: str = "", error: AlprError | None = None, part: bool = False
) -> Response:
    """The page as it is now; with the form as it was when its act was refused.

    Raises:
        AlprError: The service does not answer.
    """
    held = frozenset((await person.account()).roles)
    crew, centre = bool(held & _CREWS), roles.ROLE_TELECOM_CENTER in held
    values: dict[str, Any] = {
        "title": "Patrol cars",
        "section": "/patrol",
        "part": part,
        "crew": crew,
        "centre": centre,
        "form": form,
        "sent": person.form if error else {},
        **(said(error) if error else _NOTHING),
        **(await _messages(person) if crew else {"messages": None, "no_messages": ""}),
    }
    values["cars"] = await _cars(person) if centre else []
    values["places"] = [_place(one) for one in values["cars"] if one.HasField("position")]
    return await person.show("patrol/patrol.html", status_of(error) if error else 200, **values)


async def _messages(person: Person) -> Mapping[str, Any]:
    """What was sent to the person's car, newest first; or why nothing can be shown."""
    try:
        found = await waiting(person)
    except AlprError as error:
        return {"messages": None, "no_messages": error.message}
    if found is None:
        return {"messages": None, "no_messages": "You are aboard of no patrol car."}
    messages = [
        {
            "message": one,
            "standing": view.standing(one.alert),
            "doubts": view.doubts(one.alert),
            "stand_down": one.kind in _STAND_DOWN,
        }
        for one in reversed(found)
    ]
    return {"messages": messages, "no_messages": ""}


async def _cars(person: Person) -> Sequence[pb.PatrolAsset]:
    answer = await person.call(rpc.AssetServiceStub, "ListAssets", pb.ListAssetsRequest())
    cars: Sequence[pb.PatrolAsset] = answer.assets
    return cars


def _place(car: pb.PatrolAsset) -> Mapping[str, Any]:
    at = car.position
    time = at.position_time.ToJsonString()
    return {
        "id": car.asset_id,
        "lat": at.latitude,
        "lon": at.longitude,
        "label": car.call_sign,
        "detail": car.unit,
        "time": time,
    }
