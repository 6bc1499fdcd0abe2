"""Two replicas under steady load, replaced one after the other: nobody hears of it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from services.audit.config import AuditSettings
from services.common.client import ClientTls, service_channel
from services.dev.pki import DevelopmentAuthority
from services.dev.probe import is_serving, probe_channel
from tests.support.audit_kit import begin, plate_request, running_audit, settings_for
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer

_CALLERS = 8
_QUESTIONS = """
    SELECT request_key, count(*) AS times FROM audit.log_leaf
    WHERE request_key LIKE 'authorize/%' GROUP BY request_key
"""


class Replica:
    """The service as a process, on a port that stays the same."""

    def __init__(self, settings: AuditSettings, tls: ClientTls, log: Path) -> None:
        self.port = free_port()
        self._log = log
        given = {name: value for name, value in settings.model_dump().items() if value not in {None, ""}}
        given |= {"listen": f"127.0.0.1:{self.port}", "user_listen": ""}
        given["database_url"] = settings.database_url.get_secret_value()
        self._environment = {f"PW_{name.upper()}": str(value) for name, value in given.items()}
        self._tls = tls
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it serves."""
        command = (sys.executable, "-m", "services.audit")
        environment = {"PYTHONPATH": "gen:.", **self._environment}
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=log)
        async with probe_channel(f"127.0.0.1:{self.port}", self._tls, "audit") as channel:
            async with asyncio.timeout(60):
                while not await is_serving(channel):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)

    async def is_found(self) -> None:
        """Returns when a call has come: clients look for a replica that was away every few seconds."""
        async with asyncio.timeout(60):
            while b"/Authorize" not in self._log.read_bytes():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def stop(self) -> int:
        """Exit code after SIGTERM; 0 for one that does not run."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            return await process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.clause("IV.A.5", "IV.E.2")
@pytest.mark.timeout(240)
async def test_no_call_fails_and_no_entry_is_lost_or_double_while_replicas_are_replaced(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> None:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    async with running_audit(settings, database, tls, issuer) as audit:
        officer = await audit.person(pb.ROLE_USER)
    made = tls.service("search")
    own = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
    replicas = [Replica(settings, own, tmp_path / f"{name}.log") for name in ("one", "two")]
    answered: list[str] = []
    failed: list[str] = []
    done = asyncio.Event()

    async def ask(stub: Any) -> None:
        while not done.is_set():
            request = plate_request(officer.token())
            try:
                await stub.Authorize(request, timeout=20)
            except grpc.aio.AioRpcError as error:
                failed.append(f"{error.code().name}: {error.details()}")
            else:
                answered.append(request.request_id)

    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        target = ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)
        async with service_channel(target, own, server_name="audit") as channel:
            callers = [asyncio.create_task(ask(AuthorizationServiceStub(channel))) for _ in range(_CALLERS)]
            await asyncio.gather(*(replica.is_found() for replica in replicas))
            for replica in replicas:
                assert await replica.stop() == 0
                await replica.start()
                await replica.is_found()
            done.set()
            await asyncio.gather(*callers)
    finally:
        await asyncio.gather(*(replica.stop() for replica in replicas))

    assert failed == []
    rows = await fetch(database.admin_url, _QUESTIONS)
    stored = {row["request_key"].rpartition("/")[2]: row["times"] for row in rows}
    assert stored == dict.fromkeys(answered, 1)
    await database.drop()
