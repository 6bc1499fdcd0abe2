"""Which alerts were there? Those of a day at once, older ones after case number and purpose (IV.C.5)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.alerts.v1 import alert_search_service_pb2 as pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2, notice_pb2, sensor_pb2
from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import AlprError, FieldViolation
from services.common.wire import raise_violations
from services.console import justification, moments, question, words
from services.console.alert import view
from services.console.board.page import is_carrier
from services.console.door import Person
from services.console.pages import said, status_of

_SEVERAL: Final = ("categories", "verification_states")
_ONES: Final = ("set", "plate", "unseen")


async def ask(request: Request, person: Person) -> Response:
    """The form, or one page of the answer to it; each page is recorded before it leaves."""
    asked_set = person.field("set") if person.form else request.query_params.get("set", "")
    carrier = is_carrier(await person.account(), asked_set)
    values: dict[str, Any] = {
        "title": "Alerts that there were",
        "section": "/board",
        "carrier": carrier,
        "written": person.field,
        "chosen": {name: person.fields(name) if person.form else [] for name in _SEVERAL},
        "when": partial(moments.written, person),
        "categories": words.choices(hit_pb2.HotListCategory),
        "states": words.choices(notice_pb2.VerificationState),
        "opened": justification.given(person) != Justification(),
        **await justification.asked_for(person),
    }
    nothing: dict[str, Any] = {"answer": None, "rows": [], "carried": []}
    if not person.field("ask"):
        return await _shown(person, **values, **nothing)
    try:
        answer = await person.call(rpc.AlertSearchServiceStub, "ListAlerts", _asked(person, carrier=carrier))
    except AlprError as error:
        needs_why = any(one.field.startswith("justification") for one in error.violations)
        values["opened"] = values["opened"] or needs_why
        return await _shown(person, status_of(error), **{**values, **nothing, **said(error)})
    return await _shown(person, answer=answer, rows=_rows(answer), carried=_carried(person), **values)


def _asked(person: Person, *, carrier: bool) -> pb.ListAlertsRequest:
    """The request out of the form. Raises InvalidFieldError where it cannot be read."""
    wrong: list[FieldViolation] = []
    asked = pb.ListAlertsRequest(
        request_id=person.field("request_id"),
        partition=sensor_pb2.PARTITION_MOTOR_CARRIER if carrier else sensor_pb2.PARTITION_GENERAL,
        page_token=person.field("page_token"),
        categories=[words.one_of(hit_pb2.HotListCategory, one) for one in person.fields("categories")],
        verification_states=[
            words.one_of(notice_pb2.VerificationState, one) for one in person.fields("verification_states")
        ],
        only_unacknowledged=bool(person.field("unseen")),
        plate=person.field("plate").upper(),
    )
    question.set_window(asked, person, wrong)
    raise_violations(wrong)
    why = justification.given(person)
    if why != Justification():
        asked.justification.CopyFrom(why)
    return asked


def _rows(answer: pb.ListAlertsResponse) -> list[dict[str, Any]]:
    return [
        {
            "alert": one,
            "standing": view.standing(one),
            "about": ", ".join(dict.fromkeys(words.word(entry, "category") for entry in one.entries)),
        }
        for one in answer.alerts
    ]


def _carried(person: Person) -> list[tuple[str, str]]:
    """The question as hidden fields, but for why it is asked."""
    pairs = [(name, person.field(name)) for name in _ONES]
    pairs += [(f"{name}_utc", moments.written(person, name)) for name in ("from", "to")]
    pairs += [(name, one) for name in _SEVERAL for one in person.fields(name)]
    return [(name, value) for name, value in pairs if value]


async def _shown(person: Person, status: int = 200, **values: Any) -> Response:
    usual = {"sentence": "", "fields": (), "clauses": ""}
    return await person.show("alert/before.html", status, **{**usual, **values})
