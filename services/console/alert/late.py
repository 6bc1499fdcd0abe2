"""What nobody answered in time, for the centre and for those who answer for it (ENF-051 III.D.4, IV.D.3)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from alpr.audit.v1.authorization_service_pb2 import ROLE_TELECOM_CENTER
from services.console import words
from services.console.alert import view
from services.console.door import Person
from services.console.following import waiting


async def show(request: Request, person: Person) -> Response:
    """What waits for an answer still, the longest first; with `part=1` only that, for the page's script."""
    stream = person.stream(rpc.DispatchServiceStub, "WatchEscalations", pb.WatchEscalationsRequest())
    late = [one.escalated for one in await waiting(stream)]
    late.sort(key=lambda one: one.escalation.due_time.ToNanoseconds())
    return await person.show(
        "alert/late.html",
        title="Not answered in time",
        section="/alerts/late",
        part=request.query_params.get("part") == "1",
        rows=[_row(one) for one in late],
        now=view.now(),
        can_open=ROLE_TELECOM_CENTER,
    )


def _row(late: pb.EscalatedAlert) -> dict[str, Any]:
    entries = late.alert.entries
    return {
        "late": late,
        "standing": view.standing(late.alert),
        "doubts": view.doubts(late.alert),
        "about": ", ".join(dict.fromkeys(words.word(one, "category") for one in entries)),
    }
