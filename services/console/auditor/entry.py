"""One entry of the log with its proof; what may be shown of it to somebody outside, or taken out of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2_grpc as rpc
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_service_pb2_grpc as log_rpc
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console import justification
from services.console.auditor import people
from services.console.auditor.log import question_words
from services.console.coordinator.forms import Forms, digest
from services.console.door import Door, Person

# By these an entry is known: every receipt shows them.
_ALWAYS: Final = frozenset({"entry_id", "kind", "record_time"})


def routes(door: Door) -> Sequence[Route]:
    """The entry and the acts on it; all by POST, for an entry may hold a plate."""
    return (
        Route("/auditor/entry", door.page(_show), methods=["POST"]),
        Route("/auditor/entry/disclose", door.page(_disclose), methods=["POST"]),
        Route("/auditor/entry/redact", door.page(_redact), methods=["POST"]),
    )


async def _show(_request: Request, person: Person) -> Response:
    receipt = await proven(person)
    return await person.show("auditor/entry.html", **await _page(person, receipt), **_NOTHING)


async def _disclose(_request: Request, person: Person) -> Response:
    """A receipt that opens the chosen fields and keeps the others closed; who gets it stands in the log."""
    receipt = await proven(person)
    request = pb.DiscloseFieldsRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        entry_id=receipt.entry_id,
        fields=person.fields("open"),
        recipient=person.field("recipient"),
    )
    try:
        answer = await person.call(rpc.LogQueryServiceStub, "DiscloseFields", request)
    except AlprError as error:
        return await person.refused(error, "auditor/entry.html", **await _page(person, receipt))
    return await person.show(
        "auditor/disclosed.html",
        **await justification.asked_for(person),
        title=f"Receipt of entry {answer.receipt.log_index}",
        section="/auditor",
        answer=answer,
        recipient=request.recipient,
        withheld=withheld(answer.receipt),
    )


async def _redact(_request: Request, person: Person) -> Response:
    """Takes the value of a field out of the log for ever, on legal grounds (ENF-051 IV.B.1)."""
    receipt = await proven(person)
    request = pb.RedactFieldRequest(
        request_id=person.field("request_id"),
        entry_id=receipt.entry_id,
        field=person.field("field"),
        legal_basis=person.field("legal_basis"),
    )
    try:
        request.document_sha256 = (await digest(person, "document")).hex()
        answer = await person.call(rpc.LogQueryServiceStub, "RedactField", request)
    except AlprError as error:
        page = {**await _page(person, receipt), "forms": Forms.refused(person, error)}
        return await person.show("auditor/entry.html", page["forms"].status, **page, **_NOTHING)
    return await person.show(
        "auditor/redacted.html",
        title="Taken out",
        section="/auditor",
        field=request.field,
        of=receipt,
        receipt=answer.receipt,
    )


async def proven(person: Person) -> AuditReceipt:
    """The entry that the form carries, with its proof; the log must have it at that place.

    Raises:
        InvalidFieldError: The form carries none, or not what the log has there.
    """
    try:
        receipt = AuditReceipt.FromString(base64.b64decode(person.field("entry"), validate=True))
    except (ValueError, DecodeError):
        raise _not_of_the_log() from None
    request = log_pb.GetInclusionProofRequest(log_index=receipt.log_index)
    answer = await person.call(log_rpc.LogServiceStub, "GetInclusionProof", request)
    if sha256(b"\x00" + receipt.leaf).digest() != answer.leaf_hash:
        raise _not_of_the_log()
    receipt.proof = answer.proof
    return receipt


def _not_of_the_log() -> InvalidFieldError:
    wrong = FieldViolation("entry", "Open it from the list of entries.")
    return InvalidFieldError("this entry does not stand in the log", violations=[wrong])


_NOTHING: Final[Mapping[str, Any]] = {"sentence": "", "fields": (), "clauses": ""}


async def _page(person: Person, receipt: AuditReceipt) -> Mapping[str, Any]:
    values = {one.name: one.value for one in receipt.fields}
    actor = values.get("actor", "")
    names = await people.names_of(person, [actor])
    may_close = [one.name for one in receipt.fields if one.name not in _ALWAYS]
    return {
        **await justification.asked_for(person),
        "title": f"Entry {receipt.log_index}",
        "section": "/auditor",
        "receipt": receipt,
        "notice": person.field("notice"),  # of the answer from which it was opened
        "values": values,
        "said": question_words(values.get("question", "")),
        "actor": names.get(actor, ""),
        "withheld": withheld(receipt),
        "may_close": may_close,
        "chosen": person.fields("open") if "open" in person.form else (),
        "may_redact": [(name, name) for name in may_close],
        "written": {"recipient": person.field("recipient")},
        "forms": Forms(),
    }


def withheld(receipt: AuditReceipt) -> list[str]:
    """Fields that the entry commits to and does not show: withheld here, or taken out of the log."""
    lines = receipt.leaf.decode("ascii", "replace").splitlines()[1:]
    shown = {one.name for one in receipt.fields}
    return [name for name in (line.partition(" ")[0] for line in lines) if name not in shown]
