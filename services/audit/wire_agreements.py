"""Between the messages of agreements and this service's own values."""

from __future__ import annotations

from datetime import timedelta

from alpr.audit.v1 import governance_service_pb2 as pb
from services.audit import wire
from services.audit.core.agreement import Agreement, DataClass, Terms
from services.audit.wire import Wrong, parse_ori
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_REASON = 500
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"
# As long as contracts of the directive run (III.B.2); who wants longer agrees again.
_LONGEST = timedelta(days=5 * 366)


def parse_propose(request: pb.ProposeAgreementRequest) -> Terms:
    """The terms that are proposed. Raises InvalidFieldError."""
    given, wrong = request.agreement, _request_id(request.request_id)
    if given.agreement_id or given.state or given.proposed_by_ori:
        text = "agreement_id, state and proposed_by_ori must be unset"
        wrong.append(FieldViolation("agreement", text))
    terms = Terms(
        provider_ori=parse_ori("agreement.provider_ori", given.provider_ori, wrong),
        recipient_ori=parse_ori("agreement.recipient_ori", given.recipient_ori, wrong),
        data_classes=_data_classes(given, wrong),
        document_sha256=given.document_sha256,
        start_time=parse_moment("agreement.start_time", given, wrong),
        end_time=parse_moment("agreement.end_time", given, wrong),
    )
    if given.provider_ori == given.recipient_ori:
        wrong.append(FieldViolation("agreement.recipient_ori", "must be another agency than provider_ori"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the signed document, 32 bytes"
        wrong.append(FieldViolation("agreement.document_sha256", text))
    if not terms.start_time < terms.end_time <= terms.start_time + _LONGEST:
        wrong.append(FieldViolation("agreement.end_time", "must be after start_time, by at most 5 years"))
    raise_violations(wrong)
    return terms


def parse_accept(request: pb.AcceptAgreementRequest) -> str:
    """The agreement's id. Raises InvalidFieldError."""
    wrong = _request_id(request.request_id)
    parse_uuid("agreement_id", request.agreement_id, wrong)
    raise_violations(wrong)
    return request.agreement_id


def parse_end(request: pb.EndAgreementRequest) -> tuple[str, str]:
    """The agreement's id, and why it ends. Raises InvalidFieldError."""
    wrong = _request_id(request.request_id)
    parse_uuid("agreement_id", request.agreement_id, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return request.agreement_id, reason


def parse_page_token(token: str) -> str:
    """The agreement after which the page begins. Raises InvalidFieldError."""
    (after,) = wire.parse_page_token(token, (_BEFORE_ALL,))
    wrong: Wrong = []
    if after != _BEFORE_ALL:
        parse_uuid("page_token", after, wrong)
    raise_violations(wrong)
    return after


def agreement(given: Agreement) -> pb.Agreement:
    """The message for an agreement."""
    terms = given.terms
    return pb.Agreement(
        agreement_id=given.agreement_id,
        provider_ori=terms.provider_ori,
        recipient_ori=terms.recipient_ori,
        data_classes=[pb.DataClass.Value(f"DATA_CLASS_{one.value}") for one in terms.data_classes],
        document_sha256=terms.document_sha256,
        start_time=to_timestamp(terms.start_time),
        end_time=to_timestamp(terms.end_time),
        state=pb.AgreementState.Value(f"AGREEMENT_STATE_{given.state.value}"),
        proposed_by_ori=given.proposed_by_ori,
    )


def _data_classes(given: pb.Agreement, wrong: Wrong) -> tuple[DataClass, ...]:
    known = {pb.DataClass.Value(f"DATA_CLASS_{one.value}"): one for one in DataClass}
    numbers = list(given.data_classes)
    if not numbers or len(set(numbers)) != len(numbers) or not known.keys() >= set(numbers):
        wrong.append(FieldViolation("agreement.data_classes", "must be set, known and distinct"))
        return ()
    return tuple(known[number] for number in sorted(numbers))


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
