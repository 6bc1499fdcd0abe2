"""How long reads are kept: who changes it, within which bounds, and who hears of it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_datetime
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import PERMIT_KEY, fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def ninety_days(audit: RunningAudit) -> AsyncIterator[None]:
    """Ends each test with the period that it began with."""
    yield
    await fetch(audit.database.admin_url, "UPDATE audit.setting SET value = '90'")


def change(days: int, **changes: Any) -> settings_pb.SetRetentionRequest:
    usual = {"request_id": request_id(), "days": days, "days_before": 90, "reason": "board decision of May"}
    return settings_pb.SetRetentionRequest(**{**usual, "confirm_days": days, **changes})


async def set_to(audit: RunningAudit, request: settings_pb.SetRetentionRequest, who: str) -> Any:
    return await audit.people(SettingsServiceStub).SetRetention(request, metadata=audit.bearer(who))


async def days(audit: RunningAudit) -> int:
    answer = await audit.people(SettingsServiceStub).GetRetention(
        settings_pb.GetRetentionRequest(), metadata=audit.bearer(ADMINISTRATOR)
    )
    return int(answer.retention.days)


@pytest.mark.clause("IV.E.1.a", "IV.E.1.b", "IV.E.1")
async def test_a_system_administrator_changes_it_and_the_very_next_question_follows(
    audit: RunningAudit, officer: Officer
) -> None:
    answer = await set_to(audit, change(30), ADMINISTRATOR)
    entry = await last_entry(audit)
    asked = await authorizations(audit).Authorize(plate_request(officer.token()))

    assert answer.retention.days == await days(audit) == 30
    assert (entry["action"], entry["kind"], entry["result"]) == ("retention.set", "outcome", "DONE")
    oldest = datetime.now(UTC) - timedelta(days=30)
    assert abs(to_datetime(getattr(asked, "from")) - oldest) < timedelta(minutes=1)


@pytest.mark.clause("IV.E.1.b")
async def test_the_log_has_the_value_before_and_after_and_the_reason(audit: RunningAudit) -> None:
    await set_to(audit, change(60), ADMINISTRATOR)

    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field"
        " WHERE log_index = (SELECT max(log_index) - 1 FROM audit.log_leaf)",
    )
    intent = {row["name"]: row["value"] for row in rows}
    found = tuple(intent[name] for name in ("kind", "detail.before", "detail.after", "detail.reason"))
    assert found == ("intent", "90", "60", "board decision of May")


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
async def test_nobody_but_a_system_administrator_changes_it(
    audit: RunningAudit, role: pb.Role.ValueType
) -> None:
    who = COORDINATOR
    if role != pb.ROLE_STATEWIDE_COORDINATOR:
        who = (await audit.person(role)).subject

    error = await refused(set_to(audit, change(30), who))

    entry = await last_entry(audit)
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (entry["kind"], entry["action"]) == ("refusal", "retention.set")
    assert await days(audit) == 90


@pytest.mark.clause("IV.E.1.b")
@pytest.mark.parametrize(
    ("request_of", "field"),
    [
        (lambda: change(91), "days"),
        (lambda: change(0), "days"),
        (lambda: change(-1), "days"),
        (lambda: change(2**31 - 1), "days"),
        (lambda: change(30, confirm_days=0), "confirm_days"),
        (lambda: change(30, confirm_days=31), "confirm_days"),
        (lambda: change(30, days_before=0), "days_before"),
        (lambda: change(30, reason=" "), "reason"),
        (lambda: change(30, request_id="1"), "request_id"),
    ],
)
async def test_what_the_pack_forbids_or_nobody_confirmed_changes_nothing(
    audit: RunningAudit, request_of: Any, field: str
) -> None:
    error = await refused(set_to(audit, request_of(), ADMINISTRATOR))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert await days(audit) == 90


async def test_a_change_of_what_somebody_else_has_just_changed_is_refused(audit: RunningAudit) -> None:
    await set_to(audit, change(60), ADMINISTRATOR)

    error = await refused(set_to(audit, change(80), ADMINISTRATOR))

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert await days(audit) == 60


async def test_the_same_request_again_changes_nothing_more(audit: RunningAudit) -> None:
    request = change(45)
    first = await set_to(audit, request, ADMINISTRATOR)
    size = await log_size(audit)

    again = await set_to(audit, request, ADMINISTRATOR)

    assert again == first
    assert await log_size(audit) == size


@pytest.mark.clause("IV.E.1.a")
async def test_services_hear_of_it_with_a_statement_that_the_archive_can_check(audit: RunningAudit) -> None:
    call: Any = audit.service(SettingsServiceStub, "search").WatchSettings(settings_pb.WatchSettingsRequest())
    first = await call.read()

    await set_to(audit, change(30), ADMINISTRATOR)
    while True:
        news = await asyncio.wait_for(call.read(), 60)
        if news.HasField("retention"):
            break
    call.cancel()

    assert (first.retention.days, news.retention.days) == (90, 30)
    assert news.retention.revision > first.retention.revision
    assert news.retention.pack.records_series
    body, _, mac = news.retention_statement.rpartition("|")
    assert body == f"retention/v1|{news.retention.revision}|30"
    assert mac == hmac.digest(PERMIT_KEY, body.encode(), "sha256").hex()


async def test_only_services_may_follow_the_settings(audit: RunningAudit) -> None:
    call: Any = audit.people(SettingsServiceStub).WatchSettings(
        settings_pb.WatchSettingsRequest(), metadata=audit.bearer(ADMINISTRATOR)
    )

    assert (await refused(call.read())).code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_pack_that_has_become_stricter_counts_at_once(audit: RunningAudit) -> None:
    await fetch(audit.database.admin_url, "UPDATE audit.setting SET value = '365'")

    assert await days(audit) == 90
