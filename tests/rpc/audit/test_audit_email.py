"""Addresses: of the agency's government domains, or by written approval that ends (ENF-051 III.B.3.j)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ALL_CERTIFICATIONS,
    COORDINATOR,
    DOMAIN,
    ORI,
    Officer,
    RunningAudit,
    refused,
    request_id,
)
from tests.support.databases import fetch

DOCUMENT = bytes(range(32))


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def approval(days: float = 90, **changes: Any) -> pb.EmailException:
    usual = {
        "approver": "Deputy Director B. Stone, DOP",
        "document_sha256": DOCUMENT,
        "reason": "task force of the county, which has no domain",
        "valid_until": to_timestamp(datetime.now(UTC) + timedelta(days=days)),
    }
    return pb.EmailException(**{**usual, **changes})


def creating(audit: RunningAudit, email: str, exception: pb.EmailException | None) -> pb.CreateAccountRequest:
    subject = request_id()
    account = pb.Account(
        subject=subject,
        issuer=audit.issuer.iss,
        full_name="Erika Muster",
        badge_number=subject[:8],
        email=email,
        agency_ori=ORI,
        unit="D1",
    )
    return pb.CreateAccountRequest(request_id=request_id(), account=account, email_exception=exception)


async def excepted(audit: RunningAudit) -> Officer:
    """Somebody with an address of another domain, enabled."""
    request = creating(audit, "e.muster@taskforce.org", approval())
    coordinator = audit.bearer(COORDINATOR)
    made = (await accounts(audit).CreateAccount(request, metadata=coordinator)).account
    for kind in ALL_CERTIFICATIONS:
        await audit.certify(made.account_id, kind, timedelta(days=300))
    named = {"account_id": made.account_id}
    grant = pb.GrantRoleRequest(request_id=request_id(), **named, role=audit_pb.ROLE_AUDITOR)
    await accounts(audit).GrantRole(grant, metadata=coordinator)
    enable = pb.EnableAccountRequest(request_id=request_id(), **named)
    await accounts(audit).EnableAccount(enable, metadata=coordinator)
    return Officer(audit, made.subject, made.account_id)


def extends(audit: RunningAudit, officer: Officer, given: pb.EmailException, by: str = COORDINATOR) -> Any:
    request = pb.ExtendEmailExceptionRequest(
        request_id=request_id(), account_id=officer.account_id, email_exception=given
    )
    return accounts(audit).ExtendEmailException(request, metadata=audit.bearer(by))


def looks(audit: RunningAudit, officer: Officer) -> Any:
    return accounts(audit).ListAccounts(pb.ListAccountsRequest(), metadata=officer.metadata)


@pytest.mark.clause("III.B.3.j")
async def test_an_exception_is_stored_with_its_paper_and_denies_from_its_end_until_it_is_approved_anew(
    audit: RunningAudit,
) -> None:
    officer = await excepted(audit)
    await looks(audit, officer)
    await fetch(
        audit.database.admin_url,
        "WITH moved AS (UPDATE audit.account SET email_until = now() WHERE account_id = $1)"
        " UPDATE audit.registry_head SET account_revision = account_revision + 1",
        officer.account_id,
    )

    over = await refused(looks(audit, officer))
    own = (await accounts(audit).GetAccount(pb.GetAccountRequest(), metadata=officer.metadata)).account
    extended = (await extends(audit, officer, approval(30))).account

    assert over.metadata["clauses"] == "III.B.3.j"
    assert own.account_id == officer.account_id
    assert extended.email_until.ToDatetime(UTC) > datetime.now(UTC) + timedelta(days=29)
    await looks(audit, officer)
    rows = await fetch(
        audit.database.admin_url,
        "SELECT approver, document_sha256 FROM audit.email_exception WHERE account_id = $1",
        officer.account_id,
    )
    assert [tuple(row) for row in rows] == [("Deputy Director B. Stone, DOP", DOCUMENT)] * 2


@pytest.mark.clause("III.B.3.j", "III.B.3.g")
async def test_exceptions_are_the_statewide_coordinators_and_nobodys_for_himself(audit: RunningAudit) -> None:
    boss = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    officer = await excepted(audit)

    made = await refused(
        accounts(audit).CreateAccount(creating(audit, "x@y.org", approval()), metadata=boss.metadata)
    )
    longer = await refused(extends(audit, officer, approval(), by=boss.subject))
    himself = await refused(extends(audit, officer, approval(), by=officer.subject))

    assert made.metadata["clauses"] == longer.metadata["clauses"] == "III.B.3.l"
    assert himself.metadata["clauses"] == "III.B.3.g"


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize(
    ("email", "exception", "field"),
    [
        ("e@taskforce.org", None, "account.email"),
        (f"e@{DOMAIN}", approval(), "account.email"),
        ("e@isp.illin\u043eis.gov", approval(), "account.email"),
        ("e@xn--isp-illinis-9jg.gov", approval(), "account.email"),
        (f"e@{DOMAIN}@taskforce.org", approval(), "account.email"),
        ("e@taskforce.org", approval(-1), "email_exception.valid_until"),
        ("e@taskforce.org", approval(400), "email_exception.valid_until"),
        ("e@taskforce.org", approval(approver=""), "email_exception.approver"),
        ("e@taskforce.org", approval(document_sha256=b"x"), "email_exception.document_sha256"),
        ("e@taskforce.org", approval(reason=""), "email_exception.reason"),
    ],
    ids=lambda one: "" if isinstance(one, pb.EmailException) else None,
)
async def test_an_address_without_its_approval_and_an_approval_without_its_paper_are_refused_by_field(
    audit: RunningAudit, email: str, exception: pb.EmailException | None, field: str
) -> None:
    request = creating(audit, email, exception)

    error = await refused(accounts(audit).CreateAccount(request, metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.clause("III.B.3.j")
async def test_a_government_address_needs_no_exception(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)

    error = await refused(extends(audit, officer, approval()))

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize("domain", ["gmail.com", "police.gov.evil.com", "xgov", "illinoisgov.org", "il.us"])
async def test_no_agency_is_registered_with_a_domain_that_is_no_governments(
    audit: RunningAudit, domain: str
) -> None:
    agency = agency_pb.Agency(ori="IL0EMAIL1", name="Somebody", email_domains=["joliet.gov", domain])
    request = agency_pb.RegisterAgencyRequest(request_id=request_id(), agency=agency)
    call = audit.people(GovernanceServiceStub).RegisterAgency(request, metadata=audit.bearer(COORDINATOR))

    error = await refused(call)

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == ["agency.email_domains"]


@pytest.mark.clause("III.B.3.j")
async def test_approvals_do_not_change_in_the_database_either(audit: RunningAudit) -> None:
    await excepted(audit)
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("UPDATE audit.email_exception SET valid_until = '2099-01-01'")
    finally:
        await connection.close()
