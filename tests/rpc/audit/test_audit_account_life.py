"""How long accounts are good for: an end, ninety days without use, a yearly review (CJIS AC-2, AC-6(7))."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    DOMAIN,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def asks(audit: RunningAudit, who: Officer) -> Any:
    return authorizations(audit).Authorize(plate_request(who.token()))


async def seen(audit: RunningAudit, who: Officer) -> pb.Account:
    request = pb.GetAccountRequest(account_id=who.account_id)
    answer = await accounts(audit).GetAccount(request, metadata=audit.bearer(COORDINATOR))
    found: pb.Account = answer.account
    return found


async def ends(audit: RunningAudit, who: Officer, moment: datetime | None) -> pb.Account:
    request = pb.EndAccountRequest(
        request_id=request_id(), account_id=who.account_id, reason="leaves the agency"
    )
    if moment:
        request.end_time.CopyFrom(to_timestamp(moment))
    answer = await accounts(audit).EndAccount(request, metadata=audit.bearer(COORDINATOR))
    changed: pb.Account = answer.account
    return changed


async def aged(audit: RunningAudit, who: Officer, days: int) -> None:
    """Puts the last use and enabling of the account into the past; only a superuser can do that."""
    url, by = audit.database.admin_url, timedelta(days=days)
    await fetch(
        url,
        "UPDATE audit.account SET enabled_time = enabled_time - $2::interval,"
        " made_time = made_time - $2::interval WHERE account_id = $1::uuid",
        who.account_id,
        by,
    )
    await fetch(
        url,
        "UPDATE audit.account_use SET use_time = use_time - $2::interval WHERE account_id = $1::uuid",
        who.account_id,
        by,
    )


@pytest.mark.clause("III.B.3.o")
async def test_from_its_end_on_an_account_is_worth_nothing_and_an_end_may_be_taken_back(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    changed = await ends(audit, officer, datetime.now(UTC) + timedelta(seconds=2))
    await asks(audit, officer)

    await asyncio.sleep(2.5)
    error = await refused(asks(audit, officer))
    entry = await last_entry(audit)
    await ends(audit, officer, None)

    assert changed.HasField("end_time")
    assert error.metadata["clauses"] == "III.B.3.o/over"
    assert "has ended" in error.message
    assert (entry["kind"], entry["decision"]) == ("refusal", "refused")
    await asks(audit, officer)


@pytest.mark.clause("III.B.3.o", "IV.A.4")
async def test_an_open_stream_ends_with_the_account(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    await ends(audit, officer, datetime.now(UTC) + timedelta(seconds=3))
    watch = health_pb.WatchEntitlementsRequest(access_token=officer.token(), action="alerts.subscribe")
    stream = audit.service(HealthServiceStub, "alerts").WatchEntitlements(watch)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async with asyncio.timeout(20):
            while await stream.read() is not grpc.aio.EOF:
                pass

    assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("III.B.3.o")
async def test_a_temporary_account_lives_for_72_hours_at_most(audit: RunningAudit) -> None:
    too_long = await refused(creates(audit, datetime.now(UTC) + timedelta(hours=73)))
    past = await refused(creates(audit, datetime.now(UTC) - timedelta(hours=1)))
    made = (await creates(audit, datetime.now(UTC) + timedelta(hours=71))).account

    assert [one.field for one in (*too_long.violations, *past.violations)] == ["account.end_time"] * 2
    assert made.HasField("end_time")


@pytest.mark.clause("III.B.3.o")
async def test_after_ninety_days_without_use_a_coordinator_must_enable_it_anew(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    await asks(audit, officer)
    await aged(audit, officer, 89)
    await asks(audit, officer)  # is used again
    await aged(audit, officer, 91)

    first, second = await refused(asks(audit, officer)), await refused(asks(audit, officer))
    enable = pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)
    await accounts(audit).EnableAccount(enable, metadata=audit.bearer(COORDINATOR))

    assert first.metadata["clauses"] == second.metadata["clauses"] == "III.B.3.o/idle"
    await asks(audit, officer)


@pytest.mark.clause("III.B.3.o")
async def test_use_is_noted_to_the_hour_and_an_account_that_was_never_used_counts_from_its_enabling(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    enabled = (await seen(audit, officer)).use_time.ToDatetime()
    await aged(audit, officer, 1)

    await asks(audit, officer)
    used = (await seen(audit, officer)).use_time.ToDatetime()
    await asks(audit, officer)

    assert enabled
    assert used > enabled - timedelta(days=1)
    assert (await seen(audit, officer)).use_time.ToDatetime() == used


@pytest.mark.clause("III.B.3.o")
async def test_what_an_account_may_do_is_reviewed_every_year_by_somebody_else(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    fresh = await seen(audit, officer)
    await aged(audit, officer, 366)
    due = await seen(audit, officer)
    review = pb.ReviewAccountRequest(
        request_id=request_id(), account_id=officer.account_id, finding="still on patrol, role fits"
    )

    reviewed = (await accounts(audit).ReviewAccount(review, metadata=audit.bearer(COORDINATOR))).account
    again = (await accounts(audit).ReviewAccount(review, metadata=audit.bearer(COORDINATOR))).account

    assert not fresh.review_due
    assert due.review_due
    assert not reviewed.review_due
    assert reviewed.review_time == again.review_time


@pytest.mark.clause("III.B.3.g")
async def test_nobody_reviews_or_prolongs_himself_and_users_nobody(audit: RunningAudit) -> None:
    officer, other = await audit.person(audit_pb.ROLE_USER), await audit.person(audit_pb.ROLE_USER)
    coordinator = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)

    himself = await refused(reviews(audit, coordinator, coordinator))
    prolonged = await refused(ends_by(audit, coordinator, coordinator))
    by_user = await refused(reviews(audit, officer, other))

    assert himself.metadata["clauses"] == prolonged.metadata["clauses"] == "III.B.3.g"
    assert by_user.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED


async def test_an_end_that_is_past_is_an_error_of_its_field(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)

    error = await refused(ends(audit, officer, datetime.now(UTC) - timedelta(hours=1)))

    assert [one.field for one in error.violations] == ["end_time"]


async def test_reviews_do_not_change_in_the_database_either(audit: RunningAudit) -> None:
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM audit.account_review")
    finally:
        await connection.close()


def creates(audit: RunningAudit, end_time: datetime) -> Any:
    subject = request_id()
    account = pb.Account(
        subject=subject,
        issuer=audit.issuer.iss,
        full_name="Erika Muster",
        badge_number="4711",
        email=f"{subject}@{DOMAIN}",
        agency_ori=ORI,
        unit="D1",
        end_time=to_timestamp(end_time),
    )
    request = pb.CreateAccountRequest(request_id=request_id(), account=account)
    return accounts(audit).CreateAccount(request, metadata=audit.bearer(COORDINATOR))


def reviews(audit: RunningAudit, who: Officer, whom: Officer) -> Any:
    request = pb.ReviewAccountRequest(
        request_id=request_id(), account_id=whom.account_id, finding="still needed"
    )
    return accounts(audit).ReviewAccount(request, metadata=who.metadata)


def ends_by(audit: RunningAudit, who: Officer, whom: Officer) -> Any:
    request = pb.EndAccountRequest(
        request_id=request_id(), account_id=whom.account_id, reason="goes on for longer"
    )
    return accounts(audit).EndAccount(request, metadata=who.metadata)
