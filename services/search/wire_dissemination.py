"""DisseminationService: requests to acts, entries to messages, with every check of a request."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from alpr.search.v1 import dissemination_pb2
from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp
from services.search.app_notices import Followed, Resend
from services.search.app_register import Call, HandOn, Statement, Wanted
from services.search.core.dissemination import due_shortcomings, is_printable
from services.search.core.notice import is_address
from services.search.store_notices import Delivery
from services.search.store_register import BEYOND, Entry, Listing
from services.search.wire_recipient import parse_for_whom

_MOST_ROWS: Final = 500
_USUAL_ROWS: Final = 100
_STATEMENT: Final = (5, 500)
_NOT_HANDED_ON: Final = frozenset(
    {
        dissemination_pb2.RECIPIENT_KIND_UNSPECIFIED,
        dissemination_pb2.RECIPIENT_KIND_OWN_USE,
        dissemination_pb2.RECIPIENT_KIND_PUBLIC,
    }
)

_ListRequest = pb.ListDisseminationsRequest | pb.ListRecipientNoticesRequest | report_pb.ListEvidenceRequest
_StatementRequest = pb.RecordDeletionRequest | pb.RecordCorrectionRequest | pb.RecordToldRequest


def parse_hand_on(
    request: pb.RecordDisseminationRequest, token: AccessToken, home_state: str, now: datetime
) -> HandOn:
    """The file that goes to somebody else, too; case number and purpose pass through unread.

    Raises:
        InvalidFieldError: Names each field that is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    export_id = parse_uuid("export_id", request.export_id, wrong)
    for_whom = parse_for_whom(request.recipient, (), home_state, wrong)
    if request.recipient.kind in _NOT_HANDED_ON:
        text = "must be an agency, entity or system; for the public a report of its own is made"
        wrong.append(FieldViolation("recipient.kind", text))
    due = parse_moment("due_to_delete", request, wrong) if request.HasField("due_to_delete") else None
    wrong += [FieldViolation(name, text) for name, text in due_shortcomings(due, now)]
    raise_violations(wrong)
    return HandOn(Call(request_id, token), request.justification, export_id, for_whom, due)


