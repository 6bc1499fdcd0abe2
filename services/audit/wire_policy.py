"""Between the messages of policies and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import policy_service_pb2 as pb
from services.audit.app_policy import Explanation, Question
from services.audit.core.policy import Policy, Thing
from services.audit.wire import Wrong, parse_ori, role_number
from services.audit.wire_registry import role_name
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_MOST_TEXT = 200


def parse_explain(request: pb.ExplainPolicyRequest) -> Question:
    """What is asked. Raises InvalidFieldError."""
    wrong: Wrong = []
    for field in ("account_id", "person_account_id"):
        if getattr(request, field):
            parse_uuid(field, getattr(request, field), wrong)
    unit = parse_text("unit", request.unit, wrong, most=_MOST_TEXT) if request.unit else ""
    thing = Thing(
        agency=parse_ori("agency_ori", request.agency_ori, wrong) if request.agency_ori else "",
        unit=unit,
        person=request.person_account_id,
        role=role_name(request.role),
    )
    action = parse_text("action", request.action, wrong, most=_MOST_TEXT)
    raise_violations(wrong)
    return Question(request.account_id, action, thing)


def policy(one: Policy) -> pb.Policy:
    """The message."""
    effect = pb.POLICY_EFFECT_FORBID if one.forbids else pb.POLICY_EFFECT_PERMIT
    return pb.Policy(policy_id=one.policy_id, effect=effect, text=one.text)


def explanation(one: Explanation) -> pb.ExplainPolicyResponse:
    """The message."""
    account = one.account
    return pb.ExplainPolicyResponse(
        allowed=one.allowed,
        policies=map(policy, one.policies),
        advice=one.advice,
        state=account_pb.AccountState.Value(f"ACCOUNT_STATE_{account.state.value}"),
        roles=map(role_number, sorted(account.roles)),
        certifications=[
            account_pb.CertificationKind.Value(f"CERTIFICATION_KIND_{kind.value}")
            for kind in sorted(account.in_force(one.moment))
        ],
        decide_time=to_timestamp(one.moment),
    )
