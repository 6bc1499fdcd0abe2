"""For whom something leaves, by when it must be deleted, and what it does not show (ENF-051 IV.B)."""

from __future__ import annotations

from typing import Any, Final

from alpr.search.v1 import dissemination_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.search.v1 import report_service_pb2 as report_pb
from services.common.errors import FieldViolation, InvalidFieldError
from services.console import moments, words
from services.console.coordinator.forms import digest
from services.console.door import Person

_DECLARATION: Final = (
    "declaration", "declaration_sha256", "declared_by", "declared_on", "not_for_reproductive_care",
    "not_for_immigration",
)  # fmt: skip
_DECISION: Final = ("decision", "decision_sha256", "decided_by", "decided_on")
KINDS: Final = (
    (pb.RECIPIENT_KIND_OWN_USE, "Myself, for the case; nobody else"),
    (pb.RECIPIENT_KIND_LAW_ENFORCEMENT, "Another law enforcement agency"),
    (pb.RECIPIENT_KIND_GOVERNMENT, "A government entity"),
    (pb.RECIPIENT_KIND_EVIDENCE_SYSTEM, "A report-writing or evidence system"),
    (pb.RECIPIENT_KIND_PUBLIC, "The public"),
)
REDACTED: Final = (
    (pb.REDACTED_FIELD_PLATE, "Plates and issuing states"),
    (pb.REDACTED_FIELD_PLACE, "Places, sensors and the map"),
    (pb.REDACTED_FIELD_PICTURE, "Pictures"),
    (pb.REDACTED_FIELD_TIME, "Times of day"),
    (pb.REDACTED_FIELD_CASE, "Case number and purpose"),
    (pb.REDACTED_FIELD_NONE, "Nothing; say why not"),
)


async def set_recipient(
    request: report_pb.ExportReportRequest | register_pb.RecordDisseminationRequest,
    person: Person,
    wrong: list[FieldViolation],
) -> None:
    """Sets recipient and day of deletion; adds to `wrong` what cannot be read."""
    recipient = request.recipient
    recipient.kind = words.one_of(pb.RecipientKind, person.field("recipient_kind"))
    recipient.agency_ori = person.field("agency_ori")
    recipient.organisation = person.field("organisation")
    recipient.person = person.field("recipient_person")
    recipient.purpose = person.field("recipient_purpose")
    recipient.legal_basis = person.field("legal_basis")
    recipient.report_number = person.field("recipient_report_number")
    recipient.email = person.field("email")
    if _is_written(person, _DECLARATION):
        await _set_declaration(recipient.declaration, person, wrong)
    if _is_written(person, _DECISION):
        await _set_decision(recipient.decision, person, wrong)
    _set_moment(request, "due_to_delete", person, "delete_by", wrong)


def set_redactions(request: report_pb.ExportReportRequest, person: Person) -> None:
    """Adds what the file shall not show: each field that has a reason in the form."""
    for field, _name in REDACTED:
        reason = person.field(f"redact-{field}")
        if reason:
            request.redactions.append(pb.Redaction(field=field, reason=reason))


async def _set_declaration(one: pb.Declaration, person: Person, wrong: list[FieldViolation]) -> None:
    one.signed_by = person.field("declared_by")
    one.document_sha256 = await _digest(person, "declaration", wrong)
    one.not_for_reproductive_care = bool(person.field("not_for_reproductive_care"))
    one.not_for_immigration = bool(person.field("not_for_immigration"))
    _set_moment(one, "signed_time", person, "declared_on", wrong)


async def _set_decision(one: pb.Decision, person: Person, wrong: list[FieldViolation]) -> None:
    one.decided_by = person.field("decided_by")
    one.request_sha256 = await _digest(person, "decision", wrong)
    _set_moment(one, "decided_time", person, "decided_on", wrong)


def _is_written(person: Person, names: tuple[str, ...]) -> bool:
    """Whether any of the fields has something in it; a file that was not chosen has no name."""
    values = [person.form.get(name) for name in names]
    return any(getattr(value, "filename", value) for value in values)


async def _digest(person: Person, name: str, wrong: list[FieldViolation]) -> bytes:
    try:
        return await digest(person, name)
    except InvalidFieldError as error:
        wrong += error.violations
        return b""


def _set_moment(message: Any, field: str, person: Person, name: str, wrong: list[FieldViolation]) -> None:
    try:
        at = moments.moment(person, name)
    except InvalidFieldError as error:
        wrong += error.violations
        return
    if at is not None:
        getattr(message, field).CopyFrom(at)
