"""Who asks how the policies decide, and what they say of whom."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import policy_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.policy_service_pb2_grpc import PolicyServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    ALL_CERTIFICATIONS,
    COORDINATOR,
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")
UNTRAINED = tuple(kind for kind in ALL_CERTIFICATIONS if kind != account_pb.CERTIFICATION_KIND_ALPR_TRAINING)


async def explained(audit: RunningAudit, who: str, action: str, **fields: Any) -> pb.ExplainPolicyResponse:
    request = pb.ExplainPolicyRequest(action=action, **fields)
    stub = audit.people(PolicyServiceStub)
    answer: pb.ExplainPolicyResponse = await stub.ExplainPolicy(request, metadata=audit.bearer(who))
    return answer


def ids(answer: pb.ExplainPolicyResponse, effect: pb.PolicyEffect.ValueType) -> list[str]:
    return [one.policy_id for one in answer.policies if one.effect == effect]


@pytest.mark.clause("III.B.3.l")
async def test_an_allowed_act_names_the_policies_that_permit_it(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)

    answer = await explained(audit, officer.subject, "question.reads")

    assert answer.allowed
    assert answer.advice == ""
    assert ids(answer, pb.POLICY_EFFECT_PERMIT) == ["III.D.3/user"]
    assert ids(answer, pb.POLICY_EFFECT_FORBID) == []
    assert "question.reads" in answer.policies[0].text
    assert list(answer.roles) == [audit_pb.ROLE_USER]


@pytest.mark.clause("III.B.3.l", "III.D.1")
async def test_a_refusal_names_every_clause_against_it_and_what_would_permit_it(audit: RunningAudit) -> None:
    untrained = await audit.person(audit_pb.ROLE_USER, certifications=UNTRAINED, enable=False)

    answer = await explained(audit, untrained.subject, "question.reads")
    error = await refused(authorizations(audit).Authorize(plate_request(untrained.token())))

    assert not answer.allowed
    assert ids(answer, pb.POLICY_EFFECT_FORBID) == ["III.C.2.b", "III.D.1"]
    assert ids(answer, pb.POLICY_EFFECT_PERMIT) == ["III.D.3/user"]
    assert error.metadata["clauses"] == "III.C.2.b,III.D.1"
    assert answer.advice == error.message
    assert account_pb.CERTIFICATION_KIND_ALPR_TRAINING not in answer.certifications
    assert answer.state == account_pb.ACCOUNT_STATE_PENDING


@pytest.mark.clause("III.B.3.g")
async def test_a_coordinator_sees_that_he_may_grant_to_others_and_not_to_himself(audit: RunningAudit) -> None:
    own = await explained(audit, COORDINATOR, "account.get")
    himself = await account_of(audit, COORDINATOR)
    role = {"role": audit_pb.ROLE_AUDITOR, "agency_ori": ORI}

    for_other = await explained(audit, COORDINATOR, "account.grant", **role)
    for_self = await explained(audit, COORDINATOR, "account.grant", person_account_id=himself, **role)

    assert own.allowed
    assert for_other.allowed
    assert not for_self.allowed
    assert ids(for_self, pb.POLICY_EFFECT_FORBID) == ["III.B.3.g"]


@pytest.mark.clause("III.B.3.f")
async def test_what_belongs_to_another_agency_is_refused_by_name(audit: RunningAudit) -> None:
    answer = await explained(audit, COORDINATOR, "sensor.approve", agency_ori=OTHER_ORI)

    assert ids(answer, pb.POLICY_EFFECT_FORBID) == ["III.B.3.f"]


@pytest.mark.clause("III.B.3.l")
async def test_overseers_ask_about_others_and_users_about_themselves_only(audit: RunningAudit) -> None:
    officer, other = await audit.person(audit_pb.ROLE_USER), await audit.person(audit_pb.ROLE_USER)
    auditor = await audit.person(audit_pb.ROLE_AUDITOR)

    seen = await explained(audit, auditor.subject, "question.reads", account_id=officer.account_id)
    error = await refused(ask_about(audit, officer, other))

    assert seen.allowed
    assert error.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert (await last_entry(audit))["action"] == "policy.explain"


@pytest.mark.clause("III.B.3.f")
async def test_another_agencys_people_are_not_explained(audit: RunningAudit) -> None:
    stranger = await audit.head_of("IL0POL001")
    officer = await audit.person(audit_pb.ROLE_USER)

    error = await refused(ask_about(audit, stranger, officer))

    assert error.metadata["clauses"] == "III.B.3.f"


async def test_asking_does_nothing_and_leaves_no_entry(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    await explained(audit, officer.subject, "question.reads")  # the sign-in is an entry
    before = await log_size(audit)

    await explained(audit, officer.subject, "question.reads")

    assert await log_size(audit) == before


@pytest.mark.parametrize("action", ["", "question", 'x"; permit (principal, action, resource);', "reads\0"])
async def test_an_action_that_does_not_exist_is_an_error_of_its_field(
    audit: RunningAudit, action: str
) -> None:
    request = pb.ExplainPolicyRequest(action=action)
    stub = audit.people(PolicyServiceStub)

    error = await refused(stub.ExplainPolicy(request, metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == ["action"]


async def test_an_account_that_does_not_exist_is_not_found(audit: RunningAudit) -> None:
    request = pb.ExplainPolicyRequest(
        action="question.reads", account_id="00000000-0000-4000-8000-000000000000"
    )
    stub = audit.people(PolicyServiceStub)

    error = await refused(stub.ExplainPolicy(request, metadata=audit.bearer(COORDINATOR)))

    assert error.reason == ErrorReason.ERROR_REASON_NOT_FOUND


@pytest.mark.clause("III.B.3.l")
async def test_everybody_with_a_role_reads_the_policies_and_each_names_its_clause(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    stub = audit.people(PolicyServiceStub)

    answer = await stub.ListPolicies(pb.ListPoliciesRequest(), metadata=officer.metadata)
    error = await refused(stub.ListPolicies(pb.ListPoliciesRequest()))

    assert {"question.reads", "account.grant", "reads.purge"} <= set(answer.actions)
    assert all(one.policy_id and f'@id("{one.policy_id}")' in one.text for one in answer.policies)
    assert {one.effect for one in answer.policies} == {pb.POLICY_EFFECT_PERMIT, pb.POLICY_EFFECT_FORBID}
    assert error.reason == ErrorReason.ERROR_REASON_UNAUTHENTICATED


@pytest.mark.clause("III.B.3.l")
async def test_the_command_says_which_clauses_refuse(audit: RunningAudit, tls: DevelopmentAuthority) -> None:
    untrained = await audit.person(audit_pb.ROLE_USER, certifications=UNTRAINED, enable=False)

    code, output = await command(audit, tls, untrained, "explain", "question.reads")
    _, as_json = await command(audit, tls, untrained, "explain", "question.reads", "--json")

    assert code == 0
    assert output.startswith("refused: ")
    assert "forbids: III.D.1" in output
    assert "permits: III.D.3/user" in output
    assert not json.loads(as_json).get("allowed", False)


async def command(
    audit: RunningAudit, tls: DevelopmentAuthority, who: Officer, *arguments: str
) -> tuple[int, str]:
    """Exit code and output of `platewarden policy ...` as that person types it."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("platewarden")),
        "policy",
        *arguments,
        env={
            **os.environ,
            "PW_AUDIT_TARGET": audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": who.token(),
            "COLUMNS": "200",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def ask_about(audit: RunningAudit, who: Officer, other: Officer) -> Any:
    request = pb.ExplainPolicyRequest(action="question.reads", account_id=other.account_id)
    return audit.people(PolicyServiceStub).ExplainPolicy(request, metadata=who.metadata)


async def account_of(audit: RunningAudit, subject: str) -> str:
    stub = audit.people(AccountServiceStub)
    answer = await stub.GetAccount(account_pb.GetAccountRequest(), metadata=audit.bearer(subject))
    return str(answer.account.account_id)
