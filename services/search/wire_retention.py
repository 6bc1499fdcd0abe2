"""Between the messages of RetentionService and this service's own values; checks of requests are here."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from alpr.search.v1 import retention_service_pb2 as pb
from alpr.type.v1.justification_pb2 import CaseNumberKind
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import (
    parse_moment,
    parse_plate,
    parse_text,
    parse_uuid,
    raise_violations,
    to_timestamp,
)
from services.search.app_holds import HeldImage, HeldQuestion, HeldReads
from services.search.app_retention import Findings, Position
from services.search.audit_gateway import Receipts
from services.search.core.holds import Hold, HoldRule, NewHold, hold_id
from services.search.errors import BadPageTokenError
from services.search.store_purge import EndedPurge
from services.search.wire_search import NOTICE, found_read, left_out

_SENSOR_ID: Final = re.compile(r"[a-z0-9-]{3,63}")
_MOST_NAMES: Final = 100
_MOST_REASON: Final = 500
_DIGEST_BYTES: Final = 32
_FARTHEST_AHEAD: Final = timedelta(days=366)
_MOST_PAGE: Final = 500
_MOST_READS: Final = 1000
_USUAL_PAGE: Final = 100


def parse_request_id(text: str) -> UUID:
    """The request's id. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    found = parse_uuid("request_id", text, wrong)
    raise_violations(wrong)
    return found


def parse_place(request: pb.PlaceHoldRequest, now: datetime) -> tuple[UUID, NewHold]:
    """The request's id and the hold. Its case number is audit's to check. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    from_time, to_time = parse_moment("from", request, wrong), parse_moment("to", request, wrong)
    plates = tuple(parse_plate(f"plates[{n}]", one, wrong) for n, one in enumerate(request.plates))
    checks = (
        ("plates", len(plates) + len(request.sensor_ids) > 0, "plates or sensor_ids must be named"),
        ("plates", len(plates) <= _MOST_NAMES, f"must be at most {_MOST_NAMES}"),
        ("sensor_ids", len(request.sensor_ids) <= _MOST_NAMES, f"must be at most {_MOST_NAMES}"),
        ("sensor_ids", all(map(_SENSOR_ID.fullmatch, request.sensor_ids)), "must be ids of sensors"),
        ("to", from_time < to_time, "must be after from"),
        ("to", to_time <= now + _FARTHEST_AHEAD, "must be within a year from now"),
        ("from", from_time <= now, "must not lie ahead"),
        ("document_sha256", len(request.document_sha256) == _DIGEST_BYTES, "must be a SHA-256, 32 bytes"),
    )
    wrong += [FieldViolation(field, text) for field, holds, text in checks if not holds]
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    why = request.justification
    rule = HoldRule(tuple(sorted(set(plates))), tuple(sorted(set(request.sensor_ids))), from_time, to_time)
    return request_id, NewHold(
        hold_id=hold_id(request_id),
        rule=rule,
        document_sha256=request.document_sha256,
        reason=reason,
        case_number_kind=_kind_name(why.case_number_kind),
        case_number=why.case_number.strip(),
    )


def parse_release(request: pb.ReleaseHoldRequest) -> tuple[UUID, UUID, str]:
    """The request's id, the hold, and why. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    released = parse_uuid("hold_id", request.hold_id, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return request_id, released, reason


def parse_held_reads(request: pb.ListHeldReadsRequest, token: AccessToken) -> HeldQuestion:
    """The question. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    held = parse_uuid("hold_id", request.hold_id, wrong)
    after = parse_uuid("after_read_id", request.after_read_id, wrong) if request.after_read_id else None
    size = _page_size(request.page_size, _MOST_READS, wrong)
    raise_violations(wrong)
    return HeldQuestion(request.request_id, token, request.justification, held, size, after)


def parse_held_image(request: pb.GetHeldReadImageRequest, token: AccessToken) -> HeldQuestion:
    """The question. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    held = parse_uuid("hold_id", request.hold_id, wrong)
    read_id = parse_uuid("read_id", request.read_id, wrong)
    raise_violations(wrong)
    return HeldQuestion(request.request_id, token, request.justification, held, 1, read_id)


