"""Leavers: who is on no roster of the personnel office is out within a day, or the log says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import roster_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.roster_service_pb2_grpc import RosterServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.locate import CommandError
from services.cli.roster import badge_numbers
from services.common.wire import to_timestamp
from tests.rpc.audit.test_audit_units import look
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    log_size,
    refused,
    request_id,
)
from tests.support.databases import fetch


def rosters(audit: RunningAudit) -> Any:
    return audit.people(RosterServiceStub)


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


async def everybody(audit: RunningAudit, *but: Officer) -> list[str]:
    """The badge numbers of our agency's accounts, but of these people."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT badge_number FROM audit.account WHERE agency_ori = $1 AND NOT account_id::text = ANY ($2)",
        ORI,
        [one.account_id for one in but],
    )
    return [row["badge_number"] for row in rows]


def submitting(numbers: list[str], **changes: Any) -> pb.SubmitRosterRequest:
    usual = {"sha256": bytes(range(32)), "as_of_time": to_timestamp(datetime.now(UTC))}
    return pb.SubmitRosterRequest(request_id=request_id(), **{**usual, "badge_numbers": numbers, **changes})


async def submits(audit: RunningAudit, numbers: list[str]) -> set[str]:
    """Accounts of everybody who is a leaver by this roster."""
    answer = await rosters(audit).SubmitRoster(submitting(numbers), metadata=audit.bearer(COORDINATOR))
    return {one.account_id for one in answer.leavers}


def ends(audit: RunningAudit, number: int, by: str = COORDINATOR) -> Any:
    request = pb.EndLeaversRequest(request_id=request_id(), leavers=number)
    return rosters(audit).EndLeavers(request, metadata=audit.bearer(by))


@pytest.mark.clause("III.B.3.o")
async def test_who_is_not_on_the_roster_is_ended_at_once_and_each_end_is_on_record(
    audit: RunningAudit,
) -> None:
    leaver, stays = await audit.person(audit_pb.ROLE_AUDITOR), await audit.person(audit_pb.ROLE_AUDITOR)

    found = await submits(audit, await everybody(audit, leaver))
    done = await ends(audit, 1)

    assert found == set(done.ended_account_ids) == {leaver.account_id}
    assert not done.left_open
    listing = account_pb.ListAccountsRequest()
    error = await refused(accounts(audit).ListAccounts(listing, metadata=leaver.metadata))
    await accounts(audit).ListAccounts(listing, metadata=stays.metadata)
    assert error.metadata["clauses"] == "III.B.3.o/over"
    entries = await fetch(
        audit.database.admin_url,
        "SELECT act.value FROM audit.log_field AS act JOIN audit.log_field AS who USING (log_index)"
        " JOIN audit.log_field AS kind USING (log_index)"
        " WHERE act.name = 'action' AND who.name = 'resource' AND who.value = $1"
        " AND kind.name = 'kind' AND kind.value = 'intent' ORDER BY log_index",
        leaver.account_id,
    )
    assert [row["value"] for row in entries][-1] == "account.end"


@pytest.mark.clause("III.B.3.o")
async def test_spelling_of_badge_numbers_ends_nobody_and_who_is_back_is_no_leaver(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    numbers = await everybody(audit)

    spelt = await submits(audit, [f" {one.upper()} " for one in numbers])
    without = await submits(audit, await everybody(audit, officer))
    back = await submits(audit, numbers)

    assert not spelt
    assert without == {officer.account_id}
    assert not back


@pytest.mark.clause("III.B.3.o")
async def test_a_roster_that_was_cut_short_ends_nobody_who_was_not_seen(audit: RunningAudit) -> None:
    leaver = await audit.person(audit_pb.ROLE_USER)
    await submits(audit, await everybody(audit, leaver))
    await submits(audit, ["1"])

    error = await refused(ends(audit, 1))

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    own = await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=leaver.metadata)
    assert not own.account.HasField("end_time")
    await submits(audit, await everybody(audit))


