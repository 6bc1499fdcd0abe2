"""The process itself: killed while it stores, told to stop, looked over the shoulder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import grpc
import pytest

from alpr.search.v1.archive_service_pb2 import AppendReadsRequest, ArchivedRead
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1.read_pb2 import ReadStatus
from services.common.client import bearer, service_channel, user_channel
from services.dev.pki import DevelopmentAuthority
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import archived_read
from tests.support.search_world import (
    OFFICER,
    TestAudit,
    client_tls,
    environment,
    question,
    serve_audit,
)

_ENOUGH = 500
ROOT = Path(__file__).parents[3]


@dataclass
class SearchProcess:
    """`python -m services.search` and what it wrote."""

    process: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)
    port: int = 0
    user_port: int = 0

    async def read_log(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.log.append(line.decode())

    async def started(self) -> None:
        for _ in range(2400):
            for line in self.log:
                if '"server_started"' in line:
                    event = json.loads(line)
                    self.port, self.user_port = event["port"], event["user_port"]
                    return
            await asyncio.sleep(0.05)
        raise AssertionError("".join(self.log))


@asynccontextmanager
async def search_process(values: dict[str, str]) -> AsyncIterator[SearchProcess]:
    """A search process; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.search",
        cwd=ROOT,
        env={**os.environ, **values},
        stderr=asyncio.subprocess.PIPE,
    )
    running = SearchProcess(process)
    reading = asyncio.create_task(running.read_log())
    try:
        await running.started()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@pytest.fixture
def values(archive_database: MigratedDatabase, tls: DevelopmentAuthority, tmp_path: Path) -> dict[str, str]:
    return environment(tls, archive_database, tmp_path, audit_port=1)


async def append_until_it_breaks(
    stub: ArchiveServiceStub, sent: list[ArchivedRead], stored: set[str], enough: asyncio.Event
) -> None:
    """Sends small batches one after the other and remembers what was answered STORED."""
    while True:
        reads = [archived_read() for _ in range(10)]
        sent.extend(reads)
        try:
            response = await stub.AppendReads(AppendReadsRequest(reads=reads), timeout=5)
        except grpc.aio.AioRpcError:
            return
        stored.update(
            result.read_id for result in response.results if result.status == ReadStatus.READ_STATUS_STORED
        )
        if len(stored) >= _ENOUGH:
            enough.set()


@pytest.mark.clause("II.J")
async def test_what_was_answered_stored_is_there_after_kill_9(
    archive_database: MigratedDatabase, tls: DevelopmentAuthority, values: dict[str, str]
) -> None:
    sent: list[ArchivedRead] = []
    stored: set[str] = set()
    matcher = client_tls(tls, "matcher")
    async with (
        search_process(values) as search,
        service_channel(f"127.0.0.1:{search.port}", matcher, server_name="search") as channel,
    ):
        stub, enough = ArchiveServiceStub(channel), asyncio.Event()
        senders = [asyncio.create_task(append_until_it_breaks(stub, sent, stored, enough)) for _ in range(8)]
        await enough.wait()
        search.process.send_signal(signal.SIGKILL)
        await asyncio.gather(*senders)

    admin = await asyncpg.connect(archive_database.admin_url)
    kept = {str(row["read_id"]) for row in await admin.fetch("SELECT read_id FROM archive.read")}
    assert stored <= kept

    # The sender has no answer for the rest and sends everything again: each read is there once.
    async with (
        search_process(values) as search,
        service_channel(f"127.0.0.1:{search.port}", matcher, server_name="search") as channel,
    ):
        for start in range(0, len(sent), 500):
            response = await ArchiveServiceStub(channel).AppendReads(
                AppendReadsRequest(reads=sent[start : start + 500]), timeout=20
            )
            assert {result.status for result in response.results} <= {
                ReadStatus.READ_STATUS_STORED,
                ReadStatus.READ_STATUS_DUPLICATE,
            }
    ids = [UUID(read.read.read_id) for read in sent]
    count = await admin.fetchval("SELECT count(*) FROM archive.read WHERE read_id = ANY ($1)", ids)
    assert count == len(ids)
    await admin.close()


async def test_sigterm_ends_the_process_with_code_0_and_loses_no_answer(
    tls: DevelopmentAuthority, values: dict[str, str]
) -> None:
    async with search_process(values) as search:
        matcher = client_tls(tls, "matcher")
        async with service_channel(f"127.0.0.1:{search.port}", matcher, server_name="search") as channel:
            call = ArchiveServiceStub(channel).AppendReads(
                AppendReadsRequest(reads=[archived_read() for _ in range(200)]), timeout=10
            )
            await call.wait_for_connection()
            search.process.terminate()
            response = await call
        assert len(response.results) == 200
        assert await search.process.wait() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("test-password", "wrong"), "PostgreSQL refuses a login of search"),
        (("@127.0.0.1:", "@127.0.0.1:1/"), "cannot start: the database cannot be used"),
        (("search_append:", "postgres:"), "PW_APPEND_DATABASE_URL must log in as search_append"),
    ],
    ids=["password", "address", "login"],
)
async def test_a_wrong_database_setting_stops_the_start_with_one_sentence(
    values: dict[str, str], change: tuple[str, str], said: str
) -> None:
    values["PW_APPEND_DATABASE_URL"] = values["PW_APPEND_DATABASE_URL"].replace(*change)

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.search",
        cwd=ROOT,
        env={**os.environ, **values},
        stderr=asyncio.subprocess.PIPE,
    )
    _, written = await process.communicate()

    assert process.returncode == 1
    assert said in written.decode()
    assert "Traceback" not in written.decode()
    assert "test-password" not in written.decode()


@pytest.mark.clause("III.B.3.i")
async def test_the_log_holds_nothing_of_what_was_asked_or_found(
    tls: DevelopmentAuthority, values: dict[str, str]
) -> None:
    audit = TestAudit()
    audit_server, audit_port = await serve_audit(tls, audit)
    values = {**values, "PW_AUDIT_TARGET": f"127.0.0.1:{audit_port}", "PW_LOG_LEVEL": "debug"}
    read = archived_read(plate="SECRET77")
    request = question("SECRET77")
    async with search_process(values) as search:
        target = f"127.0.0.1:{search.port}"
        async with service_channel(target, client_tls(tls, "matcher"), server_name="search") as channel:
            await ArchiveServiceStub(channel).AppendReads(AppendReadsRequest(reads=[read]), timeout=60)
        async with user_channel(f"127.0.0.1:{search.user_port}", tls.ca_file) as channel:
            ask = SearchServiceStub(channel).SearchReads
            answer = await ask(request, metadata=(bearer(OFFICER),), timeout=60)
            assert len(answer.reads) == 1
            # The way of a refused permit, too.
            audit.change_permit = lambda permit: permit.text().replace("|reads|", "|image|")
            with pytest.raises(grpc.aio.AioRpcError):
                await ask(question("SECRET77"), metadata=(bearer(OFFICER),), timeout=10)
        search.process.terminate()
        await search.process.wait()
    await audit_server.stop(None)

    written = "".join(search.log)
    assert '"permit_refused"' in written
    for secret in (
        "SECRET77",
        OFFICER,
        "26-0001",
        "homicide",
        "v1|",
        read.read.read_id,
        "eastbound",
        "41.978",
        "test-password",
    ):
        assert secret not in written
