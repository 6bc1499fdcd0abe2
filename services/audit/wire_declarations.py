"""Between the messages of declarations and this service's own values."""

from __future__ import annotations

from datetime import datetime

from alpr.audit.v1 import declaration_service_pb2 as pb
from services.audit.core.declaration import Declaration, OutOfStateLaw
from services.audit.wire import Wrong, page_token, parse_ori
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_TEXT = 200
_MOST_REASON = 500
_MOST_USES, _MOST_CODES = 20, 100


def parse_record(request: pb.RecordDeclarationRequest) -> Declaration:
    """The declaration to record, without an id. Raises InvalidFieldError."""
    given = request.declaration
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if given.declaration_id or given.in_force or given.HasField("record_time"):
        wrong.append(FieldViolation("declaration", "declaration_id, in_force and record_time must be unset"))
    if given.HasField("withdraw_time"):
        wrong.append(FieldViolation("declaration.withdraw_time", "must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the signed document, 32 bytes"
        wrong.append(FieldViolation("declaration.document_sha256", text))
    for name, most in (("excluded_uses", _MOST_USES), ("excluded_offence_codes", _MOST_CODES)):
        if len(getattr(given, name)) > most:
            wrong.append(FieldViolation(f"declaration.{name}", f"must be at most {most}"))
    sign, start, end = (
        parse_moment(f"declaration.{name}", given, wrong) for name in ("sign_time", "start_time", "end_time")
    )
    ori = parse_ori("declaration.agency_ori", given.agency_ori, wrong)
    signed_by = parse_text("declaration.signed_by", given.signed_by, wrong, most=_MOST_TEXT)
    office = parse_text("declaration.office", given.office, wrong, most=_MOST_TEXT)
    raise_violations(wrong)
    return Declaration(
        declaration_id="",
        agency_ori=ori,
        document_sha256=given.document_sha256,
        signed_by=signed_by,
        office=office,
        sign_time=sign,
        start_time=start,
        end_time=end,
        excluded_uses=tuple(sorted(set(given.excluded_uses))),
        excluded_codes=tuple(sorted(set(given.excluded_offence_codes))),
    )


def parse_end(request: pb.EndDeclarationRequest) -> tuple[str, str]:
    """The declaration's id, and why it ends. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("declaration_id", request.declaration_id, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return request.declaration_id, reason


def declaration(one: Declaration, law: OutOfStateLaw, now: datetime) -> pb.Declaration:
    """The message."""
    return pb.Declaration(
        declaration_id=one.declaration_id,
        agency_ori=one.agency_ori,
        document_sha256=one.document_sha256,
        signed_by=one.signed_by,
        office=one.office,
        sign_time=to_timestamp(one.sign_time),
        start_time=to_timestamp(one.start_time),
        end_time=to_timestamp(one.end_time),
        excluded_uses=one.excluded_uses,
        excluded_offence_codes=one.excluded_codes,
        record_time=to_timestamp(one.record_time) if one.record_time else None,
        withdraw_time=to_timestamp(one.withdraw_time) if one.withdraw_time else None,
        in_force=one.is_in_force(now, law),
    )


def law_message(law: OutOfStateLaw) -> pb.DeclarationLaw:
    """The message."""
    uses = [pb.ExcludedUse(use_id=use, text=text) for use, text in sorted(law.uses.items())]
    return pb.DeclarationLaw(
        name=law.name, home_state=law.home_state, longest_days=law.longest_days, uses=uses
    )


def next_token(one: Declaration) -> str:
    """The token of the page after this declaration."""
    moment = one.record_time.isoformat() if one.record_time else ""
    return page_token(moment, one.declaration_id)
