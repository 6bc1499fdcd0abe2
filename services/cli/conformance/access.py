"""Checks of roles: acts and questions that a person must not be let into. Nothing is changed if he were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import grpc

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.audit.v1 import authorization_service_pb2 as role_pb
from alpr.audit.v1 import policy_service_pb2 as policy_pb
from alpr.audit.v1 import policy_service_pb2_grpc as policy_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from services.cli.conformance.asker import (
    Asker,
    Check,
    Checked,
    failed,
    for_a_person,
    method_of,
    passed,
    said,
)
from services.cli.conformance.sound import sound
from services.cli.options import new_request_id

_USER: Final = "user"
_HEAD: Final = "statewide-coordinator"
_ADMINISTRATOR: Final = "system-administrator"
_AUDITOR: Final = "auditor"
_UNIT: Final = "work-unit-coordinator"
_MOTOR_CARRIER: Final = frozenset({role_pb.ROLE_CVEO, role_pb.ROLE_CVEO_SUPERVISOR})
_DENIED: Final = grpc.StatusCode.PERMISSION_DENIED
_MOST_EXPLAINED: Final = 25
_CERTIFICATIONS: Final = (
    account_pb.CERTIFICATION_KIND_ALPR_TRAINING,
    account_pb.CERTIFICATION_KIND_LEADS,
    account_pb.CERTIFICATION_KIND_SECURITY_AWARENESS,
    account_pb.CERTIFICATION_KIND_BACKGROUND_CHECK,
)


async def _closed(asker: Asker, *tried: tuple[str, str, dict[str, Any]]) -> Checked:
    """Whether each role is refused each RPC, asked with a sound request."""
    lines = []
    for role, name, fields in tried:
        method = method_of(name)
        request = sound(method, **fields)
        error = await asker.as_role(role, method, request)
        line = f"{role}: {said(name, error)}"
        if error is None or error.code is not _DENIED:
            return failed("a role reaches what is not its own", line)
        lines.append(line)
    return passed("roles reach nothing beside their own", *lines)


def _role(*tried: tuple[str, str]) -> Callable[[Asker], Any]:
    async def run(asker: Asker) -> Checked:
        # A role that its holder has already: whoever were let in would change nothing.
        held = {
            "account_id": (await _head(asker)).account_id,
            "role": role_pb.ROLE_STATEWIDE_COORDINATOR,
        }
        return await _closed(asker, *((role, name, held if _grants(name) else {}) for role, name in tried))

    return run


def _grants(name: str) -> bool:
    return name == "AccountService.GrantRole"


async def _head(asker: Asker) -> account_pb.Account:
    answer = await asker.answer(
        _HEAD, account_rpc.AccountServiceStub, "GetAccount", account_pb.GetAccountRequest()
    )
    account: account_pb.Account = answer.account
    return account


async def _settings(asker: Asker) -> Checked:
    """Nobody but the administrator sets anything; what is tried would leave it as it is."""
    stub = settings_rpc.SettingsServiceStub
    kept = (await asker.answer(_USER, stub, "GetRetention", settings_pb.GetRetentionRequest())).retention
    listed = await asker.answer(_USER, stub, "ListSettings", settings_pb.ListSettingsRequest())
    one = listed.settings[0]
    same = {
        "days": kept.days,
        "days_before": kept.days,
        "confirm_days": kept.days,
        "reason": "conformance run",
    }
    also = {"name": one.name, "value": one.value, "value_before": one.value, "reason": "conformance run"}
    return await _closed(
        asker,
        *((role, "SettingsService.SetRetention", same) for role in (_USER, _HEAD)),
        *((role, "SettingsService.SetSetting", also) for role in (_USER, _HEAD)),
    )


async def _grants_himself(asker: Asker) -> Checked:
    own = await _head(asker)
    method = method_of("AccountService.GrantRole")
    # A role that he has already, so that nothing is gained.
    request = account_pb.GrantRoleRequest(
        request_id=new_request_id(), account_id=own.account_id, role=role_pb.ROLE_STATEWIDE_COORDINATOR
    )
    error = await asker.as_role(_HEAD, method, request)
    line = said("AccountService.GrantRole to oneself", error)
    if error is None or error.code is not _DENIED:
        return failed("a coordinator grants to himself", line)
    return passed("a coordinator grants nothing to himself", line)


async def _addresses(asker: Asker) -> Checked:
    own = await _head(asker)
    domain = own.email.rpartition("@")[2]
    lines = []
    for address in ("somebody@gmail.com", f"somebody@{domain}.example.com", f"somebody@not-{domain}"):
        account = account_pb.Account(
            subject=new_request_id(),
            issuer=own.issuer,
            full_name="Conformance Run",
            badge_number="0",
            email=address,
            agency_ori=own.agency_ori,
            unit=own.unit,
        )
        request = account_pb.CreateAccountRequest(request_id=new_request_id(), account=account)
        error = await asker.as_role(_HEAD, method_of("AccountService.CreateAccount"), request)
        kind = "a look-alike of the agency's domain" if domain in address else "a public provider"
        lines.append(said(f"AccountService.CreateAccount with {kind}", error))
        if error is None or not any("email" in one.field for one in error.violations):
            return failed("an account is made for an address of no government domain", lines[-1])
    return passed("addresses of no government domain get no account", *lines)


async def _training(asker: Asker) -> Checked:
    """Whoever lacks a certification that counts is let into no question, whatever else stands on record."""
    stub = account_rpc.AccountServiceStub
    accounts = await asker.pages(_AUDITOR, stub, "ListAccounts", account_pb.ListAccountsRequest(), "accounts")
    lacking = [one for one in accounts if not _is_certified(one)]
    lines = [f"{len(accounts)} accounts, {len(accounts) - len(lacking)} with all certifications in force"]
    for one in lacking[:_MOST_EXPLAINED]:
        request = policy_pb.ExplainPolicyRequest(
            account_id=one.account_id, action="question.reads", agency_ori=one.agency_ori, unit=one.unit
        )
        answer = await asker.answer(_AUDITOR, policy_rpc.PolicyServiceStub, "ExplainPolicy", request)
        if answer.allowed:
            return failed("an account asks without a certification that counts", f"account {one.account_id}")
        refusing = ", ".join(sorted({policy.policy_id for policy in answer.policies}))
        lines.append(f"account {one.account_id} would be refused: {refusing}")
    return passed("nobody asks without training, LEADS certification and screening in force", *lines)


async def _motor_carrier_training(asker: Asker) -> Checked:
    stub = account_rpc.AccountServiceStub
    accounts = await asker.pages(_AUDITOR, stub, "ListAccounts", account_pb.ListAccountsRequest(), "accounts")
    own = [one for one in accounts if _MOTOR_CARRIER.intersection(one.roles)]
    if not own:
        return for_a_person("nobody has a role of Motor Carrier Safety")
    course = account_pb.CERTIFICATION_KIND_MOTOR_CARRIER_TRAINING
    lacking = [
        one.account_id
        for one in own
        if one.state == account_pb.ACCOUNT_STATE_ENABLED
        and course not in {c.kind for c in one.certifications}
    ]
    if lacking:
        return failed("people of Motor Carrier Safety are enabled without its course", *lacking)
    return passed("nobody of Motor Carrier Safety is enabled without its own course", f"{len(own)} accounts")


async def _exports(asker: Asker) -> Checked:
    """The agency's head may take everything out."""
    head, lines = await _head(asker), []
    for action in ("dissemination.everything", "alert.export", "hot_list.export"):
        request = policy_pb.ExplainPolicyRequest(
            account_id=head.account_id, action=action, agency_ori=head.agency_ori, unit=head.unit
        )
        answer = await asker.answer(_AUDITOR, policy_rpc.PolicyServiceStub, "ExplainPolicy", request)
        lines.append(f"{action}: {'allowed' if answer.allowed else 'refused'}")
        if not answer.allowed:
            return failed("the agency's head may not take out all that is the agency's", *lines)
    return passed("the agency's head may take out reads, alerts and hot lists", *lines)


