"""Between the messages of documents and this service's own values."""

from __future__ import annotations

from datetime import UTC, datetime

from alpr.audit.v1 import document_service_pb2 as pb
from services.audit.app_documents import Listed
from services.audit.core.document import Document, DocumentKind
from services.audit.store_documents import Reading
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_VERSION = 50
_MOST_TITLE = 200
_MOST_SHOWN = 20_000
_MOST_DAYS = 1826
_NOT_YET = datetime.min.replace(tzinfo=UTC)


def parse_publish(request: pb.PublishDocumentRequest) -> Document:
    """The version to publish, without id, agency and time. Raises InvalidFieldError."""
    given, wrong = request.document, _request_id(request.request_id)
    if given.document_id or given.HasField("publish_time"):
        wrong.append(FieldViolation("document", "document_id and publish_time must be unset"))
    if len(given.sha256) != _DIGEST_BYTES:
        wrong.append(FieldViolation("document.sha256", "must be the SHA-256 of the document, 32 bytes"))
    if not 0 <= given.acknowledged_days <= _MOST_DAYS:
        wrong.append(FieldViolation("document.acknowledged_days", f"must be 0 to {_MOST_DAYS}"))
    kind = _kind(given.kind)
    if kind is None:
        wrong.append(FieldViolation("document.kind", "must be set"))
    made = Document(
        document_id="",
        agency_ori="",
        kind=kind or DocumentKind.DIRECTIVE,
        version=parse_text("document.version", given.version, wrong, most=_MOST_VERSION),
        title=parse_text("document.title", given.title, wrong, most=_MOST_TITLE),
        shown=_shown(given.text, wrong),
        sha256=given.sha256,
        effective_time=parse_moment("document.effective_time", given, wrong),
        acknowledged_days=given.acknowledged_days,
        publish_time=_NOT_YET,
    )
    raise_violations(wrong)
    return made


def parse_acknowledge(request: pb.AcknowledgeDocumentRequest) -> str:
    """The document's id. Raises InvalidFieldError."""
    wrong = _request_id(request.request_id)
    parse_uuid("document_id", request.document_id, wrong)
    raise_violations(wrong)
    return request.document_id


def parse_document_id(document_id: str) -> str:
    """The document's id. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("document_id", document_id, wrong)
    raise_violations(wrong)
    return document_id


def document(one: Document) -> pb.Document:
    """The message."""
    return pb.Document(
        document_id=one.document_id,
        kind=pb.DocumentKind.Value(f"DOCUMENT_KIND_{one.kind.value}"),
        version=one.version,
        title=one.title,
        text=one.shown,
        sha256=one.sha256,
        effective_time=to_timestamp(one.effective_time),
        acknowledged_days=one.acknowledged_days,
        publish_time=to_timestamp(one.publish_time),
    )


def listed(one: Listed) -> pb.ListedDocument:
    """The message."""
    made = pb.ListedDocument(document=document(one.document), in_force=one.in_force, required=one.required)
    _stamp(made, one.duty.acknowledge_time, one.duty.acknowledged_until)
    return made


def reading(one: Reading) -> pb.Acknowledgement:
    """The message."""
    made = pb.Acknowledgement(account_id=one.account_id, full_name=one.full_name, unit=one.unit)
    _stamp(made, one.acknowledge_time, one.acknowledged_until)
    return made


def _stamp(made: pb.ListedDocument | pb.Acknowledgement, at: datetime | None, until: datetime | None) -> None:
    if at:
        made.acknowledge_time.CopyFrom(to_timestamp(at))
    if until:
        made.acknowledged_until.CopyFrom(to_timestamp(until))


def _shown(text: str, wrong: Wrong) -> str:
    # Lines are kept: it is shown as it was written.
    if not text.strip() or len(text) > _MOST_SHOWN or not _is_plain(text):
        wrong.append(FieldViolation("document.text", f"must be 1 to {_MOST_SHOWN} printable characters"))
    return text


def _is_plain(text: str) -> bool:
    return all(line.isprintable() for line in text.replace("\t", " ").split("\n"))


def _kind(number: int) -> DocumentKind | None:
    known = {pb.DocumentKind.Value(f"DOCUMENT_KIND_{one.value}"): one for one in DocumentKind}
    return known.get(pb.DocumentKind.ValueType(number))


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
