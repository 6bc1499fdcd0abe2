"""Profiles: corrected by who could make the account, with what was there before on record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import sign_in_service_pb2 as sign_in_pb
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.sign_in_service_pb2_grpc import SignInServiceStub
from alpr.audit.v1.unit_service_pb2_grpc import UnitServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    DOMAIN,
    ORI,
    Officer,
    RunningAudit,
    last_entry,
    log_size,
    refused,
    request_id,
)
from tests.support.databases import fetch

DOCUMENT = bytes(range(32))


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def code() -> str:
    return f"U-{uuid4().hex[:8]}"


def updating(officer: Officer, **fields: Any) -> pb.UpdateProfileRequest:
    usual = {"request_id": request_id(), "account_id": officer.account_id, "reason": "the badge says so"}
    return pb.UpdateProfileRequest(**{**usual, **fields})


def updates(audit: RunningAudit, officer: Officer, by: str = COORDINATOR, **fields: Any) -> Any:
    return accounts(audit).UpdateProfile(updating(officer, **fields), metadata=audit.bearer(by))


async def account_of(audit: RunningAudit, officer: Officer) -> pb.Account:
    request = pb.GetAccountRequest(account_id=officer.account_id)
    found: pb.Account = (
        await accounts(audit).GetAccount(request, metadata=audit.bearer(COORDINATOR))
    ).account
    return found


async def boss_of(audit: RunningAudit, unit: str) -> Officer:
    """The unit's coordinator, appointed by its commander."""
    return await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, audit_pb.ROLE_USER, unit=unit)


async def vacant_unit(audit: RunningAudit) -> str:
    """Code of a new unit, which nobody coordinates."""
    made = unit_pb.Unit(agency_ori=ORI, code=code(), name="District 15", kind=unit_pb.UNIT_KIND_DISTRICT)
    request = unit_pb.RegisterUnitRequest(request_id=request_id(), unit=made)
    await audit.people(UnitServiceStub).RegisterUnit(request, metadata=audit.bearer(COORDINATOR))
    return made.code


