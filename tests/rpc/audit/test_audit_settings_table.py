"""Settings beside the retention period: who changes them, within which bounds, and what follows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    DOMAIN,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
    request_id,
    running_audit,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")

IDLE = "account_idle_days"
_KEEP_RETENTION = "DELETE FROM audit.setting WHERE name <> 'retention_days' RETURNING name"
_INSERT = "INSERT INTO audit.setting (name, value) VALUES ($1, $2)"
_LAST_INTENT = """
    SELECT entry_id FROM audit.log_leaf WHERE log_index = (SELECT max(log_index) - 1 FROM audit.log_leaf)
"""
_ENABLED_LONG_AGO = """
    UPDATE audit.account SET enabled_time = enabled_time - interval '40 days' WHERE account_id = $1::uuid
"""
_USED_LONG_AGO = """
    UPDATE audit.account_use SET use_time = use_time - interval '40 days' WHERE account_id = $1::uuid
"""
_MADE_LONG_AGO = """
    UPDATE audit.account SET made_time = made_time - interval '40 days' WHERE account_id = $1::uuid
"""
_SET = "SELECT audit.set_setting($1::uuid, $2, $3, $4, 90, 1, 365)"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def usual(audit: RunningAudit) -> AsyncIterator[None]:
    """Ends each test with the settings that it began with."""
    yield
    if await fetch(audit.database.admin_url, _KEEP_RETENTION):
        # Longer than a replica takes to hear of it.
        await asyncio.sleep(1)


def change(name: str, value: int, before: int, **changes: Any) -> settings_pb.SetSettingRequest:
    usual = {"request_id": request_id(), "name": name, "value": value, "value_before": before}
    return settings_pb.SetSettingRequest(**{**usual, "reason": "board decision of May", **changes})


async def put(audit: RunningAudit, request: settings_pb.SetSettingRequest, who: str = ADMINISTRATOR) -> Any:
    answer = await audit.people(SettingsServiceStub).SetSetting(request, metadata=audit.bearer(who))
    return answer.setting


async def settings_of(audit: RunningAudit, who: str = ADMINISTRATOR) -> dict[str, Any]:
    answer = await audit.people(SettingsServiceStub).ListSettings(
        settings_pb.ListSettingsRequest(), metadata=audit.bearer(who)
    )
    assert answer.pack
    return {one.name: one for one in answer.settings}


async def test_everybody_with_a_role_sees_each_setting_with_its_bounds(
    audit: RunningAudit, officer: Officer
) -> None:
    found = await settings_of(audit, officer.subject)

    one = found[IDLE]
    assert list(found) == sorted(found)
    assert (one.value, one.least, one.most, one.usual, one.revision) == (90, 1, 90, 90, 1)
    assert one.unit == settings_pb.SETTING_UNIT_DAYS
    assert not one.HasField("change_time")
    assert all(each.title and each.clause and each.unit for each in found.values())


@pytest.mark.clause("IV.E.1.b")
async def test_a_system_administrator_changes_one_and_the_log_has_it_before_and_after(
    audit: RunningAudit,
) -> None:
    answer = await put(audit, change(IDLE, 30, 90))
    outcome = await last_entry(audit)

    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field"
        " WHERE log_index = (SELECT max(log_index) - 1 FROM audit.log_leaf)",
    )
    intent = {row["name"]: row["value"] for row in rows}
    told = tuple(intent[name] for name in ("kind", "resource", "detail.before", "detail.after"))
    assert (answer.value, (await settings_of(audit))[IDLE].value) == (30, 30)
    assert answer.revision > 1
    assert told == ("intent", IDLE, "90", "30")
    assert intent["detail.reason"] == "board decision of May"
    assert (outcome["action"], outcome["kind"], outcome["result"]) == ("setting.set", "outcome", "DONE")


@pytest.mark.clause("IV.E.1.b")
@pytest.mark.parametrize(
    "role",
    [
        pb.ROLE_STATEWIDE_COORDINATOR,
        pb.ROLE_WORK_UNIT_COORDINATOR,
        pb.ROLE_USER,
        pb.ROLE_AUDITOR,
        pb.ROLE_HOT_LIST_MANAGER,
        pb.ROLE_TELECOM_CENTER,
    ],
)
async def test_nobody_but_a_system_administrator_changes_one(
    audit: RunningAudit, role: pb.Role.ValueType
) -> None:
    who = COORDINATOR
    if role != pb.ROLE_STATEWIDE_COORDINATOR:
        who = (await audit.person(role)).subject

    error = await refused(put(audit, change(IDLE, 30, 90), who))

    entry = await last_entry(audit)
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (entry["kind"], entry["action"], entry["resource"]) == ("refusal", "setting.set", IDLE)
    assert (await settings_of(audit))[IDLE].value == 90


@pytest.mark.clause("IV.E.1.b")
@pytest.mark.parametrize(
    ("request_of", "field"),
    [
        (lambda: change(IDLE, 91, 90), "value"),
        (lambda: change(IDLE, 0, 90), "value"),
        (lambda: change(IDLE, -1, 90), "value"),
        (lambda: change(IDLE, 2**31 - 1, 90), "value"),
        (lambda: change(IDLE, 30, -1), "value_before"),
        (lambda: change(IDLE, 30, 90, reason=" "), "reason"),
        (lambda: change("", 30, 90), "name"),
        (lambda: change("x" * 64, 30, 90), "name"),
        (lambda: change("account_idle_days'; --", 30, 90), "name"),
        (lambda: change(IDLE, 30, 90, request_id="1"), "request_id"),
    ],
)
async def test_what_the_pack_forbids_changes_nothing(
    audit: RunningAudit, request_of: Any, field: str
) -> None:
    error = await refused(put(audit, request_of()))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert (await settings_of(audit))[IDLE].value == 90


@pytest.mark.parametrize("name", ["retention_days", "no_such_setting"])
async def test_a_setting_that_is_not_declared_is_not_found(audit: RunningAudit, name: str) -> None:
    error = await refused(put(audit, change(name, 30, 90)))

    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_a_change_of_what_somebody_else_has_just_changed_is_refused(audit: RunningAudit) -> None:
    await put(audit, change(IDLE, 60, 90))

    error = await refused(put(audit, change(IDLE, 80, 90)))

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert (await settings_of(audit))[IDLE].value == 60


async def test_the_same_request_again_changes_nothing_more(audit: RunningAudit) -> None:
    request = change(IDLE, 45, 90)
    first = await put(audit, request)
    size = await log_size(audit)

    again = await put(audit, request)

    assert again == first
    assert await log_size(audit) == size


async def test_of_changes_at_the_same_moment_one_counts(audit: RunningAudit) -> None:
    wanted = (20, 30, 40, 50)

    answers = await asyncio.gather(
        *(put(audit, change(IDLE, value, 90)) for value in wanted), return_exceptions=True
    )

    done = [one.value for one in answers if not isinstance(one, BaseException)]
    assert len(done) == 1
    assert (await settings_of(audit))[IDLE].value == done[0]


@pytest.mark.clause("IV.E.1.b")
async def test_services_hear_of_all_at_first_and_then_of_each_change(audit: RunningAudit) -> None:
    call: Any = audit.service(SettingsServiceStub, "alerts").WatchSettings(settings_pb.WatchSettingsRequest())
    first = await call.read()

    await put(audit, change(IDLE, 30, 90))
    while True:
        news = await asyncio.wait_for(call.read(), 60)
        if news.settings:
            break
    call.cancel()

    assert {one.name: one.value for one in first.settings} == {
        one.name: one.usual for one in (await settings_of(audit)).values()
    }
    assert [(one.name, one.value) for one in news.settings] == [(IDLE, 30)]
    assert not news.HasField("retention")


async def test_a_pack_that_has_become_stricter_counts_at_once(audit: RunningAudit) -> None:
    await fetch(audit.database.admin_url, _INSERT, IDLE, "365")

    assert (await settings_of(audit))[IDLE].value == 90
    assert (await put(audit, change(IDLE, 80, 90))).value == 80


@pytest.mark.clause("IV.E.1.b")
async def test_the_service_s_login_sets_nothing_that_no_act_on_record_says(audit: RunningAudit) -> None:
    request = change(IDLE, 60, 90)
    await put(audit, request)
    rows = await fetch(audit.database.admin_url, _LAST_INTENT)
    intent = rows[0]["entry_id"]
    connection = await asyncpg.connect(audit.database.url("audit_app"))
    try:
        for statement, *arguments in (
            ("UPDATE audit.setting SET value = '9'",),
            (_INSERT, "another_setting", "9"),
            (_SET, request_id(), IDLE, 60, 9),
            # The intent is there, and says another value or another setting.
            (_SET, intent, IDLE, 60, 9),
            (_SET, intent, "account_review_days", 365, 60),
            (_SET, intent, "retention_days", 90, 60),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, *arguments)
        # What has been carried out is not carried out again.
        assert await connection.fetchval(_SET, intent, IDLE, 90, 60) == 60
    finally:
        await connection.close()


@pytest.mark.clause("III.B.3.o", "IV.E.1.b")
async def test_an_account_that_is_idle_for_longer_than_the_setting_says_is_worth_nothing(
    audit: RunningAudit,
) -> None:
    someone = await audit.person(pb.ROLE_USER)
    await authorizations(audit).Authorize(plate_request(someone.token()))
    for statement in (_ENABLED_LONG_AGO, _USED_LONG_AGO):
        await fetch(audit.database.admin_url, statement, someone.account_id)

    await put(audit, change(IDLE, 30, 90))
    error = await refused(authorizations(audit).Authorize(plate_request(someone.token())))
    await put(audit, change(IDLE, 90, 30))
    await authorizations(audit).Authorize(plate_request(someone.token()))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert error.metadata["clauses"] == "III.B.3.o/idle"


async def test_another_replica_follows_within_seconds(audit: RunningAudit) -> None:
    subject = f"temporary-{request_id()}"
    end = datetime.now(UTC) + timedelta(hours=20)
    account = account_pb.Account(
        subject=subject,
        issuer=audit.issuer.iss,
        full_name="Officer T",
        badge_number=subject[-8:],
        email=f"{subject}@{DOMAIN}",
        agency_ori=ORI,
        unit="D1",
        end_time=to_timestamp(end),
    )
    request = account_pb.CreateAccountRequest(request_id=request_id(), account=account)

    async with running_audit(audit.settings, audit.database, audit.tls, audit.issuer) as other:
        await put(audit, change("account_temporary_hours", 12, 72))
        await asyncio.sleep(1.5)
        error = await refused(
            other.people(AccountServiceStub).CreateAccount(request, metadata=audit.bearer(COORDINATOR))
        )

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "12 hours" in error.violations[0].description


@pytest.mark.clause("IV.E.1.b")
async def test_a_review_of_access_is_due_as_often_as_the_setting_says(
    audit: RunningAudit, officer: Officer
) -> None:
    await fetch(audit.database.admin_url, _MADE_LONG_AGO, officer.account_id)
    request = account_pb.GetAccountRequest(account_id=officer.account_id)
    stub, metadata = audit.people(AccountServiceStub), audit.bearer(COORDINATOR)
    before = (await stub.GetAccount(request, metadata=metadata)).account

    await put(audit, change("account_review_days", 30, 365))
    after = (await stub.GetAccount(request, metadata=metadata)).account

    assert (before.review_due, after.review_due) == (False, True)
