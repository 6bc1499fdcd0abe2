"""Between the messages of reviews and weekly packets and this service's own values."""

from __future__ import annotations

from datetime import UTC, date, datetime

from alpr.audit.v1 import packet_service_pb2 as packet_pb
from alpr.audit.v1 import review_service_pb2 as pb
from services.audit.core.misuse import Rule
from services.audit.core.review import Conclusion, MisuseFlag, Packet, Review, ReviewFinding
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_WORDS = (10, 2000)
_MOST_REFERENCE = 200
_MOST_UNIT = 50
_DIGEST_BYTES = 32


def parse_open(request: pb.OpenReviewRequest) -> tuple[str, str]:
    """Account and reason. Raises InvalidFieldError."""
    wrong = _ids(request.request_id)
    parse_uuid("account_id", request.account_id, wrong)
    reason = _words("reason", request.reason, wrong)
    raise_violations(wrong)
    return request.account_id, reason


def parse_review(request: pb.TakeReviewRequest | pb.SignReviewRequest) -> str:
    """The review's id. Raises InvalidFieldError."""
    wrong = _ids(request.request_id)
    parse_uuid("review_id", request.review_id, wrong)
    raise_violations(wrong)
    return request.review_id


def parse_close(request: pb.CloseReviewRequest) -> tuple[str, Conclusion]:
    """The review's id, and what was found. Raises InvalidFieldError."""
    wrong = _ids(request.request_id)
    parse_uuid("review_id", request.review_id, wrong)
    known = {pb.ReviewFinding.Value(f"REVIEW_FINDING_{one.value}"): one for one in ReviewFinding}
    finding = known.get(request.finding)
    if finding is None:
        wrong.append(FieldViolation("finding", "must be set"))
    explanation = _words("explanation", request.explanation, wrong)
    reference = request.sanction_reference.strip()
    if finding is ReviewFinding.MISUSE:
        reference = parse_text("sanction_reference", reference, wrong, most=_MOST_REFERENCE)
    elif reference:
        wrong.append(FieldViolation("sanction_reference", "must be empty unless misuse was found"))
    raise_violations(wrong)
    return request.review_id, Conclusion(finding or ReviewFinding.EXPLAINED, explanation, reference)


def parse_week(
    request: packet_pb.GetWeeklyPacketRequest | packet_pb.SignWeeklyPacketRequest,
) -> tuple[str, date]:
    """Unit and week. Raises InvalidFieldError."""
    wrong: Wrong = []
    if isinstance(request, packet_pb.SignWeeklyPacketRequest):
        wrong = _ids(request.request_id)
        if len(request.sha256) != _DIGEST_BYTES:
            wrong.append(FieldViolation("sha256", "must be that of the packet, 32 bytes"))
    unit = parse_text("unit", request.unit, wrong, most=_MOST_UNIT) if request.unit else ""
    week = _monday(request.week, wrong)
    raise_violations(wrong)
    return unit, week


def review(one: Review, *, overdue: bool) -> pb.Review:
    """The message."""
    return pb.Review(
        review_id=one.review_id,
        account_id=one.account_id,
        full_name=one.full_name,
        unit=one.unit,
        open_time=to_timestamp(one.open_time),
        reason=one.reason,
        flags=map(_flag, one.flags),
        reviewer_account_id=one.reviewer,
        finding=_finding(one.finding),
        explanation=one.explanation,
        sanction_reference=one.sanction_reference,
        signer_account_id=one.signer,
        close_time=to_timestamp(one.close_time) if one.close_time else None,
        overdue=overdue,
    )


def own_review(one: Review) -> pb.OwnReview:
    """The message: what the person sees of a review of himself."""
    return pb.OwnReview(
        review_id=one.review_id,
        open_time=to_timestamp(one.open_time),
        close_time=to_timestamp(one.close_time) if one.close_time else None,
        finding=_finding(one.finding),
        rules=sorted({_rule(flag.rule) for flag in one.flags}),
    )


def packet(one: Packet, moment: datetime) -> packet_pb.WeeklyPacket:
    """The message, as it stands at `moment`."""
    lines = [
        packet_pb.PacketLine(
            account_id=each.account_id,
            full_name=each.full_name,
            questions=each.questions,
            cases=each.cases,
            refused=each.refused,
            acts=each.acts,
            files=each.files,
            flags=map(_rule, each.flags),
        )
        for each in one.lines
    ]
    return packet_pb.WeeklyPacket(
        unit=one.unit,
        week=one.week.isoformat(),
        lines=lines,
        sha256=one.sha256,
        sign_time=to_timestamp(one.sign_time) if one.sign_time else None,
        signer_account_id=one.signer,
        overdue=one.is_overdue(moment),
        open_reviews=one.open_reviews,
    )


def _flag(one: MisuseFlag) -> pb.MisuseFlag:
    return pb.MisuseFlag(
        flag_id=one.flag_id,
        rule=_rule(one.rule),
        raise_time=to_timestamp(one.raise_time),
        evidence=[f"{name}={number}" for name, number in sorted(one.evidence.items())],
        log_indexes=one.entries,
    )


def _rule(one: Rule) -> pb.MisuseRule.ValueType:
    return pb.MisuseRule.Value(f"MISUSE_RULE_{one.value}")


def _finding(one: ReviewFinding | None) -> pb.ReviewFinding.ValueType:
    return pb.ReviewFinding.Value(f"REVIEW_FINDING_{one.value if one else 'UNSPECIFIED'}")


def _monday(text: str, wrong: Wrong) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.weekday() or len(text) != len("2026-11-23"):
        wrong.append(FieldViolation("week", "must be a Monday, as 2026-11-23"))
    return found or datetime.now(UTC).date()


def _words(path: str, text: str, wrong: Wrong) -> str:
    given = parse_text(path, text, wrong, most=_WORDS[1])
    if given and len(given) < _WORDS[0]:
        wrong.append(FieldViolation(path, f"must be at least {_WORDS[0]} characters"))
    return given


def _ids(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
