"""Between the messages of sign-ins and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import sign_in_service_pb2 as pb
from services.audit.app_sign_ins import Ending, Shown
from services.audit.wire import Wrong
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_MOST_REASON = 500


def parse_list(request: pb.ListSignInsRequest) -> str:
    """Whose; "" for the caller's own. Raises InvalidFieldError."""
    wrong: Wrong = []
    if request.account_id:
        parse_uuid("account_id", request.account_id, wrong)
    raise_violations(wrong)
    return request.account_id


def parse_end(request: pb.EndSignInsRequest) -> Ending:
    """What to end. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if request.account_id:
        parse_uuid("account_id", request.account_id, wrong)
    if request.sign_in_id:
        parse_uuid("sign_in_id", request.sign_in_id, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return Ending(request.account_id, request.sign_in_id, reason)


def sign_in(shown: Shown) -> pb.SignIn:
    """The message."""
    one = shown.sign_in
    return pb.SignIn(
        sign_in_id=one.sign_in_id,
        account_id=one.account_id,
        device=one.device,
        methods=one.methods,
        auth_time=to_timestamp(one.auth_time),
        first_time=to_timestamp(one.first_time),
        seen_time=to_timestamp(one.seen_time),
        end_time=to_timestamp(one.end_time) if one.end_time else None,
        open=shown.open,
        own=shown.own,
    )
