"""The vendor's support: nothing without an escort, nothing unseen, nothing afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import escort_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.escort_service_pb2_grpc import EscortServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    Officer,
    RunningAudit,
    authorizations,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def vendor(audit: RunningAudit) -> Officer:
    """Somebody of the vendor's support."""
    return await audit.person(audit_pb.ROLE_VENDOR_SUPPORT)


def plan(vendor: Officer, **changes: Any) -> pb.EscortVendorRequest:
    usual = {
        "request_id": request_id(),
        "vendor_account_id": vendor.account_id,
        "scope": pb.ESCORT_SCOPE_HEALTH,
        "minutes": 30,
        "reason": "work order 4711",
    }
    return pb.EscortVendorRequest(**{**usual, **changes})


@asynccontextmanager
async def escorting(
    audit: RunningAudit, request: pb.EscortVendorRequest, who: str = COORDINATOR
) -> AsyncIterator[Any]:
    """The open stream of an escort that has begun."""
    stream = audit.people(EscortServiceStub).EscortVendor(request, metadata=audit.bearer(who))
    first = await stream.read()
    stream.escort_id = first.escort.escort_id
    try:
        yield stream
    finally:
        stream.cancel()


def looks(audit: RunningAudit, vendor: Officer, **claims: Any) -> Any:
    """A call of the vendor, within the scope of health."""
    stub = audit.people(GovernanceServiceStub)
    bearer = (("authorization", f"Bearer {vendor.token(**claims)}"),)
    return stub.ListAgencies(agency_pb.ListAgenciesRequest(), metadata=bearer)


async def calls_of(audit: RunningAudit, vendor: Officer) -> list[dict[str, str]]:
    """Fields of the log's entries about calls of the vendor, oldest first."""
    rows = await fetch(
        audit.database.admin_url,
        """SELECT log_index, name, value FROM audit.log_field WHERE log_index IN (
               SELECT one.log_index FROM audit.log_field AS one JOIN audit.log_field AS two USING (log_index)
               WHERE one.name = 'action' AND one.value = 'support.call'
                 AND two.name = 'actor' AND two.value = $1) ORDER BY log_index""",
        vendor.account_id,
    )
    entries: dict[int, dict[str, str]] = {}
    for row in rows:
        entries.setdefault(row["log_index"], {})[row["name"]] = row["value"]
    return list(entries.values())


@pytest.mark.clause("III.B.3.p")
async def test_without_an_escort_a_vendor_may_do_nothing_and_the_attempt_is_on_record(
    audit: RunningAudit, vendor: Officer
) -> None:
    error = await refused(looks(audit, vendor))

    assert error.metadata["clauses"] == "III.B.3.p"
    assert [one["subject"] for one in await calls_of(audit, vendor)] == ["agency.list"]


@pytest.mark.clause("III.B.3.p")
async def test_under_escort_every_call_is_recorded_before_its_answer_and_the_escort_sees_it(
    audit: RunningAudit, vendor: Officer
) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        await looks(audit, vendor)
        await refused(authorizations(audit).Authorize(plate_request(vendor.token())))
        seen: list[pb.VendorCall] = []
        async with asyncio.timeout(60):
            while len(seen) < 2:
                event = await stream.read()
                if event.HasField("call"):
                    seen.append(event.call)

    recorded = await calls_of(audit, vendor)
    assert (
        [one.action for one in seen]
        == [one["subject"] for one in recorded]
        == [
            "agency.list",
            "question.reads",
        ]
    )
    assert [one.service for one in seen] == ["", "search"]
    assert {one["detail.escort"] for one in recorded} == {stream.escort_id}
    assert [one.entry_id for one in seen] == [one["entry_id"] for one in recorded]


@pytest.mark.clause("III.B.3.p")
async def test_a_vendor_never_sees_a_read_whatever_the_scope_and_whatever_other_role_he_was_given(
    audit: RunningAudit,
) -> None:
    vendor = await audit.person(audit_pb.ROLE_VENDOR_SUPPORT, audit_pb.ROLE_USER)

    async with escorting(audit, plan(vendor, scope=pb.ESCORT_SCOPE_MODELS)):
        await looks(audit, vendor)
        error = await refused(authorizations(audit).Authorize(plate_request(vendor.token())))

    assert error.metadata["clauses"] == "III.B.3.p"


@pytest.mark.clause("III.B.3.p")
async def test_the_scope_decides_whether_models_may_be_changed(audit: RunningAudit, vendor: Officer) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        narrow = await refused(activates(audit, vendor))
        await cut(audit, stream.escort_id)
    async with escorting(audit, plan(vendor, scope=pb.ESCORT_SCOPE_MODELS)):
        await activates(audit, vendor)

    assert narrow.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED


@pytest.mark.clause("III.B.3.p")
async def test_a_cut_ends_it_at_once_and_the_stream_says_so(audit: RunningAudit, vendor: Officer) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        await looks(audit, vendor)

        ended = await cut(audit, stream.escort_id, ADMINISTRATOR)
        error = await refused(looks(audit, vendor))
        events = []
        async with asyncio.timeout(20):
            while (event := await stream.read()) is not grpc.aio.EOF:
                events.append(event)

    assert ended.cut_by
    assert ended.HasField("ended_time")
    assert error.metadata["clauses"] == "III.B.3.p"
    assert events[-1].escort.HasField("ended_time")


