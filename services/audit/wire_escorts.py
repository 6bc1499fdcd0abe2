"""Between the messages of escorts and this service's own values."""

from __future__ import annotations

from datetime import UTC, datetime

from alpr.audit.v1 import escort_service_pb2 as pb
from services.audit import wire
from services.audit.core.escort import Escort, EscortScope, Plan, VendorCall
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_MOST_REASON = 500
_AFTER_ALL = ("9999-01-01T00:00:00+00:00", "ffffffff-ffff-ffff-ffff-ffffffffffff")


def parse_plan(request: pb.EscortVendorRequest, most_minutes: int) -> Plan | str:
    """What a new escort agrees to, or the id of one to go on with. Raises InvalidFieldError."""
    wrong: Wrong = []
    if request.escort_id:
        parse_uuid("escort_id", request.escort_id, wrong)
        if request.vendor_account_id or request.scope or request.minutes or request.reason:
            wrong.append(FieldViolation("escort_id", "what lasts is not changed: unset all other fields"))
        raise_violations(wrong)
        return request.escort_id
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("vendor_account_id", request.vendor_account_id, wrong)
    known = {pb.EscortScope.Value(f"ESCORT_SCOPE_{one.value}"): one for one in EscortScope}
    scope = known.get(request.scope)
    if scope is None:
        wrong.append(FieldViolation("scope", "must be set"))
    if not 1 <= request.minutes <= most_minutes:
        wrong.append(FieldViolation("minutes", f"must be 1 to {most_minutes}"))
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return Plan(request.vendor_account_id, scope or EscortScope.HEALTH, request.minutes, reason)


def parse_cut(request: pb.CutEscortRequest) -> str:
    """The escort's id. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("escort_id", request.escort_id, wrong)
    raise_violations(wrong)
    return request.escort_id


def parse_page_token(token: str) -> tuple[datetime, str]:
    """Time and id before which the page begins. Raises InvalidFieldError."""
    moment, escort_id = wire.parse_page_token(token, _AFTER_ALL)
    wrong: Wrong = []
    parse_uuid("page_token", escort_id, wrong)
    begun = _moment(moment)
    if begun is None:
        wrong.append(FieldViolation("page_token", "is none that was given here"))
    raise_violations(wrong)
    return begun or datetime.now(UTC), escort_id


def page_token(one: Escort) -> str:
    """The token of the page after this escort."""
    return wire.page_token(one.begin_time.isoformat(), one.escort_id)


def event(one: Escort | VendorCall) -> pb.EscortVendorResponse:
    """The message."""
    if isinstance(one, Escort):
        return pb.EscortVendorResponse(escort=escort(one))
    call = pb.VendorCall(
        call_time=to_timestamp(one.call_time), action=one.action, service=one.service, entry_id=one.entry_id
    )
    return pb.EscortVendorResponse(call=call)


def escort(one: Escort) -> pb.Escort:
    """The message."""
    return pb.Escort(
        escort_id=one.escort_id,
        vendor_account_id=one.vendor_account_id,
        escort_account_id=one.escort_account_id,
        scope=pb.EscortScope.Value(f"ESCORT_SCOPE_{one.scope.value}"),
        reason=one.reason,
        begin_time=to_timestamp(one.begin_time),
        end_time=to_timestamp(one.end_time),
        ended_time=to_timestamp(one.ended_time) if one.ended_time else None,
        cut_by=one.cut_by,
        calls=one.calls,
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
