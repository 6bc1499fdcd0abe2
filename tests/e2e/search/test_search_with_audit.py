"""Search with the real audit service: the whole question road."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.search_service_pb2 import SearchReadsResponse
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer, service_channel, user_channel
from services.common.errors import from_rpc_error
from services.dev.pki import DevelopmentAuthority
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.support.audit_kit import ORI, RunningAudit, begin, running_audit, settings_for
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_kit import archived_read, now
from tests.support.search_world import client_tls, environment, question

PLATE = "E2E1234"


@dataclass
class Road:
    """Audit and search, and an officer of the agency."""

    audit: RunningAudit
    search: Any
    token: str

    async def ask(self, **changes: Any) -> SearchReadsResponse:
        answer: SearchReadsResponse = await self.search.SearchReads(
            question(PLATE, **changes), metadata=(bearer(self.token),), timeout=20
        )
        return answer


@pytest_asyncio.fixture
async def road(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Road]:
    database = await migrated_database("audit", "search")
    audit_settings = settings_for(database, tls, issuer, tmp_path)
    await begin(audit_settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(running_audit(audit_settings, database, tls, issuer))
        values = environment(tls, database, tmp_path, int(audit.target.rpartition(":")[2]))
        builder = await assemble(
            SearchSettings.model_validate(
                {name.removeprefix("PW_").lower(): value for name, value in values.items()}
            )
        )
        server = builder.build()
        await server.start()
        stack.push_async_callback(server.stop)
        target, user_target = f"127.0.0.1:{server.port}", f"127.0.0.1:{server.user_port}"
        matcher = service_channel(target, client_tls(tls, "matcher"), server_name="search")
        people = user_channel(user_target, tls.ca_file)
        stack.push_async_callback(matcher.close)
        stack.push_async_callback(people.close)
        reads = [archived_read(now() - timedelta(hours=h), plate=PLATE, agency=ORI) for h in (1, 2, 3)]
        await ArchiveServiceStub(matcher).AppendReads(AppendReadsRequest(reads=reads))
        officer = await audit.person(audit_pb.ROLE_USER)
        yield Road(audit, SearchServiceStub(people), officer.token())


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.E.2")
async def test_an_officer_finds_the_reads_page_by_page_with_receipts(road: Road) -> None:
    first = await road.ask(page_size=2)
    second = await road.ask(page_size=2, page_token=first.next_page_token)

    assert [len(page.reads) for page in (first, second)] == [2, 1]
    assert second.next_page_token == ""
    for page in (first, second):
        fields = {field.name: field.value for field in page.outcome_receipt.fields}
        assert fields["row_count"] == str(len(page.reads))
        assert page.question_receipt.proof.startswith("c2sp.org/tlog-proof@v1")


@pytest.mark.clause("IV.C.5", "IV.E.2")
async def test_a_retry_gets_the_same_answer_and_is_recorded_as_a_second_one(road: Road) -> None:
    request = question(PLATE)
    metadata = (bearer(road.token),)
    first = await road.search.SearchReads(request, metadata=metadata)

    again = await road.search.SearchReads(request, metadata=metadata)

    assert again.reads == first.reads
    assert again.question_receipt.entry_id == first.question_receipt.entry_id
    assert again.outcome_receipt.entry_id != first.outcome_receipt.entry_id


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_without_case_number_or_purpose_nothing_is_found_and_the_reason_is_named(road: Road) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await road.ask(justification=justification_pb2.Justification())

    refusal = from_rpc_error(error.value)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED
    assert refusal.violations


@pytest.mark.clause("I")
async def test_a_stranger_finds_nothing(road: Road) -> None:
    road.token = road.audit.token("nobody")

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await road.ask()

    assert error.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