def parse_statement(request: _StatementRequest, subject: str, token: AccessToken) -> Statement:
    """What somebody says of what the field `subject` names. Errors as for `parse_hand_on`."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    subject_id = parse_uuid(subject, getattr(request, subject), wrong)
    if not is_printable(request.statement, *_STATEMENT):
        text = f"must be {_STATEMENT[0]} to {_STATEMENT[1]} printable characters"
        wrong.append(FieldViolation("statement", text))
    raise_violations(wrong)
    return Statement(Call(request_id, token, _justification(request)), subject_id, request.statement.strip())


def _justification(request: _StatementRequest) -> Justification | None:
    return request.justification if isinstance(request, pb.RecordCorrectionRequest) else None


def parse_listing(request: pb.ListDisseminationsRequest, token: AccessToken) -> tuple[Wanted, Listing]:
    """Which entries are wanted. Errors as for `parse_hand_on`."""
    wrong: list[FieldViolation] = []
    overdue = parse_moment("overdue_at", request, wrong) if request.HasField("overdue_at") else None
    read_id: UUID | None = parse_uuid("read_id", request.read_id, wrong) if request.read_id else None
    wanted = parse_wanted(
        request,
        token,
        wrong,
        {"overdue_at": overdue.isoformat() if overdue else "", "read_id": request.read_id},
    )
    listing = Listing("", read_id=read_id, overdue_at=overdue, before_number=wanted.position or BEYOND)
    return wanted, listing


def parse_wanted(
    request: _ListRequest, token: AccessToken, wrong: list[FieldViolation], filters: dict[str, str]
) -> Wanted:
    """Which part of a list is wanted.

    Raises:
        InvalidFieldError: With all of `wrong`, and what is wrong with id, page size or token.
    """
    request_id = parse_uuid("request_id", request.request_id, wrong)
    if not 0 <= request.page_size <= _MOST_ROWS:
        wrong.append(FieldViolation("page_size", f"must be 1 to {_MOST_ROWS}, or 0 for {_USUAL_ROWS}"))
    position = _position(request.page_token, wrong)
    raise_violations(wrong)
    return Wanted(Call(request_id, token), position, request.page_size or _USUAL_ROWS, filters)


def _position(token: str, wrong: list[FieldViolation]) -> int:
    """The number that a page ended with. It shows nothing and opens nothing: a list is one's own agency's."""
    if not token:
        return 0
    number = int(token) if token.isascii() and token.isdecimal() and len(token) < len(str(BEYOND)) else 0
    if not number:
        wrong.append(FieldViolation("page_token", "must come from the page before"))
    return number


def next_page(numbers: list[int], wanted: Wanted) -> str:
    """The token after a page with these numbers; empty when it was the last."""
    return str(numbers[-1]) if len(numbers) == wanted.most else ""


def entry_message(entry: Entry) -> pb.Dissemination:
    """The entry as it is shown."""
    message = pb.Dissemination.FromString(entry.redactions)  # its redactions alone
    message.dissemination_id = str(entry.dissemination_id)
    message.kind = pb.DisseminationKind.Value(f"DISSEMINATION_KIND_{entry.kind}")
    message.export_id = str(entry.export_id or "")
    message.account_id = entry.account_id
    message.agency_ori = entry.agency_ori
    message.recipient.ParseFromString(entry.recipient)
    message.justification.ParseFromString(entry.justification)
    message.format = entry.format
    message.sha256 = entry.file_sha256
    message.size_bytes = entry.file_bytes
    message.read_count = entry.read_count
    message.made_time.CopyFrom(to_timestamp(entry.made_time))
    if entry.due_time:
        message.due_to_delete.CopyFrom(to_timestamp(entry.due_time))
    if entry.deleted_time:
        message.deleted_time.CopyFrom(to_timestamp(entry.deleted_time))
    message.question_entry_id = str(entry.question_entry_id)
    message.open_notice_count = entry.open_notices
    return message


def parse_resend(request: pb.ResendNoticeRequest, token: AccessToken) -> Resend:
    """The notice that is to be sent again. Errors as for `parse_hand_on`."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    notice_id = parse_uuid("notice_id", request.notice_id, wrong)
    if request.email and not is_address(request.email):
        wrong.append(FieldViolation("email", "must be a plain address, as records@example.gov"))
    raise_violations(wrong)
    return Resend(Call(request_id, token), notice_id, request.email)


def notice_message(followed: Followed) -> pb.RecipientNotice:
    """The notice as it is shown."""
    notice = followed.notice
    message = pb.RecipientNotice(
        notice_id=str(notice.notice_id),
        kind=pb.RecipientNoticeKind.Value(f"RECIPIENT_NOTICE_KIND_{notice.kind}"),
        dissemination_id=str(notice.dissemination_id),
        recipient=dissemination_pb2.Recipient.FromString(notice.recipient),
        sha256=notice.file_sha256,
        text=notice.statement,
        notice_time=to_timestamp(notice.notice_time),
    )
    if notice.told_time:
        message.told_time.CopyFrom(to_timestamp(notice.told_time))
    message.delivery.CopyFrom(_delivery(followed.delivery))
    return message


def _delivery(delivery: Delivery | None) -> pb.NoticeDelivery:
    if delivery is None:
        return pb.NoticeDelivery(state=pb.NOTICE_DELIVERY_STATE_BY_PERSON)
    message = pb.NoticeDelivery(
        state=pb.NoticeDeliveryState.Value(f"NOTICE_DELIVERY_STATE_{delivery.state}"),
        attempt_count=delivery.attempts,
        problem=delivery.problem,
    )
    if delivery.last_attempt:
        message.last_attempt_time.CopyFrom(to_timestamp(delivery.last_attempt))
    if delivery.next_attempt:
        message.next_attempt_time.CopyFrom(to_timestamp(delivery.next_attempt))
    return message
