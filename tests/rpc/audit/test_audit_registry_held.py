"""What is held of the registry never lets a question through that a look at it would have refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1.error_reason_pb2 import ErrorReason
from tests.support.audit_kit import (
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
)
from tests.support.databases import fetch

_STATE = "UPDATE audit.account SET state = $2 WHERE account_id = $1::uuid"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


async def ask(audit: RunningAudit, officer: Officer) -> pb.AuthorizeResponse:
    return await authorizations(audit).Authorize(plate_request(officer.token()))


async def by_hand(audit: RunningAudit, statement: str, *arguments: object) -> None:
    await fetch(audit.database.admin_url, statement, *arguments)


@pytest.mark.clause("III.B.3.e", "IV.A.4")
async def test_a_suspension_bites_at_the_very_next_question_and_its_end_lets_the_next_through(
    audit: RunningAudit, officer: Officer
) -> None:
    await ask(audit, officer)
    # Past this service, as another replica or a hand in the database would.
    await by_hand(audit, _STATE, officer.account_id, "SUSPENDED")

    error = await refused(ask(audit, officer))
    assert error.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert (await last_entry(audit))["kind"] == "refusal"
    await by_hand(audit, _STATE, officer.account_id, "ENABLED")
    assert (await ask(audit, officer)).actor.account_id == officer.account_id


@pytest.mark.clause("III.B.3.e")
async def test_of_many_questions_none_that_begins_after_a_suspension_is_allowed(
    audit: RunningAudit, officer: Officer
) -> None:
    await ask(audit, officer)
    ended = asyncio.Event()
    allowed_after = 0

    async def asking() -> None:
        nonlocal allowed_after
        while True:
            late = ended.is_set()
            try:
                await ask(audit, officer)
            except Exception:
                return
            allowed_after += late

    askers = [asyncio.create_task(asking()) for _ in range(12)]
    await asyncio.sleep(0.3)
    await by_hand(audit, _STATE, officer.account_id, "SUSPENDED")
    ended.set()
    await asyncio.gather(*askers)

    assert allowed_after == 0
    await by_hand(audit, _STATE, officer.account_id, "ENABLED")


async def test_a_change_between_questions_leaves_one_entry_for_each(
    audit: RunningAudit, officer: Officer
) -> None:
    await ask(audit, officer)
    before = await log_size(audit)
    for _ in range(3):
        await by_hand(audit, "UPDATE audit.setting SET value = value")
        await ask(audit, officer)

    assert await log_size(audit) == before + 3


@pytest.mark.clause("II.F", "III.B.1")
async def test_a_limit_of_a_sensor_group_counts_for_the_very_next_question(
    audit: RunningAudit, officer: Officer
) -> None:
    await by_hand(
        audit,
        "INSERT INTO audit.sensor (sensor_id, agency_ori, sensor_group, deployment_type, latitude, longitude,"
        " description, provenance, status, approved_from, revision, intent_id) VALUES ('held-1', $1, 'held',"
        " 'FIXED', 41, -87, '', 'OWN', 'APPROVED', now(), 1, gen_random_uuid())",
        ORI,
    )
    assert not (await ask(audit, officer)).sensor_groups
    await by_hand(
        audit,
        "INSERT INTO audit.group_limit VALUES ($1, 'held', '{TERRORISM}', gen_random_uuid())",
        ORI,
    )

    assert list((await ask(audit, officer)).sensor_groups) == ["-"]
    await by_hand(audit, "DELETE FROM audit.group_limit WHERE sensor_group = 'held'")
    assert not (await ask(audit, officer)).sensor_groups


async def test_an_account_that_lapses_with_time_is_refused_although_nothing_changes(
    audit: RunningAudit, officer: Officer
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await by_hand(
        audit, "UPDATE audit.account SET end_time = $2 WHERE account_id = $1::uuid", officer.account_id, soon
    )
    await ask(audit, officer)

    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
    assert (await refused(ask(audit, officer))).reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    await by_hand(
        audit, "UPDATE audit.account SET end_time = NULL WHERE account_id = $1::uuid", officer.account_id
    )
