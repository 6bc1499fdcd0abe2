"""Between the messages of LogQueryService and this service's own values; checks of shape are here."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from google.protobuf.message import Message

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.type.v1 import notice_pb2
from services.audit import wire
from services.audit.app_log_query import GRACE, OWN, Answer, Disclosure, Redaction
from services.audit.core.log_question import LogFilter
from services.audit.store_log_query import Unfinished
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

Wrong = list[FieldViolation]
NOTICE: Final = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text=(
        "UNVERIFIED. Entries of the log say what was asked and done. A plate in them is a lead only and no "
        "ground to act upon: confirm with the record's owner, LEADS or NCIC before any action."
    ),
)
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*(?:[.][a-z][a-z0-9_]*)+")
_KINDS: Final = frozenset({"query", "refusal", "intent", "outcome", "event", "genesis"})
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_FIELD: Final = re.compile(r"[a-z_]+(?:[.][a-z0-9_.-]+)?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_FIELDS: Final = 40
_LEAST_BASIS: Final = 10
_MOST_BASIS: Final = 500
_LEAST_RECIPIENT: Final = 3
_MOST_TEXT: Final = 200


def parse_list(request: pb.ListEntriesRequest) -> LogFilter:
    """The question.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    size = wire.parse_page_size(request.page_size, usual=100, most=500)
    (before,) = wire.parse_page_token(request.page_token, ("0",))
    if not (before.isascii() and before.isdecimal()):
        wrong.append(FieldViolation("page_token", "must be empty or come from the page before"))
    if request.account_id:
        parse_uuid("account_id", request.account_id, wrong)
    if request.case_number:
        parse_text("case_number", request.case_number, wrong, most=_MOST_TEXT)
    if request.action and not _ACTION.fullmatch(request.action):
        wrong.append(FieldViolation("action", 'must be an action like "question.reads"'))
    if request.kind and request.kind not in _KINDS:
        wrong.append(FieldViolation("kind", f"must be one of {', '.join(sorted(_KINDS))}"))
    if request.plate and not _PLATE.fullmatch(request.plate):
        wrong.append(FieldViolation("plate", "must be 1 to 12 letters A-Z and digits, without wildcards"))
    if request.agency_ori:
        wire.parse_ori("agency_ori", request.agency_ori, wrong)
    start = parse_moment("from", request, wrong) if request.HasField("from") else None
    end = parse_moment("to", request, wrong) if request.HasField("to") else None
    raise_violations(wrong)
    return LogFilter(
        start=start,
        end=end,
        account_id=request.account_id,
        case_number=request.case_number.strip(),
        action=request.action,
        kind=request.kind,
        before=int(before),
        page_size=size,
        plate=request.plate,
        agency_ori=request.agency_ori,
    )


def parse_own(request: pb.ListOwnEntriesRequest) -> LogFilter:
    """The question; whose entries it is about, the token says.

    Looks at the own entries are left out unless they are asked for.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    same = pb.ListEntriesRequest(
        request_id=request.request_id,
        action=request.action,
        kind=request.kind,
        page_size=request.page_size,
        page_token=request.page_token,
    )
    for name in ("from", "to"):
        if request.HasField(name):
            getattr(same, name).CopyFrom(getattr(request, name))
    return replace(parse_list(same), without="" if request.action else OWN)


def parse_disclose(request: pb.DiscloseFieldsRequest) -> Disclosure:
    """The disclosure.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    entry_id = str(parse_uuid("entry_id", request.entry_id, wrong))
    names = tuple(dict.fromkeys(request.fields))
    if not 1 <= len(names) <= _MOST_FIELDS or not all(_FIELD.fullmatch(name) for name in names):
        wrong.append(FieldViolation("fields", f"must be names of 1 to {_MOST_FIELDS} fields"))
    recipient = parse_text("recipient", request.recipient, wrong, most=_MOST_TEXT)
    if len(recipient.strip()) < _LEAST_RECIPIENT:
        wrong.append(FieldViolation("recipient", "must say who gets it"))
    raise_violations(wrong)
    return Disclosure(entry_id, names, recipient)


def parse_redact(request: pb.RedactFieldRequest) -> Redaction:
    """The redaction.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    entry_id = str(parse_uuid("entry_id", request.entry_id, wrong))
    if not _FIELD.fullmatch(request.field):
        wrong.append(FieldViolation("field", "must be the name of a field"))
    basis = parse_text("legal_basis", request.legal_basis, wrong, most=_MOST_BASIS)
    if len(basis.strip()) < _LEAST_BASIS:
        wrong.append(FieldViolation("legal_basis", "must name the law or order"))
    if not _SHA256.fullmatch(request.document_sha256):
        wrong.append(FieldViolation("document_sha256", "must be 64 hexadecimal digits"))
    raise_violations(wrong)
    return Redaction(entry_id, request.field, basis, request.document_sha256)


def parse_window(request: pb.ListUnfinishedRequest, now: datetime) -> tuple[datetime, datetime]:
    """From when to when.

    Raises:
        InvalidFieldError: A moment is none.
    """
    wrong: Wrong = []
    end = _moment("to", request, now - GRACE, wrong)
    start = _moment("from", request, end - timedelta(days=1), wrong)
    raise_violations(wrong)
    return start, end


def _moment(field: str, request: Message, usual: datetime, wrong: Wrong) -> datetime:
    return parse_moment(field, request, wrong) if request.HasField(field) else usual


_Page = TypeVar("_Page", pb.ListEntriesResponse, pb.ListOwnEntriesResponse)


def entries(answer: Answer, message: type[_Page]) -> _Page:
    """The message of that type for a page."""
    return message(
        entries=map(wire.log_entry, answer.entries),
        next_page_token=wire.page_token(str(answer.next_before)) if answer.next_before else "",
        question_receipt=wire.receipt(answer.question),
        outcome_receipt=wire.receipt(answer.outcome),
        notice=NOTICE,
        searched_from=to_timestamp(answer.window[0]),
        searched_to=to_timestamp(answer.window[1]),
    )


def unfinished(one: Unfinished) -> pb.UnfinishedAct:
    """The message for a question or act without outcome."""
    return pb.UnfinishedAct(
        entry_id=one.entry_id,
        log_index=one.log_index,
        kind=one.kind,
        action=one.action,
        actor=one.actor,
        record_time=to_timestamp(one.record_time),
    )
