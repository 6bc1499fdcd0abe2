"""Between the messages of rosters and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import roster_service_pb2 as pb
from services.audit.core.roster import Leaver, Roster, badge_key
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_PEOPLE = 100_000
_MOST_BADGE = 200


def parse_submit(request: pb.SubmitRosterRequest) -> Roster:
    """The roster to compare. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if len(request.sha256) != _DIGEST_BYTES:
        wrong.append(FieldViolation("sha256", "must be the SHA-256 of the personnel office's file, 32 bytes"))
    numbers = request.badge_numbers
    if not 1 <= len(numbers) <= _MOST_PEOPLE or not all(map(_is_badge, numbers)):
        text = f"must be 1 to {_MOST_PEOPLE} badge numbers of 1 to {_MOST_BADGE} characters"
        wrong.append(FieldViolation("badge_numbers", text))
    as_of = parse_moment("as_of_time", request, wrong)
    raise_violations(wrong)
    return Roster(frozenset(numbers), request.sha256, as_of)


def parse_end(request: pb.EndLeaversRequest) -> int:
    """How many leavers there are. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if request.leavers < 1:
        wrong.append(FieldViolation("leavers", "must be the number of leavers"))
    raise_violations(wrong)
    return request.leavers


def leaver(one: Leaver) -> pb.Leaver:
    """The message."""
    return pb.Leaver(
        account_id=one.account_id,
        full_name=one.full_name,
        unit=one.unit,
        since_time=to_timestamp(one.since_time),
    )


def _is_badge(text: str) -> bool:
    return bool(badge_key(text)) and len(text) <= _MOST_BADGE and text.isprintable()
