"""What people do about an alert. Each act carries the id that was drawn with its form: twice is once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.alerts.v1 import verification_service_pb2 as check_pb
from alpr.alerts.v1 import verification_service_pb2_grpc as check_rpc
from alpr.type.v1 import notice_pb2
from services.common.errors import AlprError
from services.console.alert.look import Desk, Refused
from services.console.door import Person
from services.console.pages import status_of

_ALERTS: Final = rpc.AlertServiceStub
Call = tuple[Any, str, Any]
"""Stub, name of the RPC, request."""


async def acknowledge(request: Request, person: Person) -> Response:
    """Somebody has seen it."""
    desk = Desk.of(request, person)
    seen = pb.AcknowledgeAlertRequest(request_id=person.field("request_id"), alert_id=desk.alert_id)
    return await recorded(desk, "acknowledge", "Acknowledged.", [(_ALERTS, "AcknowledgeAlert", seen)])


async def verify(request: Request, person: Person) -> Response:
    """A step of the verification (III.D.4, IV.D.4).

    An answer needs that somebody has begun to ask, so that is recorded first where it was not yet.
    """
    desk = Desk.of(request, person)
    step = pb.VerifyAlertRequest(
        request_id=person.field("request_id"),
        alert_id=desk.alert_id,
        state=person.number("state"),
        system=person.field("system"),
        response_id=person.field("response_id"),
        check_id=person.field("check_id"),
    )
    calls: list[Call] = [(_ALERTS, "VerifyAlert", step)]
    if person.field("first_id"):
        asking = pb.VerifyAlertRequest(
            request_id=person.field("first_id"),
            alert_id=desk.alert_id,
            state=notice_pb2.VERIFICATION_STATE_VERIFYING,
        )
        calls.insert(0, (_ALERTS, "VerifyAlert", asking))
    return await recorded(desk, person.field("form") or "answer", "The step is recorded.", calls)


async def dispose(request: Request, person: Person) -> Response:
    """What was done, or what a patrol reported (IV.D.3).

    Enforcement needs a recorded confirmation (III.D.4): the service says so.
    """
    desk = Desk.of(request, person)
    done = pb.DisposeAlertRequest(
        request_id=person.field("request_id"),
        alert_id=desk.alert_id,
        disposition=person.number("disposition"),
        report_number=person.field("report_number"),
        reported_by=person.field("reported_by"),
    )
    return await recorded(desk, "dispose", "What was done is recorded.", [(_ALERTS, "DisposeAlert", done)])


async def ask(request: Request, person: Person) -> Response:
    """What LEADS or NCIC says through the agency's connector. It verifies nothing: a person does."""
    desk = Desk.of(request, person)
    question = check_pb.AskRecordRequest(
        request_id=person.field("request_id"), alert_id=desk.alert_id, entry_id=person.field("entry_id")
    )
    try:
        answer = await desk.call(check_rpc.VerificationServiceStub, "AskRecord", question)
    except AlprError as error:
        return await desk.show(Refused("ask", error))
    return await desk.show(check=answer.check)


async def recorded(desk: Desk, form: str, done: str, calls: Sequence[Call]) -> Response:
    """The alert after the calls of one act; with the form as it was when one of them was refused."""
    try:
        for stub, name, request in calls:
            await desk.call(stub, name, request)
    except AlprError as error:
        return await desk.show(Refused(form, error))
    if not desk.part and desk.why is None:
        # Loading the page anew sends nothing again.
        return RedirectResponse(f"/alerts/{desk.alert_id}", 303)
    try:
        return await desk.show(done=done)
    except AlprError as error:
        # It must not look refused: it stands.
        sentence = f"{done} The alert cannot be shown just now: {error.message}"
        said = {"title": "Recorded", "sentence": sentence, "fields": (), "clauses": ""}
        return await desk.person.show("error.html", status_of(error), **said)
