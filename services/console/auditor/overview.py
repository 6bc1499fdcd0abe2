"""The state of the log: its checkpoint, what witnesses have signed of it, and what has no outcome."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1 import log_query_service_pb2_grpc as query_rpc
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_service_pb2_grpc as log_rpc
from alpr.audit.v1 import review_service_pb2 as review_pb
from alpr.audit.v1 import review_service_pb2_grpc as review_rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.common.tlog import Note, NoteError, Signature, TreeHead
from services.console.answers import attachment
from services.console.auditor.form import file_text
from services.console.door import Door, Person
from services.console.question import set_window

# As the offline verifier takes it (services/audit/verifier.py).
_CONSISTENCY: Final = "platewarden.consistency/v1"
_TIME_BYTES: Final = 8
_MOST_REVIEWS: Final = 200


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What one witness has signed last. Nobody has looked at the signature: the page's script can."""

    place: int
    name: str
    time: Timestamp
    size: int
    behind: int
    note: str


def routes(door: Door) -> Sequence[Route]:
    """The first page, files of the log's state, and what has no outcome."""
    return (
        Route("/auditor", door.page(_show), methods=["GET"]),
        Route("/auditor/checkpoint", door.page(_checkpoint), methods=["GET"]),
        Route("/auditor/witnessed/{place:int}", door.page(_checkpoint_of_witness), methods=["GET"]),
        Route("/auditor/consistency", door.page(_consistency), methods=["POST"]),
        Route("/auditor/unfinished", door.page(_unfinished), methods=["GET", "POST"]),
    )


async def _show(_request: Request, person: Person) -> Response:
    checkpoint, unfinished, reviews = await asyncio.gather(
        _newest(person),
        person.call(query_rpc.LogQueryServiceStub, "ListUnfinished", query_pb.ListUnfinishedRequest()),
        person.call(
            review_rpc.ReviewServiceStub,
            "ListReviews",
            review_pb.ListReviewsRequest(page_size=_MOST_REVIEWS, open_only=True),
        ),
    )
    return await person.show(
        "auditor/overview.html",
        title="The log",
        section="/auditor",
        unfinished=unfinished,
        reviews=reviews.reviews,
        sentence="",
        **_state(checkpoint),
    )


def _state(newest: log_pb.GetCheckpointResponse) -> dict[str, Any]:
    head = Note.parse(newest.checkpoint).head
    found = [one for place, note in enumerate(newest.witnessed) for one in _witnessed(note, place, head)]
    return {
        "head": head,
        "root": b64encode(head.root).decode(),
        "note": newest.checkpoint,
        "witnesses": found,
    }


def _witnessed(text: str, place: int, now: TreeHead) -> list[Witnessed]:
    note = Note.parse(text)
    others = [one for one in note.signatures if one.name != now.origin]
    size, behind = note.head.size, now.size - note.head.size
    return [Witnessed(place, one.name, _signed_at(one), size, behind, text) for one in others]


def _signed_at(one: Signature) -> Timestamp:
    return Timestamp(seconds=int.from_bytes(one.signature[:_TIME_BYTES]))


async def _checkpoint(_request: Request, person: Person) -> Response:
    """The newest checkpoint as a file: what it covers cannot be rewritten unseen by who keeps it."""
    newest = await _newest(person)
    size = Note.parse(newest.checkpoint).head.size
    return attachment(newest.checkpoint.encode(), f"checkpoint-{size}.txt", "text/plain")


async def _checkpoint_of_witness(request: Request, person: Person) -> Response:
    """What one witness has signed last, as a file: its key says whether it did."""
    note = _of_witness(await _newest(person), request.path_params["place"])
    return attachment(note.encode(), f"witnessed-{Note.parse(note).head.size}.txt", "text/plain")


def _of_witness(newest: log_pb.GetCheckpointResponse, place: int) -> str:
    if place >= len(newest.witnessed):
        wrong = FieldViolation("witness", "Choose one of the page.")
        raise InvalidFieldError("there is no such witness", violations=[wrong])
    return str(newest.witnessed[place])


async def _consistency(_request: Request, person: Person) -> Response:
    """The proof that the log of now begins with that of the checkpoint that the person kept."""
    try:
        place = person.field("witness")
        kept = _of_witness(await _newest(person), int(place)) if place.isdecimal() else ""
        proof = await _proof_since(person, kept or await file_text(person, "checkpoint"))
    except NoteError:
        wrong = FieldViolation("checkpoint", "Choose a checkpoint of this log that was kept from before.")
        raise InvalidFieldError("this is no checkpoint", violations=[wrong]) from None
    first, second = (Note.parse(proof[name]).head.size for name in ("first", "second"))
    return await person.show(
        "auditor/consistency.html",
        title="The log since then",
        section="/auditor",
        first=first,
        second=second,
        proof=json.dumps(proof, indent=1) + "\n",
    )


async def _proof_since(person: Person, kept: str) -> dict[str, Any]:
    older = Note.parse(kept)
    answer = await person.call(
        log_rpc.LogServiceStub,
        "GetConsistencyProof",
        log_pb.GetConsistencyProofRequest(first_size=older.head.size),
    )
    return {
        "format": _CONSISTENCY,
        "first": older.text(),
        "second": answer.checkpoint,
        "hashes": [b64encode(one).decode() for one in answer.hashes],
    }


async def _unfinished(_request: Request, person: Person) -> Response:
    """Questions and acts that were begun and have no outcome; without a window those of the last day."""
    request, wrong = query_pb.ListUnfinishedRequest(), list[FieldViolation]()
    set_window(request, person, wrong)
    page: dict[str, Any] = {
        "title": "Without outcome",
        "section": "/auditor",
        "window": [person.field(f"{name}_utc") or person.field(name) for name in ("from", "to")],
    }
    try:
        if wrong:
            raise InvalidFieldError("a moment cannot be read", violations=wrong)
        found = await person.call(query_rpc.LogQueryServiceStub, "ListUnfinished", request)
    except AlprError as error:
        empty = query_pb.ListUnfinishedResponse()
        return await person.refused(error, "auditor/unfinished.html", found=empty, **page)
    return await person.show(
        "auditor/unfinished.html", found=found, sentence="", fields=(), clauses="", **page
    )


async def _newest(person: Person) -> log_pb.GetCheckpointResponse:
    answer: log_pb.GetCheckpointResponse = await person.call(
        log_rpc.LogServiceStub, "GetCheckpoint", log_pb.GetCheckpointRequest()
    )
    return answer
