"""Search killed while a file is about to leave: nothing left, and the log hears how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.report_service_pb2_grpc import ReportServiceStub
from services.common.client import bearer, service_channel, user_channel
from services.dev.pki import DevelopmentAuthority
from tests.fault.search.test_search_fault_process import SearchProcess, search_process
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import archived_read
from tests.support.search_leaving import OWN_USE, received
from tests.support.search_world import OFFICER, TestAudit, client_tls, environment, question, serve_audit


@dataclass
class Killing:
    """An audit service that has search killed while it answers the second outcome: that of the departure."""

    audit: TestAudit
    search: SearchProcess | None = None

    async def before_outcome(self) -> None:
        if self.audit.intents and self.search:
            self.search.process.kill()
            self.search = None
            await asyncio.sleep(3600)


async def entries(database: MigratedDatabase, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.admin_url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def ask(running: SearchProcess, tls: DevelopmentAuthority, plate: str) -> bytes:
    """Stores a read, and asks for the report on it."""
    read = archived_read(plate=plate, seed=plate)
    matcher = service_channel(f"127.0.0.1:{running.port}", client_tls(tls, "matcher"), server_name="search")
    people = user_channel(f"127.0.0.1:{running.user_port}", tls.ca_file)
    try:
        await ArchiveServiceStub(matcher).AppendReads(AppendReadsRequest(reads=[read]), timeout=20)
        request = pb.ExportReportRequest(
            request_id=str(uuid4()),
            justification=question(plate).justification,
            read_ids=[read.read.read_id],
            format=pb.REPORT_FORMAT_CSV,
            recipient=OWN_USE,
        )
        stream = ReportServiceStub(people).ExportReport(request, metadata=(bearer(OFFICER),), timeout=60)
        return (await received(stream)).data
    finally:
        await matcher.close()
        await people.close()


@pytest.mark.clause("III.B.3.m")
@pytest.mark.timeout(180)
async def test_a_departure_that_was_killed_after_its_entry_gets_its_outcome_from_the_next_process(
    archive_database: MigratedDatabase, tls: DevelopmentAuthority, tmp_path: Path, plate: str
) -> None:
    audit = TestAudit()
    killing = Killing(audit)
    audit.before_outcome = killing.before_outcome
    server, port = await serve_audit(tls, audit)
    values = environment(tls, archive_database, tmp_path, port)
    try:
        async with search_process(values) as running:
            killing.search = running
            with pytest.raises(grpc.aio.AioRpcError):
                await ask(running, tls, plate)
        [entry] = await entries(
            archive_database, "SELECT dissemination_id, receipt FROM archive.dissemination"
        )
        await entries(
            archive_database,
            "UPDATE archive.dissemination SET made_time = made_time - interval '2 minutes'",
        )
        before = len(audit.outcomes)

        async with search_process(values):
            for _ in range(600):
                [settled] = await entries(archive_database, "SELECT receipt FROM archive.dissemination")
                if settled["receipt"]:
                    break
                await asyncio.sleep(0.1)
    finally:
        await server.stop(None)

    assert entry["receipt"] is None
    assert settled["receipt"]
    [outcome] = audit.outcomes[before:]
    assert outcome.subject_id == str(entry["dissemination_id"])
    assert outcome.result == audit_pb.OUTCOME_RESULT_DONE