@pytest.mark.clause("III.B.3.g", "III.B.3.o")
async def test_nobody_ends_himself_and_what_is_open_after_a_day_is_in_the_log_once(
    audit: RunningAudit,
) -> None:
    request = account_pb.GetAccountRequest()
    own = (await accounts(audit).GetAccount(request, metadata=audit.bearer(COORDINATOR))).account
    head = Officer(audit, own.subject, own.account_id)
    await submits(audit, await everybody(audit, head))

    done = await ends(audit, 1)
    await look(audit)
    fresh = await overdue(audit, head)
    await fetch(
        audit.database.admin_url, "UPDATE audit.leaver SET since_time = since_time - interval '25 hours'"
    )
    await look(audit)
    await look(audit)

    assert not done.ended_account_ids
    assert [one.account_id for one in done.left_open] == [head.account_id]
    assert (fresh, await overdue(audit, head)) == (0, 1)
    await submits(audit, await everybody(audit))


@pytest.mark.clause("III.B.3.o", "III.B.3.g")
async def test_nobody_but_the_statewide_coordinator_compares_rosters(audit: RunningAudit) -> None:
    boss = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    auditor = await audit.person(audit_pb.ROLE_AUDITOR)

    for by in (boss.subject, auditor.subject, ADMINISTRATOR):
        metadata = audit.bearer(by)
        for call in (rosters(audit).SubmitRoster(submitting(["1"]), metadata=metadata), ends(audit, 1, by)):
            assert (await refused(call)).code is grpc.StatusCode.PERMISSION_DENIED
    await rosters(audit).ListLeavers(pb.ListLeaversRequest(), metadata=auditor.metadata)


async def test_a_roster_that_comes_again_is_compared_once(audit: RunningAudit) -> None:
    request = submitting(await everybody(audit))
    coordinator = audit.bearer(COORDINATOR)

    await rosters(audit).SubmitRoster(request, metadata=coordinator)
    before = await log_size(audit)
    await rosters(audit).SubmitRoster(request, metadata=coordinator)
    request.badge_numbers.append("4711")
    other = await refused(rosters(audit).SubmitRoster(request, metadata=coordinator))

    assert await log_size(audit) == before
    assert other.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"badge_numbers": []}, "badge_numbers"),
        ({"badge_numbers": ["1", " "]}, "badge_numbers"),
        ({"badge_numbers": ["x" * 201]}, "badge_numbers"),
        ({"sha256": b"short"}, "sha256"),
        ({"as_of_time": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "as_of_time"),
        ({"as_of_time": to_timestamp(datetime(2099, 1, 1, tzinfo=UTC))}, "as_of_time"),
    ],
)
async def test_a_roster_that_says_nothing_of_now_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    call = rosters(audit).SubmitRoster(submitting(["1"], **changes), metadata=audit.bearer(COORDINATOR))

    assert [one.field for one in (await refused(call)).violations] == [field]


async def test_rosters_do_not_change_in_the_database_either(audit: RunningAudit) -> None:
    await submits(audit, await everybody(audit))
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM audit.roster")
    finally:
        await connection.close()


@pytest.mark.parametrize("content", [b"", b"name\nErika\n", b"badge_number,name\n,Erika\n", b"\xff\xfe"])
def test_a_file_that_is_no_roster_is_refused_before_it_is_sent(content: bytes) -> None:
    with pytest.raises(CommandError):
        badge_numbers(content)


def test_a_roster_of_a_spreadsheet_is_read_whatever_else_it_holds() -> None:
    content = '\ufeffname,badge_number\r\n"Muster, Erika",4711\r\nHill, 12 \r\n'.encode()

    assert badge_numbers(content) == ["4711", "12"]


async def overdue(audit: RunningAudit, who: Officer) -> int:
    """How often the log says that the leaver's account is open after a day."""
    since = datetime.now(UTC) - timedelta(hours=1)
    rows = await fetch(
        audit.database.admin_url,
        "SELECT FROM audit.log_field AS act JOIN audit.log_field AS who USING (log_index)"
        " JOIN audit.log_leaf AS leaf USING (log_index)"
        " WHERE act.value = 'roster.overdue' AND who.name = 'resource' AND who.value = $1"
        " AND leaf.record_time > $2",
        who.account_id,
        since,
    )
    return len(rows)