def parse_page_size(size: int) -> int:
    """Rows of a page of a list. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    found = _page_size(size, _MOST_PAGE, wrong)
    raise_violations(wrong)
    return found


def parse_hold_position(token: str) -> UUID | None:
    """The last hold of the page before, None for the first page. Raises BadPageTokenError."""
    try:
        return UUID(_opened(token)[0]) if token else None
    except (ValueError, LookupError, TypeError):
        raise BadPageTokenError("page_token is not of this list") from None


def parse_purge_position(token: str) -> Position:
    """The last purge of the page before. Raises BadPageTokenError."""
    if not token:
        return Position()
    try:
        ended_at, purge_id = _opened(token)
        return Position(datetime.fromisoformat(ended_at).astimezone(UTC), UUID(purge_id))
    except (ValueError, LookupError, TypeError, OverflowError):
        raise BadPageTokenError("page_token is not of this list") from None


def hold_token(last: Hold) -> str:
    """For the page after `last`. It holds nothing that its holder has not seen."""
    return _sealed([str(last.hold_id)])


def purge_token(last: EndedPurge) -> str:
    """For the page after `last`."""
    return _sealed([last.ended_at.isoformat(), str(last.purge_id)])


def hold(found: Hold) -> pb.Hold:
    """The message."""
    message = pb.Hold(
        hold_id=str(found.hold_id),
        agency_ori=found.agency_ori,
        approver_id=found.approver_id,
        case_number_kind=CaseNumberKind.Value(f"CASE_NUMBER_KIND_{found.case_number_kind}"),
        case_number=found.case_number,
        document_sha256=found.document_sha256,
        reason=found.reason,
        place_time=to_timestamp(found.placed_at),
        to=to_timestamp(found.to_time),
        plate_count=found.plate_count,
        sensor_ids=found.sensor_ids,
        matching_reads=found.matching_rows,
        kept_reads=found.kept_rows,
        release_time=to_timestamp(found.released_at) if found.released_at else None,
        released_reads=found.released_rows or 0,
    )
    getattr(message, "from").CopyFrom(to_timestamp(found.from_time))
    return message


def placed(found: Hold, receipts: Receipts) -> pb.PlaceHoldResponse:
    """The response."""
    return pb.PlaceHoldResponse(
        hold=hold(found), intent_receipt=receipts.question, outcome_receipt=receipts.outcome
    )


def released(rows: int, digest: bytes, receipts: Receipts) -> pb.ReleaseHoldResponse:
    """The response."""
    return pb.ReleaseHoldResponse(
        released_reads=rows,
        released_digest=digest,
        intent_receipt=receipts.question,
        outcome_receipt=receipts.outcome,
    )


def held_reads(found: HeldReads) -> pb.ListHeldReadsResponse:
    """The response."""
    answered = found.answered
    return pb.ListHeldReadsResponse(
        reads=map(found_read, found.reads),
        has_more=answered.summary.has_more,
        question_receipt=answered.receipts.question,
        outcome_receipt=answered.receipts.outcome,
        notice=NOTICE,
        searched_from=to_timestamp(answered.authorization.from_time),
        searched_to=to_timestamp(answered.authorization.to_time),
        left_out=left_out(answered.authorization),
    )


def held_image(found: HeldImage) -> pb.GetHeldReadImageResponse:
    """The response."""
    answered = found.answered
    return pb.GetHeldReadImageResponse(
        image=found.image,
        media_type=found.media_type,
        question_receipt=answered.receipts.question,
        outcome_receipt=answered.receipts.outcome,
        notice=NOTICE,
        searched_from=to_timestamp(answered.authorization.from_time),
        searched_to=to_timestamp(answered.authorization.to_time),
        left_out=left_out(answered.authorization),
    )


def purge(found: EndedPurge) -> pb.Purge:
    """The message."""
    message = pb.Purge(
        purge_id=str(found.purge_id),
        day=found.day.isoformat(),
        end_time=to_timestamp(found.ended_at),
        done=found.done,
        certificate=found.certificate,
    )
    if found.receipts:
        intent, outcome = found.receipts
        message.intent_receipt.CopyFrom(intent)
        message.outcome_receipt.CopyFrom(outcome)
    return message


def findings(found: Findings) -> pb.CheckRetentionResponse:
    """The response."""
    return pb.CheckRetentionResponse(
        found=[
            pb.OlderData(
                place=one.place,
                count=one.count,
                oldest_day=one.oldest.isoformat() if one.oldest else "",
                reason=pb.OlderReason.Value(f"OLDER_REASON_{one.reason}"),
            )
            for one in found.found
        ],
        first_kept_day=found.first_kept.isoformat(),
        retention_days=found.days,
    )


def _kind_name(kind: CaseNumberKind.ValueType) -> str:
    known = kind in CaseNumberKind.values()
    return CaseNumberKind.Name(kind).removeprefix("CASE_NUMBER_KIND_") if known else "UNSPECIFIED"


def _page_size(size: int, most: int, wrong: list[FieldViolation]) -> int:
    if not 0 <= size <= most:
        wrong.append(FieldViolation("page_size", f"must be 1 to {most}, or 0 for {_USUAL_PAGE}"))
    return size or _USUAL_PAGE


def _sealed(position: list[str]) -> str:
    return urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()


def _opened(token: str) -> list[str]:
    found: list[str] = json.loads(urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)))
    return found
