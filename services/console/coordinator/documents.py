"""What the agency's people must have read, and who has (ENF-051 III.B.3.b, III.D.2, III.D.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import document_service_pb2 as pb
from alpr.audit.v1 import document_service_pb2_grpc as rpc
from services.common.errors import NotFoundError
from services.console import words
from services.console.coordinator import lists, places
from services.console.coordinator.forms import Forms, act, digest, plain
from services.console.door import Door, Person
from services.console.moments import in_days, moment

PLACE: Final = "/coordinator/documents"
_NAMES: Final[Mapping[int, str]] = {
    pb.DOCUMENT_KIND_DIRECTIVE: "Directive",
    pb.DOCUMENT_KIND_SECURITY_ADDENDUM: "CJIS security addendum",
    pb.DOCUMENT_KIND_USE_BANNER: "Use banner",
    pb.DOCUMENT_KIND_MOTOR_CARRIER_GUIDELINES: "Guidelines of Motor Carrier Safety",
}
KINDS: Final = [(value, _NAMES.get(value, text)) for value, text in words.choices(pb.DocumentKind)]
_DONE: Final = {"publish": "The version is published."}


def routes(door: Door) -> Sequence[Route]:
    """The versions, who has read one, and the form of a new one."""
    return (
        Route(PLACE, door.page(plain(_show)), methods=["GET"]),
        Route(f"{PLACE}/publish", door.page(act(_publish, _show)), methods=["POST"]),
        Route(f"{PLACE}/{{document_id:uuid}}", door.page(plain(_readers)), methods=["GET"]),
    )


async def listed(person: Person) -> Sequence[pb.ListedDocument]:
    """The versions, by kind and then newest first. Raises AlprError."""
    answer = await person.call(rpc.DocumentServiceStub, "ListDocuments", pb.ListDocumentsRequest())
    found: Sequence[pb.ListedDocument] = answer.documents
    return found


async def _show(request: Request, person: Person, forms: Forms) -> Response:
    return await places.show(
        request,
        person,
        "documents.html",
        PLACE,
        forms,
        title="Documents",
        documents=await listed(person),
        decides=bool(places.STATEWIDE & frozenset((await person.account()).roles)),
        kinds=KINDS,
        now=in_days(0),
        sentences=_DONE,
    )


async def _publish(_request: Request, person: Person) -> str:
    document = pb.Document(
        kind=person.number("kind"),
        version=person.field("version"),
        title=person.field("title"),
        text=person.field("text"),
        sha256=await digest(person, "document"),
        effective_time=moment(person, "effective_time"),
        acknowledged_days=person.number("acknowledged_days"),
    )
    request = pb.PublishDocumentRequest(request_id=person.field("request_id"), document=document)
    await person.call(rpc.DocumentServiceStub, "PublishDocument", request)
    return f"{PLACE}?done=publish"


async def _readers(request: Request, person: Person, forms: Forms) -> Response:
    document_id = str(request.path_params["document_id"])
    document = next((one for one in await listed(person) if one.document.document_id == document_id), None)
    if document is None:
        raise NotFoundError("Your agency has no such document.")
    asked = pb.ListAcknowledgementsRequest(document_id=document_id, page_size=500)
    stub = rpc.DocumentServiceStub
    found = await lists.every(person, stub, "ListAcknowledgements", asked, "acknowledgements")
    return await places.show(
        request,
        person,
        "document.html",
        PLACE,
        forms,
        title="Who has read it",
        document=document.document,
        in_force=document.in_force,
        kinds=KINDS,
        # Who has not comes first.
        readers=sorted(found, key=lambda one: bool(one.HasField("acknowledge_time"))),
        missing=sum(not one.HasField("acknowledge_time") for one in found),
    )
