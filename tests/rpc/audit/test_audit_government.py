"""Requests of government entities: recorded, decided once by an account; nothing leaves without a grant."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import government_request_service_pb2 as pb
from alpr.audit.v1.government_request_service_pb2_grpc import GovernmentRequestServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    log_size,
    refused,
    request_id,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRANTED, REFUSED = pb.GOVERNMENT_REQUEST_DECISION_GRANTED, pb.GOVERNMENT_REQUEST_DECISION_REFUSED


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def head(audit: RunningAudit) -> Officer:
    """The statewide coordinator of an agency of our state, who may let files go."""
    return await audit.head_of("IL0000777")


def document() -> bytes:
    return hashlib.sha256(request_id().encode()).digest()


def asked(**changes: Any) -> pb.RecordGovernmentRequestRequest:
    usual = {
        "entity": "County Highway Department",
        "entity_type": "county department",
        "person": "A. Clerk, engineer",
        "purpose": "repair of the bridge after the crash of May",
        "document_sha256": document(),
        "receive_time": to_timestamp(datetime.now(UTC) - timedelta(hours=1)),
    }
    made = pb.GovernmentRequest(**{**usual, **changes})
    return pb.RecordGovernmentRequestRequest(request_id=request_id(), government_request=made)


def stub(audit: RunningAudit) -> Any:
    return audit.people(GovernmentRequestServiceStub)


async def record(audit: RunningAudit, who: str = COORDINATOR, **changes: Any) -> pb.GovernmentRequest:
    answer = await stub(audit).RecordGovernmentRequest(asked(**changes), metadata=audit.bearer(who))
    return answer.government_request


async def decide(
    audit: RunningAudit, one: pb.GovernmentRequest, decision: Any, who: str = COORDINATOR, days: int = 10
) -> pb.GovernmentRequest:
    request = pb.DecideGovernmentRequestRequest(
        request_id=request_id(),
        government_request_id=one.government_request_id,
        decision=decision,
        reason="public safety function",
    )
    if decision == GRANTED:
        request.valid_until.CopyFrom(to_timestamp(datetime.now(UTC) + timedelta(days=days)))
    answer = await stub(audit).DecideGovernmentRequest(request, metadata=audit.bearer(who))
    return answer.government_request


async def leave(audit: RunningAudit, who: str, digest: bytes) -> Any:
    """Records that a file goes to the entity, as search does."""
    request = audit_pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=audit.token(who),
        action="dissemination.government",
        resource="file-1",
        resource_agency_ori=ORI,
        details={"request_sha256": digest.hex(), "recipient": "County Highway Department"},
        justification=justification(),
    )
    return await authorizations(audit).RecordIntent(request)


@pytest.mark.clause("IV.B.3")
async def test_a_request_is_decided_by_an_account_and_the_log_says_who_and_why(audit: RunningAudit) -> None:
    one = await record(audit)
    waiting = one.decision
    done = await decide(audit, one, GRANTED)

    entry = await last_entry(audit)
    assert waiting == pb.GOVERNMENT_REQUEST_DECISION_UNSPECIFIED
    assert (done.decision, done.reason) == (GRANTED, "public safety function")
    assert done.decider_account_id == entry["actor"]
    assert done.HasField("decide_time") and done.HasField("valid_until")
    assert (entry["action"], entry["result"]) == ("government_request.decide", "DONE")


@pytest.mark.clause("IV.B.3")
async def test_nothing_goes_to_an_entity_without_a_granted_request_of_the_same_document(
    audit: RunningAudit,
) -> None:
    unknown = await refused(leave(audit, COORDINATOR, document()))
    one = await record(audit)
    waiting = await refused(leave(audit, COORDINATOR, one.document_sha256))
    await decide(audit, one, GRANTED)
    gone = await leave(audit, COORDINATOR, one.document_sha256)
    another = await record(audit)
    await decide(audit, another, REFUSED)
    barred = await refused(leave(audit, COORDINATOR, another.document_sha256))

    assert gone.intent_id
    for error in (unknown, waiting, barred):
        assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
        assert error.metadata["state"] == "NOT_GRANTED"
        assert "request decide" in error.message


@pytest.mark.clause("IV.B.3")
async def test_a_grant_of_another_agency_and_one_that_is_over_open_nothing(
    audit: RunningAudit, head: Officer
) -> None:
    theirs = await record(audit, head.subject)
    await decide(audit, theirs, GRANTED, head.subject)
    other = await refused(leave(audit, COORDINATOR, theirs.document_sha256))
    mine = await record(audit)
    await decide(audit, mine, GRANTED)
    connection = await asyncpg.connect(audit.database.admin_url)
    try:
        await connection.execute("ALTER TABLE audit.government_request DISABLE TRIGGER decision_stays")
        await connection.execute(
            "UPDATE audit.government_request SET valid_until = now() WHERE decision = 'GRANTED'"
        )
        await connection.execute("ALTER TABLE audit.government_request ENABLE TRIGGER decision_stays")
    finally:
        await connection.close()
    over = await refused(leave(audit, COORDINATOR, mine.document_sha256))

    assert other.metadata["state"] == over.metadata["state"] == "NOT_GRANTED"


@pytest.mark.clause("IV.B.3")
async def test_what_was_decided_stays(audit: RunningAudit) -> None:
    one = await record(audit)
    await decide(audit, one, REFUSED)

    error = await refused(decide(audit, one, GRANTED))
    connection = await asyncpg.connect(audit.database.url("audit_app"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "UPDATE audit.government_request SET reason = 'x' WHERE reason IS NOT NULL"
            )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM audit.government_request")
    finally:
        await connection.close()

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.clause("IV.B.3", "IV.A.1")
async def test_a_use_that_the_law_forbids_is_granted_by_nobody_and_can_be_refused(
    audit: RunningAudit,
) -> None:
    one = await record(audit, purpose="finding people for their immigration status")

    error = await refused(decide(audit, one, GRANTED))
    done = await decide(audit, one, REFUSED)

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert "2-130" in error.message
    assert done.decision == REFUSED


@pytest.mark.clause("IV.B.3", "III.B.3.l")
async def test_only_the_head_of_the_agency_decides_and_of_its_own_requests(
    audit: RunningAudit, head: Officer
) -> None:
    one = await record(audit)
    officer = await audit.person(audit_pb.ROLE_USER)

    for who in (officer.subject, ADMINISTRATOR, head.subject):
        error = await refused(decide(audit, one, GRANTED, who))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (await refused(record(audit, officer.subject))).code is grpc.StatusCode.PERMISSION_DENIED


async def test_the_same_document_is_recorded_once_and_the_same_request_again_is_the_same(
    audit: RunningAudit,
) -> None:
    request, metadata = asked(), audit.bearer(COORDINATOR)
    first = await stub(audit).RecordGovernmentRequest(request, metadata=metadata)
    size = await log_size(audit)

    again = await stub(audit).RecordGovernmentRequest(request, metadata=metadata)
    grown = await log_size(audit)
    error = await refused(record(audit, document_sha256=request.government_request.document_sha256))

    assert again == first
    assert grown == size
    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"entity": ""}, "government_request.entity"),
        ({"entity_type": "x" * 101}, "government_request.entity_type"),
        ({"person": " "}, "government_request.person"),
        ({"purpose": "short"}, "government_request.purpose"),
        ({"document_sha256": b"x"}, "government_request.document_sha256"),
        ({"receive_time": None}, "government_request.receive_time"),
        ({"receive_time": to_timestamp(datetime(2099, 1, 1, tzinfo=UTC))}, "government_request.receive_time"),
        ({"decision": GRANTED}, "government_request"),
        ({"decider_account_id": "me"}, "government_request"),
    ],
)
async def test_a_request_that_lacks_something_is_sent_back(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    error = await refused(record(audit, **changes))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]


@pytest.mark.parametrize("days", [-1, 367])
async def test_a_grant_counts_for_a_year_at_most(audit: RunningAudit, days: int) -> None:
    error = await refused(decide(audit, await record(audit), GRANTED, days=days))

    assert [violation.field for violation in error.violations] == ["valid_until"]


async def test_requests_are_listed_newest_first_page_by_page_to_the_agency_alone(
    audit: RunningAudit, head: Officer
) -> None:
    older, newer = await record(audit), await record(audit)
    theirs = await record(audit, head.subject)

    request = pb.ListGovernmentRequestsRequest(page_size=1)
    found = []
    for _ in range(2):
        answer = await stub(audit).ListGovernmentRequests(request, metadata=audit.bearer(COORDINATOR))
        found += [one.government_request_id for one in answer.government_requests]
        request.page_token = answer.next_page_token

    assert found == [newer.government_request_id, older.government_request_id]
    assert theirs.government_request_id not in found
