"""What a person sees first: who he is to the system, what he may do, what he has to acknowledge."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alpr.audit.v1 import document_service_pb2 as pb
from alpr.audit.v1 import document_service_pb2_grpc as rpc
from services.console.door import Door, Person


def routes(door: Door) -> Sequence[Route]:
    """The first page and the act on it."""
    return (
        Route("/", door.page(_show), methods=["GET"]),
        Route("/acknowledge", door.page(_acknowledge), methods=["POST"]),
    )


async def _show(_request: Request, person: Person) -> Response:
    listed = await person.call(rpc.DocumentServiceStub, "ListDocuments", pb.ListDocumentsRequest())
    in_force = [one for one in listed.documents if one.in_force]
    return await person.show(
        "home.html", title="Platewarden", documents=in_force, request_id=str(uuid.uuid4())
    )


async def _acknowledge(_request: Request, person: Person) -> Response:
    """Acknowledges one document in the person's name (ENF-051 IV.A)."""
    request = pb.AcknowledgeDocumentRequest(
        request_id=person.field("request_id"), document_id=person.field("document_id")
    )
    await person.call(rpc.DocumentServiceStub, "AcknowledgeDocument", request)
    return RedirectResponse("/#main", 303)