async def entry_of(audit: RunningAudit, entry_id: str) -> dict[str, str]:
    """The entry's fields."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field WHERE log_index ="
        " (SELECT log_index FROM audit.log_leaf WHERE entry_id = $1::uuid)",
        entry_id,
    )
    return {row["name"]: row["value"] for row in rows}


def approval(days: float = 90) -> pb.EmailException:
    return pb.EmailException(
        approver="Deputy Director B. Stone, DOP",
        document_sha256=DOCUMENT,
        reason="task force of the county, which has no domain",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=days)),
    )


@pytest.mark.clause("III.C.2.b", "III.C.2.a")
async def test_a_units_coordinator_corrects_a_profile_and_the_log_says_what_was_there_before(
    audit: RunningAudit,
) -> None:
    unit = code()
    boss, officer = await boss_of(audit, unit), await audit.person(audit_pb.ROLE_USER, unit=unit)
    before = await account_of(audit, officer)
    wanted = {"full_name": "Erika Muster", "badge_number": "4711", "email": f"e.muster@{DOMAIN}"}

    after = (await updates(audit, officer, by=boss.subject, **wanted)).account

    expected = pb.Account()
    expected.CopyFrom(before)
    for name, text in wanted.items():
        setattr(expected, name, text)
    assert after == await account_of(audit, officer) == expected
    outcome = await last_entry(audit)
    assert (outcome["kind"], outcome["action"], outcome["result"]) == ("outcome", "account.update", "DONE")
    intent = await entry_of(audit, outcome["subject"])
    assert (intent["actor"], intent["resource"]) == (boss.account_id, officer.account_id)
    details = {name.removeprefix("detail."): text for name, text in intent.items() if "detail." in name}
    del details["token_id"]
    was = {f"{name}_before": getattr(before, name) for name in wanted}
    assert details == {**wanted, **was, "reason": "the badge says so"}


@pytest.mark.clause("III.C.2.a", "III.C.2.b")
async def test_a_move_between_units_is_the_statewide_coordinators_and_changes_who_keeps_the_account(
    audit: RunningAudit,
) -> None:
    old, new = code(), code()
    left, joined = await boss_of(audit, old), await boss_of(audit, new)
    officer = await audit.person(audit_pb.ROLE_USER, unit=old)

    away = await refused(updates(audit, officer, by=left.subject, unit=new))
    in_here = await refused(updates(audit, officer, by=joined.subject, unit=new))
    assert (await account_of(audit, officer)).unit == old
    moved = (await updates(audit, officer, unit=new)).account

    assert away.metadata["clauses"] == in_here.metadata["clauses"] == "III.C.2.a"
    assert (moved.unit, moved.agency_ori, moved.subject) == (new, ORI, officer.subject)
    assert (moved.state, moved.roles) == (pb.ACCOUNT_STATE_ENABLED, [audit_pb.ROLE_USER])
    gone = await refused(updates(audit, officer, by=left.subject, badge_number="1"))
    assert gone.metadata["clauses"] == "III.C.2.a"
    assert (await updates(audit, officer, by=joined.subject, badge_number="1")).account.badge_number == "1"


@pytest.mark.clause("III.C.1", "III.C.2.b")
async def test_nobody_joins_a_unit_before_its_commander_has_appointed_a_coordinator(
    audit: RunningAudit,
) -> None:
    unit, officer = await vacant_unit(audit), await audit.person(audit_pb.ROLE_USER)

    error = await refused(updates(audit, officer, unit=unit))
    assert (await account_of(audit, officer)).unit == "D1"
    head = (
        await accounts(audit).GetAccount(pb.GetAccountRequest(), metadata=audit.bearer(COORDINATOR))
    ).account
    await audit.appoint(head.account_id, unit)
    moved = (await updates(audit, officer, unit=unit)).account

    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert (error.metadata["missing"], error.metadata["clauses"]) == ("unit_coordinator", "III.C.1")
    assert moved.unit == unit


@pytest.mark.clause("III.C.1")
async def test_whoever_coordinates_a_unit_stays_in_it_until_the_appointment_has_ended(
    audit: RunningAudit,
) -> None:
    unit = code()
    boss = await boss_of(audit, unit)

    error = await refused(updates(audit, boss, unit="D1"))
    renamed = (await updates(audit, boss, full_name="Rita Neu")).account
    end = unit_pb.EndAppointmentRequest(
        request_id=request_id(), agency_ori=ORI, code=unit, reason="goes to district 1"
    )
    await audit.people(UnitServiceStub).EndAppointment(end, metadata=audit.bearer(COORDINATOR))
    moved = (await updates(audit, boss, unit="D1")).account

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert error.metadata["clauses"] == "III.C.1"
    assert (renamed.unit, renamed.full_name) == (unit, "Rita Neu")
    assert (moved.unit, moved.roles) == ("D1", [audit_pb.ROLE_USER])


@pytest.mark.clause("III.B.3.g", "III.B.3.f", "III.B.3.l", "III.C.2.a", "III.A")
async def test_nobody_corrects_the_own_account_and_nobody_else_than_who_could_make_it(
    audit: RunningAudit,
) -> None:
    unit = code()
    boss, officer = await boss_of(audit, unit), await audit.person(audit_pb.ROLE_USER, unit=unit)
    auditor = await audit.person(audit_pb.ROLE_AUDITOR, unit=unit)
    stranger = await audit.head_of("IL0PROF01")
    own = (
        await accounts(audit).GetAccount(pb.GetAccountRequest(), metadata=audit.bearer(COORDINATOR))
    ).account
    head = Officer(audit, COORDINATOR, own.account_id)

    tried = [
        (officer, officer, "III.B.3.g"),
        (boss, boss, "III.B.3.g"),
        (head, head, "III.B.3.g"),
        (auditor, officer, "III.B.3.l"),
        (officer, boss, "III.B.3.l"),
        (stranger, officer, "III.B.3.f"),
        (boss, head, "III.A"),
    ]
    for who, whose, clause in tried:
        error = await refused(updates(audit, whose, by=who.subject, full_name="Somebody Else"))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
        assert clause in error.metadata["clauses"].split(",")
        entry = await last_entry(audit)
        assert (entry["kind"], entry["action"]) == ("refusal", "account.update")


@pytest.mark.clause("III.B.3.j", "III.C.2.b")
async def test_a_new_address_is_the_agencys_or_approved_in_writing_by_the_statewide_coordinator(
    audit: RunningAudit,
) -> None:
    unit = code()
    boss, officer = await boss_of(audit, unit), await audit.person(audit_pb.ROLE_USER, unit=unit)
    other = {"email": "e.muster@taskforce.org"}

    bare = await refused(updates(audit, officer, **other))
    by_boss = await refused(updates(audit, officer, by=boss.subject, email_exception=approval(), **other))
    needless = await refused(updates(audit, officer, email=f"e@{DOMAIN}", email_exception=approval()))
    excepted = (await updates(audit, officer, email_exception=approval(), **other)).account
    said = await entry_of(audit, (await last_entry(audit))["subject"])
    home = (await updates(audit, officer, by=boss.subject, email=f"e@{DOMAIN}")).account

    assert [one.field for one in (*bare.violations, *needless.violations)] == ["email", "email"]
    assert by_boss.metadata["clauses"] == "III.B.3.l"
    assert excepted.email == other["email"]
    assert excepted.email_until.ToDatetime(UTC) > datetime.now(UTC) + timedelta(days=89)
    assert said["detail.exception_document_sha256"] == DOCUMENT.hex()
    assert home.email == f"e@{DOMAIN}"
    assert not home.HasField("email_until")
    rows = await fetch(
        audit.database.admin_url,
        "SELECT document_sha256 FROM audit.email_exception WHERE account_id = $1",
        officer.account_id,
    )
    assert [row["document_sha256"] for row in rows] == [DOCUMENT]


@pytest.mark.clause("III.B.3.j", "III.C.2.b")
@pytest.mark.parametrize(
    ("fields", "days", "wrong"),
    [
        ({}, 0, ["full_name"]),
        ({"full_name": " "}, 0, ["full_name"]),
        ({"badge_number": "4\n711"}, 0, ["badge_number"]),
        ({"full_name": "E" * 201}, 0, ["full_name"]),
        ({"full_name": "E", "reason": ""}, 0, ["reason"]),
        ({"full_name": "E", "account_id": "4711"}, 0, ["account_id"]),
        ({"full_name": "E", "request_id": ""}, 0, ["request_id"]),
        ({"unit": "nowhere"}, 0, ["unit"]),
        ({"email": f"e@{DOMAIN}.evil.com"}, 0, ["email"]),
        ({"email": "e@isp.illin\u043eis.gov", "unit": "nowhere"}, 0, ["email", "unit"]),
        ({"full_name": "E"}, 90, ["email"]),
        ({"email": "e@taskforce.org"}, 400, ["email_exception.valid_until"]),
    ],
)
async def test_what_is_no_correction_is_refused_by_field_and_changes_nothing(
    audit: RunningAudit, fields: dict[str, Any], days: int, wrong: list[str]
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER, certifications=(), enable=False)
    before = await account_of(audit, officer)

    exception = approval(days) if days else None
    error = await refused(updates(audit, officer, email_exception=exception, **fields))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == wrong
    assert await account_of(audit, officer) == before


async def test_a_correction_that_is_sent_again_is_the_same_act_and_does_not_undo_a_later_one(
    audit: RunningAudit,
) -> None:
    unit = code()
    await boss_of(audit, unit)
    officer = await audit.person(audit_pb.ROLE_USER)
    first = updating(officer, unit=unit, badge_number="1")
    coordinator = audit.bearer(COORDINATOR)

    made = (await accounts(audit).UpdateProfile(first, metadata=coordinator)).account
    size = await log_size(audit)
    again = (await accounts(audit).UpdateProfile(first, metadata=coordinator)).account
    assert again == made
    assert await log_size(audit) == size
    await updates(audit, officer, badge_number="2")
    late = (await accounts(audit).UpdateProfile(first, metadata=coordinator)).account
    first.badge_number = "3"
    other = await refused(accounts(audit).UpdateProfile(first, metadata=coordinator))

    assert late.badge_number == (await account_of(audit, officer)).badge_number == "2"
    assert other.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


@pytest.mark.clause("III.B.3.o")
async def test_of_many_corrections_at_once_each_that_is_done_says_truly_what_was_there_before(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER, certifications=(), enable=False)
    start = (await account_of(audit, officer)).badge_number
    calls = [updates(audit, officer, badge_number=f"N{number}") for number in range(12)]

    answers = await asyncio.gather(*calls, return_exceptions=True)

    rows = await fetch(
        audit.database.admin_url,
        "SELECT subject.value FROM audit.log_field AS done JOIN audit.log_field AS subject USING (log_index)"
        " JOIN audit.log_field AS what USING (log_index) WHERE done.name = 'result' AND done.value = 'DONE'"
        " AND subject.name = 'subject' AND what.name = 'resource' AND what.value = $1",
        officer.account_id,
    )
    acts = [await entry_of(audit, row["value"]) for row in rows]
    followed = {
        act["detail.badge_number_before"]: act["detail.badge_number"]
        for act in acts
        if act["action"] == "account.update"
    }
    assert len(followed) == sum(not isinstance(answer, BaseException) for answer in answers) > 0
    at = start
    for _ in range(len(followed)):
        at = followed.pop(at)
    assert at == (await account_of(audit, officer)).badge_number
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert {error.code() for error in refusals} <= {grpc.StatusCode.FAILED_PRECONDITION}


@pytest.mark.clause("III.C.2.b")
async def test_sign_ins_roles_and_certifications_stay_when_somebody_moves(audit: RunningAudit) -> None:
    unit = code()
    await boss_of(audit, unit)
    officer = await audit.person(audit_pb.ROLE_AUDITOR)
    metadata = (bearer(officer.token()),)
    before = (await accounts(audit).GetAccount(pb.GetAccountRequest(), metadata=metadata)).account

    await updates(audit, officer, unit=unit)

    after = (await accounts(audit).GetAccount(pb.GetAccountRequest(), metadata=metadata)).account
    assert (after.unit, after.roles) == (unit, before.roles)
    assert list(after.certifications) == list(before.certifications)
    held = sign_in_pb.ListSignInsRequest()
    signed_in = (await audit.people(SignInServiceStub).ListSignIns(held, metadata=metadata)).sign_ins
    assert [one.open for one in signed_in if one.own] == [True]


@pytest.mark.clause("III.C.2.b", "III.B.3.o")
async def test_the_database_changes_a_profile_by_an_act_on_record_alone(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    other_act = (await last_entry(audit))["subject"]  # of the officer's enabling
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        await connection.execute("SET ROLE audit_app")
        for column in ("full_name", "badge_number", "email", "unit", "agency_ori", "subject", "issuer"):
            statement = f"UPDATE audit.account SET {column} = 'x' WHERE account_id = $1::uuid"  # noqa: S608
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, officer.account_id)
        for intent in (str(uuid4()), other_act):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no such act"):
                await connection.fetchval("SELECT audit.update_profile($1::uuid)", intent)
    finally:
        await connection.close()