def _is_certified(account: account_pb.Account) -> bool:
    now = datetime.now(UTC)
    counting = {
        one.kind
        for one in account.certifications
        if one.valid_from.ToDatetime(UTC) <= now < one.valid_until.ToDatetime(UTC)
    }
    return counting.issuperset(_CERTIFICATIONS)


CHECKS: Final = (
    Check(
        "what a user may not",
        ("III.B.3.g", "III.B.3.l", "IV.F.1"),
        (_USER, _HEAD),
        _role(
            (_USER, "AccountService.GrantRole"),
            (_USER, "AccountService.ListAccounts"),
            (_USER, "LogQueryService.ListEntries"),
            (_USER, "LogService.ExportLog"),
            (_USER, "RetentionService.RunPurge"),
            (_USER, "SupportService.ListSupport"),
        ),
    ),
    Check(
        "what an administrator may not",
        ("III.B.3.g", "III.B.3.l"),
        (_ADMINISTRATOR, _HEAD),
        _role(
            (_ADMINISTRATOR, "SearchService.SearchReads"),
            (_ADMINISTRATOR, "AlertService.GetAlert"),
            (_ADMINISTRATOR, "AccountService.GrantRole"),
            (_ADMINISTRATOR, "LogService.ExportLog"),
        ),
    ),
    Check(
        "what an auditor may not",
        ("III.B.3.l",),
        (_AUDITOR, _HEAD),
        _role(
            (_AUDITOR, "SearchService.SearchReads"),
            (_AUDITOR, "AccountService.GrantRole"),
            (_AUDITOR, "RetentionService.RunPurge"),
        ),
    ),
    Check(
        "what dispatchers and list managers may not",
        ("III.B.3.l",),
        ("telecom-center", "hot-list-manager", _HEAD),
        _role(
            ("telecom-center", "SearchService.SearchReads"),
            ("hot-list-manager", "SearchService.SearchReads"),
            ("hot-list-manager", "AlertService.GetAlert"),
        ),
    ),
    Check("settings", ("IV.E.1.b", "III.B.3.o"), (_USER, _HEAD), _settings),
    Check("nobody grants to himself", ("III.B.3.g",), (_HEAD,), _grants_himself),
    Check("addresses", ("III.B.3.j",), (_HEAD,), _addresses),
    Check(
        "own unit only",
        ("III.C.2.a", "III.B.3.g"),
        (_UNIT, _HEAD),
        _role((_UNIT, "AccountService.GrantRole")),
    ),
    Check("the agency's own data", ("IV.A.3",), (_AUDITOR, _HEAD), _exports),
    Check("Motor Carrier training", ("III.E.4",), (_AUDITOR,), _motor_carrier_training),
    Check(
        "certifications", ("III.B.3.a", "III.B.3.b", "III.C.2.c", "III.D.1", "IV.A.4"), (_AUDITOR,), _training
    ),
)
