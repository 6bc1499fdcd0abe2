"""Accounts and agencies: made by coordinators, recorded before they change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from tests.support.audit_kit import (
    ADMINISTRATOR,
    ALL_CERTIFICATIONS,
    COORDINATOR,
    DOMAIN,
    ORI,
    OTHER_ORI,
    RunningAudit,
    last_entry,
    log_size,
    refused,
    request_id,
)


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def new_account(audit: RunningAudit, **changes: Any) -> account_pb.CreateAccountRequest:
    usual = {
        "subject": f"person-{uuid4()}",
        "issuer": audit.issuer.iss,
        "full_name": "Erika Muster",
        "badge_number": "4711",
        "email": f"e.muster@{DOMAIN}",
        "agency_ori": ORI,
        "unit": "D1",
    }
    return account_pb.CreateAccountRequest(
        request_id=request_id(), account=account_pb.Account(**{**usual, **changes})
    )


@pytest.mark.clause("III.B.3.g", "III.C.2.b")
async def test_an_account_begins_pending_and_its_making_is_on_record(audit: RunningAudit) -> None:
    request = new_account(audit)

    made = (await accounts(audit).CreateAccount(request, metadata=audit.bearer(COORDINATOR))).account

    assert made.state == account_pb.ACCOUNT_STATE_PENDING
    assert not made.roles
    assert not made.certifications
    entry = await last_entry(audit)
    assert (entry["kind"], entry["action"], entry["result"]) == ("outcome", "account.create", "DONE")


async def test_an_account_that_is_made_again_by_the_same_request_is_the_same(audit: RunningAudit) -> None:
    request, coordinator = new_account(audit), audit.bearer(COORDINATOR)

    first = await accounts(audit).CreateAccount(request, metadata=coordinator)
    before = await log_size(audit)
    again = await accounts(audit).CreateAccount(request, metadata=coordinator)
    request.request_id = request_id()
    error = await refused(accounts(audit).CreateAccount(request, metadata=coordinator))

    assert again == first
    assert await log_size(audit) == before + 2  # intent and failed outcome of the other request
    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize(
    "email", ["e@gmail.com", f"e@{DOMAIN}.evil.com", f"e@x{DOMAIN}", "e@isp.illin\u043eis.gov"]
)
async def test_an_address_of_another_domain_is_refused_and_on_record(audit: RunningAudit, email: str) -> None:
    request = new_account(audit, email=email)

    error = await refused(accounts(audit).CreateAccount(request, metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == ["account.email"]
    assert (await last_entry(audit))["detail.fields"] == "account.email"


@pytest.mark.clause("III.B.3.g")
async def test_nobody_but_a_coordinator_makes_accounts(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER, pb.ROLE_AUDITOR, pb.ROLE_HOT_LIST_MANAGER)

    for metadata in (officer.metadata, audit.bearer(ADMINISTRATOR)):
        error = await refused(accounts(audit).CreateAccount(new_account(audit), metadata=metadata))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
        assert (await last_entry(audit))["kind"] == "refusal"


@pytest.mark.clause("III.B.3.g")
async def test_nobody_grants_to_himself(audit: RunningAudit) -> None:
    own = (
        await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=audit.bearer(COORDINATOR))
    ).account
    request = account_pb.GrantRoleRequest(
        request_id=request_id(), account_id=own.account_id, role=pb.ROLE_USER
    )

    error = await refused(accounts(audit).GrantRole(request, metadata=audit.bearer(COORDINATOR)))

    assert "III.B.3.g" in error.metadata["clauses"]


@pytest.mark.clause("III.B.3.b", "III.C.2.b", "III.C.2.c", "III.D.1", "III.E.4", "IV.A.4")
@pytest.mark.parametrize("lacking", ALL_CERTIFICATIONS)
async def test_an_account_that_lacks_something_is_not_enabled(audit: RunningAudit, lacking: int) -> None:
    held = tuple(kind for kind in ALL_CERTIFICATIONS if kind != lacking)
    officer = await audit.person(pb.ROLE_USER, pb.ROLE_CVEO, certifications=held, enable=False)
    request = account_pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)

    error = await refused(accounts(audit).EnableAccount(request, metadata=audit.bearer(COORDINATOR)))

    name = account_pb.CertificationKind.Name(lacking).removeprefix("CERTIFICATION_KIND_").lower()
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.metadata["missing"] == name


@pytest.mark.clause("III.D.1", "III.E.4")
@pytest.mark.parametrize(
    ("role", "spared"),
    [
        (pb.ROLE_USER, account_pb.CERTIFICATION_KIND_MOTOR_CARRIER_TRAINING),
        (pb.ROLE_CVEO, account_pb.CERTIFICATION_KIND_ALPR_TRAINING),
    ],
)
async def test_an_account_needs_no_course_of_a_system_that_its_roles_do_not_reach(
    audit: RunningAudit, role: pb.Role.ValueType, spared: int
) -> None:
    held = tuple(kind for kind in ALL_CERTIFICATIONS if kind != spared)

    officer = await audit.person(role, certifications=held)

    own = await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=officer.metadata)
    assert own.account.state == account_pb.ACCOUNT_STATE_ENABLED


@pytest.mark.clause("III.C.2.a", "III.B.3.l")
async def test_a_work_unit_coordinator_keeps_the_own_unit_and_gives_narrow_roles(audit: RunningAudit) -> None:
    boss = await audit.person(pb.ROLE_WORK_UNIT_COORDINATOR, unit="D7")
    own, foreign = await audit.person(unit="D7", enable=False), await audit.person(unit="D8", enable=False)

    def grant(account_id: str, role: pb.Role.ValueType) -> account_pb.GrantRoleRequest:
        return account_pb.GrantRoleRequest(request_id=request_id(), account_id=account_id, role=role)

    granted = await accounts(audit).GrantRole(grant(own.account_id, pb.ROLE_USER), metadata=boss.metadata)
    out = await refused(
        accounts(audit).GrantRole(grant(foreign.account_id, pb.ROLE_USER), metadata=boss.metadata)
    )
    wide = await refused(
        accounts(audit).GrantRole(grant(own.account_id, pb.ROLE_AUDITOR), metadata=boss.metadata)
    )

    assert granted.account.roles == [pb.ROLE_USER]
    assert out.metadata["clauses"] == "III.C.2.a"
    assert wide.metadata["clauses"] == "III.B.3.l"


@pytest.mark.clause("IV.A.2")
async def test_a_role_that_is_taken_and_an_account_that_is_suspended_end_what_they_allowed(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(pb.ROLE_USER, pb.ROLE_AUDITOR)
    coordinator = audit.bearer(COORDINATOR)
    named = {"request_id": request_id(), "account_id": officer.account_id}

    revoked = await accounts(audit).RevokeRole(
        account_pb.RevokeRoleRequest(**named, role=pb.ROLE_USER), metadata=coordinator
    )
    suspended = await accounts(audit).SuspendAccount(
        account_pb.SuspendAccountRequest(
            request_id=request_id(), account_id=officer.account_id, reason="looked up a neighbour"
        ),
        metadata=coordinator,
    )
    error = await refused(
        accounts(audit).ListAccounts(account_pb.ListAccountsRequest(), metadata=officer.metadata)
    )

    assert revoked.account.roles == [pb.ROLE_AUDITOR]
    assert suspended.account.state == account_pb.ACCOUNT_STATE_SUSPENDED
    assert error.metadata["clauses"] == "IV.A.2"


@pytest.mark.clause("III.B.3.l")
async def test_a_person_sees_the_own_account_and_no_other(audit: RunningAudit) -> None:
    officer, other = await audit.person(pb.ROLE_USER), await audit.person(pb.ROLE_USER)
    pending = await audit.person(certifications=(), enable=False)

    for someone in (officer, pending):
        own = await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=someone.metadata)
        assert own.account.account_id == someone.account_id
    request = account_pb.GetAccountRequest(account_id=other.account_id)
    error = await refused(accounts(audit).GetAccount(request, metadata=officer.metadata))
    missing = await refused(
        accounts(audit).GetAccount(
            account_pb.GetAccountRequest(account_id=str(uuid4())), metadata=audit.bearer(COORDINATOR)
        )
    )

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert missing.code is grpc.StatusCode.NOT_FOUND


async def test_pages_hold_every_account_once(audit: RunningAudit) -> None:
    for _ in range(5):
        await audit.person(enable=False)
    coordinator, found, token = audit.bearer(COORDINATOR), [], ""

    while True:
        request = account_pb.ListAccountsRequest(page_size=2, page_token=token)
        page = await accounts(audit).ListAccounts(request, metadata=coordinator)
        found += [(one.full_name, one.account_id) for one in page.accounts]
        token = page.next_page_token
        if not token:
            break

    whole = await accounts(audit).ListAccounts(
        account_pb.ListAccountsRequest(page_size=200), metadata=coordinator
    )
    assert found == sorted(found)
    assert found == [(one.full_name, one.account_id) for one in whole.accounts]


@pytest.mark.parametrize("shape", [{"page_size": 201}, {"page_size": -1}, {"page_token": "x"}])
async def test_a_page_of_the_wrong_shape_is_refused(audit: RunningAudit, shape: dict[str, Any]) -> None:
    request = account_pb.ListAccountsRequest(**shape)

    error = await refused(accounts(audit).ListAccounts(request, metadata=audit.bearer(COORDINATOR)))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.clause("I")
async def test_without_a_token_there_is_nothing(audit: RunningAudit) -> None:
    error = await refused(accounts(audit).GetAccount(account_pb.GetAccountRequest()))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED


def new_agency(**changes: Any) -> agency_pb.RegisterAgencyRequest:
    usual = {"ori": OTHER_ORI, "name": "Joliet Police", "email_domains": ["joliet.gov"]}
    return agency_pb.RegisterAgencyRequest(
        request_id=request_id(), agency=agency_pb.Agency(**{**usual, **changes})
    )


@pytest.mark.clause("III.A", "III.B.3.f", "III.B.3.g")
async def test_a_new_agency_gets_its_first_coordinator_and_then_stands_apart(audit: RunningAudit) -> None:
    agencies, coordinator = audit.people(GovernanceServiceStub), audit.bearer(COORDINATOR)
    officer = await audit.person(pb.ROLE_USER)
    ori = "IL0000777"
    request = new_agency(ori=ori)

    denied = await refused(agencies.RegisterAgency(request, metadata=officer.metadata))
    registered = await agencies.RegisterAgency(request, metadata=coordinator)
    again = await agencies.RegisterAgency(request, metadata=coordinator)
    taken = await refused(agencies.RegisterAgency(new_agency(ori=ori, name="Other"), metadata=coordinator))
    await audit.unit(ori, "D1")
    first = new_account(audit, agency_ori=ori, email="chief@joliet.gov")
    made = (await accounts(audit).CreateAccount(first, metadata=coordinator)).account
    for kind in ALL_CERTIFICATIONS:
        await audit.certify(made.account_id, kind, timedelta(days=9))
    named = {"account_id": made.account_id}
    grant = account_pb.GrantRoleRequest(request_id=request_id(), **named, role=pb.ROLE_STATEWIDE_COORDINATOR)
    await accounts(audit).GrantRole(grant, metadata=coordinator)
    await audit.appoint(made.account_id, "D1", ori)
    await accounts(audit).EnableAccount(
        account_pb.EnableAccountRequest(request_id=request_id(), **named), metadata=coordinator
    )
    second = new_account(audit, agency_ori=ori, email="officer@joliet.gov")
    foreign = await refused(accounts(audit).CreateAccount(second, metadata=coordinator))
    own = await accounts(audit).CreateAccount(second, metadata=audit.bearer(made.subject))

    assert denied.metadata["clauses"] == "III.B.3.l"
    assert registered.agency == again.agency == request.agency
    assert taken.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    assert foreign.metadata["clauses"] == "III.B.3.f"
    assert own.account.agency_ori == ori


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ori": "short"}, "agency.ori"),
        ({"name": ""}, "agency.name"),
        ({"email_domains": []}, "agency.email_domains"),
        ({"email_domains": ["gov"]}, "agency.email_domains"),
        ({"email_domains": ["xn--joliet.gov"]}, "agency.email_domains"),
    ],
)
async def test_an_agency_of_the_wrong_shape_names_the_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    call = audit.people(GovernanceServiceStub).RegisterAgency(
        new_agency(**changes), metadata=audit.bearer(COORDINATOR)
    )

    assert [one.field for one in (await refused(call)).violations] == [field]


async def test_agencies_are_listed_by_ori(audit: RunningAudit) -> None:
    answer = await audit.people(GovernanceServiceStub).ListAgencies(
        agency_pb.ListAgenciesRequest(page_size=1), metadata=audit.bearer(COORDINATOR)
    )

    assert [one.ori for one in answer.agencies] == [ORI]