@pytest.mark.clause("III.B.3.p")
async def test_an_escort_who_leaves_takes_the_vendor_along(audit: RunningAudit, vendor: Officer) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        escort_id = stream.escort_id
        await looks(audit, vendor)

    async with asyncio.timeout(60):
        while not (await listed(audit, escort_id)).HasField("ended_time"):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    error = await refused(looks(audit, vendor))

    assert error.metadata["clauses"] == "III.B.3.p"
    assert (await listed(audit, escort_id)).cut_by == ""


@pytest.mark.clause("III.B.3.p")
async def test_who_opens_the_stream_again_in_time_goes_on(audit: RunningAudit, vendor: Officer) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        escort_id = stream.escort_id
    again = pb.EscortVendorRequest(escort_id=escort_id)

    async with escorting(audit, again) as stream:
        await looks(audit, vendor)
    others = await refused_stream(audit, again, ADMINISTRATOR)

    assert stream.escort_id == escort_id
    assert others == ErrorReason.ERROR_REASON_NOT_FOUND


@pytest.mark.clause("III.B.3.p")
async def test_a_sign_in_of_before_the_escort_is_worth_nothing_in_it(
    audit: RunningAudit, vendor: Officer
) -> None:
    old = vendor.token()
    await asyncio.sleep(1.1)  # tokens count whole seconds

    async with escorting(audit, plan(vendor)):
        await looks(audit, vendor)
        stub = audit.people(GovernanceServiceStub)
        bearer = (("authorization", f"Bearer {old}"),)
        error = await refused(stub.ListAgencies(agency_pb.ListAgenciesRequest(), metadata=bearer))

    assert error.metadata["clauses"] == "III.B.3.p"


@pytest.mark.clause("III.B.3.p")
async def test_a_suspended_escort_escorts_nobody(audit: RunningAudit, vendor: Officer) -> None:
    escort = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)

    async with escorting(audit, plan(vendor), escort.subject):
        suspend = account_pb.SuspendAccountRequest(
            request_id=request_id(), account_id=escort.account_id, reason="left the agency"
        )
        await audit.people(AccountServiceStub).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))
        error = await refused(looks(audit, vendor))

    assert error.metadata["clauses"] == "III.B.3.p"


@pytest.mark.clause("III.B.3.p")
async def test_only_a_vendors_account_is_escorted_and_only_by_one_at_a_time(
    audit: RunningAudit, vendor: Officer
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)

    by_user = await refused_stream(audit, plan(vendor), officer.subject)
    no_vendor = await refused_stream(audit, plan(officer), COORDINATOR)
    async with escorting(audit, plan(vendor)):
        second = await refused_stream(audit, plan(vendor), ADMINISTRATOR)

    assert by_user == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert no_vendor == second == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minutes": 0}, "minutes"),
        ({"minutes": 241}, "minutes"),
        ({"scope": 0}, "scope"),
        ({"reason": " "}, "reason"),
        ({"escort_id": "00000000-0000-4000-8000-000000000000"}, "escort_id"),
    ],
)
async def test_an_escort_that_is_not_complete_is_an_error_of_its_field(
    audit: RunningAudit, vendor: Officer, changes: dict[str, Any], field: str
) -> None:
    stub = audit.people(EscortServiceStub)
    error = await refused(
        stub.EscortVendor(plan(vendor, **changes), metadata=audit.bearer(COORDINATOR)).read()
    )

    assert [one.field for one in error.violations] == [field]


@pytest.mark.clause("III.B.3.p")
async def test_escorts_and_calls_do_not_change_in_the_database_either(
    audit: RunningAudit, vendor: Officer
) -> None:
    async with escorting(audit, plan(vendor)) as stream:
        await looks(audit, vendor)
        await cut(audit, stream.escort_id)
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        await connection.execute("SET ROLE audit_app")
        for statement in (
            "DELETE FROM audit.vendor_call",
            "UPDATE audit.escort SET ended_time = NULL",
            "UPDATE audit.escort SET end_time = end_time + interval '1 hour'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def activates(audit: RunningAudit, vendor: Officer) -> None:
    request = audit_pb.RecordIntentRequest(
        request_id=request_id(), access_token=vendor.token(), action="model.activate", resource="plates-2"
    )
    await authorizations(audit, "ocr").RecordIntent(request)


async def cut(audit: RunningAudit, escort_id: str, who: str = COORDINATOR) -> pb.Escort:
    request = pb.CutEscortRequest(request_id=request_id(), escort_id=escort_id)
    answer = await audit.people(EscortServiceStub).CutEscort(request, metadata=audit.bearer(who))
    ended: pb.Escort = answer.escort
    return ended


async def listed(audit: RunningAudit, escort_id: str) -> pb.Escort:
    """The escort as the agency's list has it, whatever its page."""
    stub, token = audit.people(EscortServiceStub), ""
    while True:
        request = pb.ListEscortsRequest(page_size=2, page_token=token)
        answer = await stub.ListEscorts(request, metadata=audit.bearer(COORDINATOR))
        for one in answer.escorts:
            if one.escort_id == escort_id:
                return one
        token = answer.next_page_token
        assert token


async def refused_stream(audit: RunningAudit, request: pb.EscortVendorRequest, who: str) -> Any:
    stream = audit.people(EscortServiceStub).EscortVendor(request, metadata=audit.bearer(who))
    assert isinstance(stream, grpc.aio.UnaryStreamCall)
    return (await refused(stream.read())).reason
