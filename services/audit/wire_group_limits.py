"""Between the messages of limits of sensor groups and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import governance_service_pb2 as pb
from services.audit.core.group_limit import GroupLimit
from services.audit.wire import Wrong, parse_ori
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations

_MOST_CODES = 50
_MOST_CODE = 64
_MOST_GROUP = 63
_MOST_REASON = 500


def parse_set(request: pb.SetGroupLimitRequest) -> tuple[GroupLimit, str]:
    """The limit and why. Raises InvalidFieldError."""
    given, wrong = request.limit, _request_id(request.request_id)
    codes = tuple(sorted(set(given.offence_codes)))
    if len(codes) > _MOST_CODES or any(len(code) > _MOST_CODE for code in codes):
        wrong.append(FieldViolation("limit.offence_codes", f"must be at most {_MOST_CODES} codes"))
    limit = GroupLimit(
        agency_ori=parse_ori("limit.agency_ori", given.agency_ori, wrong),
        sensor_group=parse_text("limit.sensor_group", given.sensor_group, wrong, most=_MOST_GROUP),
        offence_codes=codes,
    )
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return limit, reason


def group_limit(given: GroupLimit) -> pb.GroupLimit:
    """The message for a limit."""
    return pb.GroupLimit(
        agency_ori=given.agency_ori, sensor_group=given.sensor_group, offence_codes=given.offence_codes
    )


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
