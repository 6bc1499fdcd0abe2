"""Recipients and redactions: messages to values, with every check (ENF-051 IV.B)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message

from alpr.search.v1 import dissemination_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2 as service_pb
from services.common.errors import FieldViolation
from services.common.wire import parse_moment
from services.search.core.dissemination import (
    Decision,
    Declaration,
    Field,
    Recipient,
    RecipientKind,
    Redaction,
    redaction_shortcomings,
    shortcomings,
)
from services.search.departures import ForWhom

_KINDS: Final = {pb.RecipientKind.Value(f"RECIPIENT_KIND_{kind.name}"): kind for kind in RecipientKind}
_FIELDS: Final = {pb.RedactedField.Value(f"REDACTED_FIELD_{field.name}"): field for field in Field}


def parse_for_whom(
    recipient: pb.Recipient,
    redactions: Sequence[pb.Redaction],
    home_state: str,
    wrong: list[FieldViolation],
) -> ForWhom:
    """For whom something leaves; what is missing or wrong is added to `wrong`."""
    parsed = _recipient(recipient, wrong)
    left_out = tuple(_redaction(number, one, wrong) for number, one in enumerate(redactions))
    wrong += [FieldViolation(f"recipient.{name}", text) for name, text in shortcomings(parsed, home_state)]
    wrong += [FieldViolation(name, text) for name, text in redaction_shortcomings(left_out, parsed)]
    return ForWhom(
        recipient=parsed,
        message=recipient.SerializeToString(),
        redactions=left_out,
        redactions_message=service_pb.Dissemination(redactions=redactions).SerializeToString(),
    )


def _recipient(message: pb.Recipient, wrong: list[FieldViolation]) -> Recipient:
    kind = _KINDS.get(message.kind)
    if kind is None:
        wrong.append(FieldViolation("recipient.kind", "must be one of the kinds of recipients"))
    return Recipient(
        kind=kind or RecipientKind.OWN_USE,
        agency_ori=message.agency_ori,
        organisation=message.organisation,
        person=message.person,
        purpose=message.purpose,
        legal_basis=message.legal_basis,
        declaration=_declaration(message.declaration, wrong) if message.HasField("declaration") else None,
        decision=_decision(message.decision, wrong) if message.HasField("decision") else None,
        report_number=message.report_number,
        email=message.email,
    )


def _declaration(message: pb.Declaration, wrong: list[FieldViolation]) -> Declaration:
    return Declaration(
        signed_by=message.signed_by,
        signed_time=_moment("recipient.declaration.signed_time", message, wrong),
        document_sha256=message.document_sha256,
        not_for_reproductive_care=message.not_for_reproductive_care,
        not_for_immigration=message.not_for_immigration,
    )


def _decision(message: pb.Decision, wrong: list[FieldViolation]) -> Decision:
    return Decision(
        decided_by=message.decided_by,
        decided_time=_moment("recipient.decision.decided_time", message, wrong),
        request_sha256=message.request_sha256,
    )


def _moment(path: str, message: Message, wrong: list[FieldViolation]) -> datetime | None:
    name = path.rpartition(".")[2]
    return parse_moment(path, message, wrong) if message.HasField(name) else None


def _redaction(number: int, message: pb.Redaction, wrong: list[FieldViolation]) -> Redaction:
    field = _FIELDS.get(message.field)
    if field is None:
        wrong.append(FieldViolation(f"redactions[{number}].field", "must be one of the fields"))
    return Redaction(field or Field.NONE, message.reason)
