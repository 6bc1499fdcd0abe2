"""Agencies of other states are answered once they have declared in writing (625 ILCS 5/2-130)."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import declaration_service_pb2 as declaration_pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1.declaration_service_pb2_grpc import DeclarationServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
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
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")

OUTSIDE = "WI0000001"
USES = ("IMMIGRATION_STATUS", "REPRODUCTIVE_HEALTH_CARE")
_END_ALL = "UPDATE audit.declaration SET withdraw_time = now() WHERE withdraw_time IS NULL"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outsider(audit: RunningAudit) -> Officer:
    """The head of an agency of another state, who also searches."""
    return await audit.head_of(OUTSIDE, pb.ROLE_USER)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def undeclared(audit: RunningAudit) -> None:
    """Each test begins without a declaration in force."""
    await fetch(audit.database.admin_url, _END_ALL)


def declaration(**changes: Any) -> declaration_pb.Declaration:
    now = datetime.now(UTC)
    usual = {
        "agency_ori": OUTSIDE,
        "document_sha256": hashlib.sha256(b"the signed paper").digest(),
        "signed_by": "Sheriff Example",
        "office": "Sheriff",
        "sign_time": to_timestamp(now - timedelta(days=2)),
        "start_time": to_timestamp(now - timedelta(days=1)),
        "end_time": to_timestamp(now + timedelta(days=300)),
        "excluded_uses": USES,
    }
    return declaration_pb.Declaration(**{**usual, **changes})


def stub(audit: RunningAudit) -> Any:
    return audit.people(DeclarationServiceStub)


async def record(audit: RunningAudit, who: str = COORDINATOR, **changes: Any) -> declaration_pb.Declaration:
    request = declaration_pb.RecordDeclarationRequest(
        request_id=request_id(), declaration=declaration(**changes)
    )
    return (await stub(audit).RecordDeclaration(request, metadata=audit.bearer(who))).declaration


async def end(audit: RunningAudit, declaration_id: str, who: str) -> declaration_pb.Declaration:
    request = declaration_pb.EndDeclarationRequest(
        request_id=request_id(), declaration_id=declaration_id, reason="the board has decided"
    )
    return (await stub(audit).EndDeclaration(request, metadata=audit.bearer(who))).declaration


async def ask(audit: RunningAudit, person: Officer, **changes: Any) -> Any:
    request = plate_request(person.token(), justification=justification(**changes))
    return await authorizations(audit).Authorize(request)


@pytest.mark.clause("IV.B.3", "III.B.1")
async def test_a_question_without_a_declaration_is_refused_and_says_what_to_do(
    audit: RunningAudit, outsider: Officer, officer: Officer
) -> None:
    error = await refused(ask(audit, outsider))
    entry = await last_entry(audit)
    await ask(audit, officer)

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert error.metadata["clauses"] == "IV.B.3/out-of-state"
    assert "625 ILCS 5/2-130" in error.message
    assert "ask the agency that shares with you to record it" in error.message
    assert (entry["kind"], entry["clauses"]) == ("refusal", "IV.B.3/out-of-state")
    assert entry["actor_agency"] == OUTSIDE


@pytest.mark.clause("IV.B.3", "III.B.1")
async def test_a_recorded_declaration_lets_its_people_ask_and_its_end_bars_them_at_once(
    audit: RunningAudit, outsider: Officer
) -> None:
    made = await record(audit)
    outcome = await last_entry(audit)
    answered = await ask(audit, outsider)

    ended = await end(audit, made.declaration_id, COORDINATOR)
    error = await refused(ask(audit, outsider))

    assert made.in_force and not ended.in_force
    assert (outcome["action"], outcome["result"]) == ("declaration.record", "DONE")
    assert answered.permit
    assert error.metadata["clauses"] == "IV.B.3/out-of-state"


@pytest.mark.clause("IV.B.3")
async def test_the_log_has_document_signer_dates_and_what_is_excluded(audit: RunningAudit) -> None:
    await record(audit, excluded_offence_codes=["FRAUD"])

    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field"
        " WHERE log_index = (SELECT max(log_index) - 1 FROM audit.log_leaf)",
    )
    intent = {row["name"]: row["value"] for row in rows}
    assert intent["detail.declaring_agency"] == OUTSIDE
    assert intent["detail.document_sha256"] == hashlib.sha256(b"the signed paper").hexdigest()
    assert (intent["detail.signed_by"], intent["detail.office"]) == ("Sheriff Example", "Sheriff")
    assert intent["detail.excluded_uses"] == ",".join(USES)
    assert intent["detail.excluded_offence_codes"] == "FRAUD"
    assert all(intent[f"detail.{one}_time"] for one in ("sign", "start", "end"))


@pytest.mark.clause("IV.B.3", "IV.C.6")
async def test_an_offence_that_the_declaration_excludes_is_refused_to_its_people_alone(
    audit: RunningAudit, outsider: Officer, officer: Officer
) -> None:
    await record(audit, excluded_offence_codes=["FRAUD"])
    words = {"offence_code": "FRAUD", "purpose": "stolen identity used to rent the car of the plate"}

    error = await refused(ask(audit, outsider, **words))
    await ask(audit, outsider)
    await ask(audit, officer, **words)

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert "has declared in writing" in error.message


@pytest.mark.clause("IV.B.3")
async def test_one_that_is_not_yet_or_no_longer_in_force_opens_nothing(
    audit: RunningAudit, outsider: Officer
) -> None:
    now = datetime.now(UTC)
    await record(audit, start_time=to_timestamp(now + timedelta(hours=1)))
    early = await refused(ask(audit, outsider))
    await record(audit, end_time=to_timestamp(now + timedelta(seconds=2)))
    await ask(audit, outsider)
    await asyncio.sleep(2.2)

    late = await refused(ask(audit, outsider))

    assert early.metadata["clauses"] == late.metadata["clauses"] == "IV.B.3/out-of-state"


@pytest.mark.clause("IV.B.3", "IV.A.4")
async def test_an_open_stream_ends_when_the_declaration_does(audit: RunningAudit, outsider: Officer) -> None:
    made = await record(audit)
    request = health_pb.WatchEntitlementsRequest(access_token=outsider.token(), action="alerts.subscribe")
    call: Any = audit.service(HealthServiceStub, "alerts").WatchEntitlements(request)
    await call.read()

    await end(audit, made.declaration_id, outsider.subject)

    async def to_the_end() -> None:
        while await call.read():
            pass

    error = await refused(asyncio.wait_for(to_the_end(), 20))
    assert error.metadata["clauses"] == "IV.B.3/out-of-state"


@pytest.mark.clause("IV.B.3", "III.B.3.g")
async def test_nobody_declares_for_himself_and_no_other_office_does(
    audit: RunningAudit, outsider: Officer, officer: Officer
) -> None:
    await record(audit)
    for who in (outsider.subject, officer.subject, ADMINISTRATOR):
        error = await refused(record(audit, who))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED


async def test_an_agency_of_a_third_state_does_not_end_it(audit: RunningAudit, outsider: Officer) -> None:
    third = await audit.head_of("MO0000001")
    made = await record(audit)

    error = await refused(end(audit, made.declaration_id, third.subject))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (await ask(audit, outsider)).permit


@pytest.mark.clause("IV.B.3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"agency_ori": ORI}, "declaration.agency_ori"),
        ({"excluded_uses": USES[:1]}, "declaration.excluded_uses"),
        ({"excluded_uses": ()}, "declaration.excluded_uses"),
        ({"excluded_uses": (*USES, "WHATEVER")}, "declaration.excluded_uses"),
        ({"excluded_offence_codes": ["NO_SUCH_CODE"]}, "declaration.excluded_offence_codes"),
        ({"document_sha256": b"short"}, "declaration.document_sha256"),
        ({"signed_by": " "}, "declaration.signed_by"),
        ({"office": ""}, "declaration.office"),
        ({"sign_time": None}, "declaration.sign_time"),
        ({"declaration_id": "1"}, "declaration"),
        ({"in_force": True}, "declaration"),
    ],
)
async def test_a_declaration_that_lacks_what_the_law_asks_for_is_not_recorded(
    audit: RunningAudit, outsider: Officer, changes: dict[str, Any], field: str
) -> None:
    error = await refused(record(audit, **changes))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in [violation.field for violation in error.violations]


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ((1, 2, 10), "sign_time"),
        ((-1, -2, 10), "start_time"),
        ((-9, -8, -1), "end_time"),
        ((-2, -1, 366), "end_time"),
    ],
)
async def test_dates_that_do_not_fit_are_refused(
    audit: RunningAudit, outsider: Officer, days: tuple[int, int, int], field: str
) -> None:
    now, names = datetime.now(UTC), ("sign_time", "start_time", "end_time")
    moved = {
        name: to_timestamp(now + timedelta(days=number)) for name, number in zip(names, days, strict=True)
    }

    error = await refused(record(audit, **moved))

    assert [violation.field for violation in error.violations] == [f"declaration.{field}"]


async def test_the_same_request_again_records_nothing_more(audit: RunningAudit, outsider: Officer) -> None:
    request = declaration_pb.RecordDeclarationRequest(request_id=request_id(), declaration=declaration())
    metadata = audit.bearer(COORDINATOR)
    first = await stub(audit).RecordDeclaration(request, metadata=metadata)
    size = await log_size(audit)

    again = await stub(audit).RecordDeclaration(request, metadata=metadata)

    assert again == first
    assert await log_size(audit) == size


async def test_the_home_state_sees_all_page_by_page_and_others_their_own(
    audit: RunningAudit, outsider: Officer
) -> None:
    other = await audit.head_of("IA0000001")
    mine = await record(audit)
    theirs = await record(audit, agency_ori="IA0000001")

    async def all_of(who: str) -> list[str]:
        found, token = [], ""
        while True:
            request = declaration_pb.ListDeclarationsRequest(page_size=1, page_token=token)
            answer = await stub(audit).ListDeclarations(request, metadata=audit.bearer(who))
            assert {one.use_id for one in answer.law.uses} == set(USES)
            found += [one.declaration_id for one in answer.declarations]
            token = answer.next_page_token
            if not token:
                return found

    assert (await all_of(COORDINATOR))[:2] == [theirs.declaration_id, mine.declaration_id]
    assert await all_of(other.subject) == [theirs.declaration_id]
    assert theirs.declaration_id not in await all_of(outsider.subject)


async def test_what_was_withdrawn_does_not_come_back_in_the_database_either(
    audit: RunningAudit, outsider: Officer
) -> None:
    made = await record(audit)
    await end(audit, made.declaration_id, COORDINATOR)
    connection = await asyncpg.connect(audit.database.url("audit_app"))
    try:
        for statement in (
            "UPDATE audit.declaration SET withdraw_time = NULL WHERE declaration_id = $1::uuid",
            "UPDATE audit.declaration SET end_time = 'infinity' WHERE declaration_id = $1::uuid",
            "DELETE FROM audit.declaration WHERE declaration_id = $1::uuid",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, made.declaration_id)
    finally:
        await connection.close()
