"""The board's page, and the act that is done on it: to say that somebody has seen an alert."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1.account_service_pb2 import Account
from alpr.type.v1.hit_pb2 import HotListCategory
from services.common.errors import AlprError
from services.console import words
from services.console.board.shown import shown
from services.console.door import Person
from services.console.pages import status_of

_CARRIERS: Final = frozenset({roles.ROLE_CVEO, roles.ROLE_CVEO_SUPERVISOR})
_FLOOR: Final = frozenset(
    {
        HotListCategory.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
        HotListCategory.HOT_LIST_CATEGORY_STOLEN_PLATE,
        HotListCategory.HOT_LIST_CATEGORY_FELONY,
        HotListCategory.HOT_LIST_CATEGORY_AMBER,
        HotListCategory.HOT_LIST_CATEGORY_SILVER,
    }
)
"""What the service sends whatever is chosen (ENF-051 IV.D.2): nothing is offered that it would not do."""


async def show(request: Request, person: Person) -> Response:
    """The board; `wall` in its address is for a display on a wall, `set` for the other data set (II.H)."""
    account = await person.account()
    carrier = is_carrier(account, request.query_params.get("set", ""))
    every = words.choices(HotListCategory)
    return await person.show(
        "board.html",
        title="Alerts",
        section="/board",
        wall="wall" in request.query_params,
        carrier=carrier,
        centre=roles.ROLE_TELECOM_CENTER in account.roles,
        has_both=bool(_CARRIERS & set(account.roles)) and not set(account.roles) <= _CARRIERS,
        floor=[name for number, name in every if number in _FLOOR],
        choices=[one for one in every if one[0] not in _FLOOR],
        every=[name for _, name in every],
    )


async def acknowledge(_request: Request, person: Person) -> Response:
    """Says that the person has seen the alert (IV.D.3): JSON, the alert as it is now or the refusal.

    The page sends it again, with the same request id, until it has an answer.
    """
    asked = pb.AcknowledgeAlertRequest(
        request_id=person.field("request_id"), alert_id=person.field("alert_id")
    )
    try:
        answer = await person.call(rpc.AlertServiceStub, "AcknowledgeAlert", asked)
    except AlprError as error:
        return JSONResponse({"sentence": error.message}, status_of(error))
    return JSONResponse({"alert": shown(answer.alert)})


def is_carrier(account: Account, asked: str) -> bool:
    """Whether the board is of Motor Carrier Safety: asked for, or all that the person has to do with."""
    if asked:
        return asked == "motor-carrier"
    return bool(account.roles) and set(account.roles) <= _CARRIERS
