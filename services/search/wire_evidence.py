"""Evidence of ReportService: requests to packages, packages to streams, with every check of a request."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from google.protobuf.json_format import MessageToDict

from alpr.search.v1 import dissemination_pb2
from alpr.search.v1 import report_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_uuid, raise_violations, to_timestamp
from services.search.app_evidence import CopyRequest, EvidenceFile, EvidenceRequest
from services.search.core.answer import FoundRead
from services.search.core.dissemination import Recipient, RecipientKind, is_printable
from services.search.core.evidence import as_json
from services.search.departures import ForWhom
from services.search.store_register import KeptEvidence
from services.search.wire_report import parts_of
from services.search.wire_search import NOTICE, left_out, read_message

_LONGEST: Final = {"report_number": 64, "evidence_system": 100, "evidence_item": 100}


def parse_evidence(request: pb.ExportEvidenceRequest, token: AccessToken) -> EvidenceRequest:
    """The package that `request` asks for; case number and purpose pass through unread, they are audit's.

    Raises:
        InvalidFieldError: Names each field that is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    read_id = parse_uuid("read_id", request.read_id, wrong)
    for name, most in _LONGEST.items():
        text, least = getattr(request, name), 0 if name == "evidence_item" else 1
        if not is_printable(text, least, most):
            wrong.append(FieldViolation(name, f"must be {least} to {most} printable characters"))
    raise_violations(wrong)
    system, number = request.evidence_system.strip(), request.report_number.strip()
    return EvidenceRequest(
        request_id=request_id,
        token=token,
        justification=request.justification,
        read_id=read_id,
        report_number=number,
        evidence_system=system,
        evidence_item=request.evidence_item.strip(),
        for_whom=for_whom(
            Recipient(RecipientKind.EVIDENCE_SYSTEM, organisation=system, report_number=number)
        ),
    )


def parse_copy(request: pb.GetEvidenceRequest, token: AccessToken) -> CopyRequest:
    """The package that is asked for again. Errors as for `parse_evidence`."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    evidence_id = parse_uuid("evidence_id", request.evidence_id, wrong)
    raise_violations(wrong)
    own_use = for_whom(Recipient(RecipientKind.OWN_USE))
    return CopyRequest(request_id, token, request.justification, evidence_id, own_use)


def describe(file: EvidenceFile) -> pb.ExportedFile:
    """What the file is, and how its leaving is recorded."""
    answered = file.answered
    return pb.ExportedFile(
        dissemination_id=str(file.departed.dissemination_id),
        file_name=f"evidence-{file.evidence_id}.zip",
        media_type="application/zip",
        size_bytes=len(file.data),
        sha256=sha256(file.data).digest(),
        read_count=1,
        question_receipt=answered.receipts.question,
        outcome_receipt=answered.receipts.outcome,
        dissemination_receipt=file.departed.receipt,
        searched_from=to_timestamp(answered.authorization.from_time),
        searched_to=to_timestamp(answered.authorization.to_time),
        left_out=left_out(answered.authorization),
        evidence_id=str(file.evidence_id),
        manifest_sha256=file.manifest_sha256,
    )


def evidence_parts(file: EvidenceFile) -> Iterator[pb.ExportEvidenceResponse]:
    """The description of the package, then its bytes."""
    yield pb.ExportEvidenceResponse(file=describe(file), notice=NOTICE)
    for part in parts_of(file.data):
        yield pb.ExportEvidenceResponse(data=part)


def copy_parts(file: EvidenceFile) -> Iterator[pb.GetEvidenceResponse]:
    """The description of the package, then its bytes."""
    yield pb.GetEvidenceResponse(file=describe(file), notice=NOTICE)
    for part in parts_of(file.data):
        yield pb.GetEvidenceResponse(data=part)


def kept_package(kept: KeptEvidence) -> pb.EvidencePackage:
    """The package as it is listed."""
    return pb.EvidencePackage(
        evidence_id=str(kept.evidence_id),
        read_id=str(kept.read_id),
        capture_day=kept.capture_day.isoformat(),
        report_number=kept.report_number,
        evidence_system=kept.evidence_system,
        evidence_item=kept.evidence_item,
        account_id=kept.account_id,
        agency_ori=kept.agency_ori,
        case_number=kept.case_number,
        made_time=to_timestamp(kept.made_time),
        manifest_sha256=kept.manifest_sha256,
        size_bytes=kept.package_bytes,
    )


def read_as_json(read: FoundRead) -> bytes:
    """Everything that is known of the read, as the contract's JSON."""
    message = read_message(read)
    return as_json(MessageToDict(message, preserving_proto_field_name=True))


def for_whom(recipient: Recipient) -> ForWhom:
    """A recipient that follows from the call, as it is checked and as it is kept."""
    message = dissemination_pb2.Recipient(
        kind=dissemination_pb2.RecipientKind.Value(f"RECIPIENT_KIND_{recipient.kind.name}"),
        organisation=recipient.organisation,
        report_number=recipient.report_number,
    )
    return ForWhom(recipient, message.SerializeToString())
