"""The permit keys are replaced while an officer asks: no question fails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from services.audit.config import AuditSettings
from services.common.client import bearer
from services.common.migrate import main as migrate
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI, RunningAudit, begin, running_audit, settings_for
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.ports import free_base_port
from tests.support.search_house import House, running_search
from tests.support.search_kit import archived_read, now
from tests.support.search_world import question

PLATE = "KEYS123"


@dataclass
class Pair:
    """Two replicas of audit, which are started anew one after the other, and search in front of them."""

    settings: AuditSettings
    database: MigratedDatabase
    tls: DevelopmentAuthority
    issuer: RunningIssuer
    ports: tuple[int, int]
    replicas: dict[int, AsyncExitStack] = field(default_factory=dict)
    house: House | None = None
    token: str = ""
    failed: list[str] = field(default_factory=list)
    answered: int = 0

    async def start(self, port: int) -> RunningAudit:
        """A replica with the files of now."""
        stack = self.replicas[port] = AsyncExitStack()
        settings = AuditSettings(**{**self.settings.model_dump(), "listen": f"127.0.0.1:{port}"})
        return await stack.enter_async_context(running_audit(settings, self.database, self.tls, self.issuer))

    async def start_all_anew(self) -> None:
        """A rolling restart."""
        for port in self.ports:
            await self.replicas.pop(port).aclose()
            await self.start(port)
            await asyncio.sleep(1)

    async def archive_believes(self, *files: Path) -> None:
        """What the migration job does with the key files."""
        arguments = ["--admin-url", self.database.admin_url, "--service", "search"]
        for data_set, file in (("", files[0]), ("mcs-", files[1])):
            arguments += [f"--{data_set}permit-key-file", str(file)]
        assert await asyncio.to_thread(migrate, arguments) == 0

    async def keep_asking(self, ending: asyncio.Event) -> None:
        """An officer asks without a pause; what fails is noted."""
        assert self.house
        stub = self.house.person(SearchServiceStub)
        while not ending.is_set():
            try:
                answer = await stub.SearchReads(question(PLATE), metadata=(bearer(self.token),), timeout=20)
                self.answered += 1
                if not answer.reads:
                    self.failed.append("nothing was found")
            except grpc.aio.AioRpcError as error:
                self.failed.append(f"{error.code().name}: {error.details()}")
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def pair(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Pair]:
    database = await migrated_database("audit", "search")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    port = free_base_port()
    made = Pair(settings, database, tls, issuer, (port + 1, port + 2))
    async with AsyncExitStack() as stack:
        first, _ = [await made.start(port) for port in made.ports]
        targets = ",".join(f"127.0.0.1:{port}" for port in made.ports)
        made.house = await stack.enter_async_context(
            running_search(first, database, tls, tmp_path, PW_AUDIT_TARGET=targets)
        )
        await made.house.store(archived_read(now() - timedelta(hours=1), plate=PLATE, agency=ORI))
        officer = await first.person(audit_pb.ROLE_USER)
        made.token = first.token(officer.subject)
        yield made
        for replica in made.replicas.values():
            await replica.aclose()


def _lines(file: Path, *keys: str) -> None:
    file.write_text("\n".join(keys), encoding="ascii")


@pytest.mark.clause("III.E.5")
@pytest.mark.timeout(300)
async def test_the_permit_key_is_replaced_under_load_and_no_question_fails(pair: Pair) -> None:
    files = pair.settings.permit_key_file, pair.settings.mcs_permit_key_file
    (old, new), (mcs, mcs_new) = [(file.read_text(encoding="ascii"), secrets.token_hex(32)) for file in files]
    ending = asyncio.Event()
    asking = asyncio.create_task(pair.keep_asking(ending))

    for lines, mcs_lines in (([old, new], [mcs, mcs_new]), ([new, old], [mcs_new, mcs])):
        _lines(files[0], *lines)
        _lines(files[1], *mcs_lines)
        await pair.archive_believes(*files)
        await pair.start_all_anew()
    # A permit lives a minute; here nobody has one of before any more, for each question is answered.
    for file, key in zip(files, (new, mcs_new), strict=True):
        _lines(file, key)
    await pair.archive_believes(*files)
    await asyncio.sleep(2)
    ending.set()
    await asking

    assert not pair.failed
    assert pair.answered > 10
    believed = await fetch(pair.database.admin_url, "SELECT key FROM archive.permit_key")
    assert [row["key"].hex() for row in believed] == [new]
