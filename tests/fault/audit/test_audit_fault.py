"""What stays true when the process or the database goes away."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.config import AuditSettings
from services.audit.verifier import open_checkpoint, read_public_key
from services.common.client import ClientTls, service_channel
from services.common.database import database_of, with_database
from services.common.errors import AlprError, from_rpc_error
from services.common.merkle import Frontier
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    authorizations,
    begin,
    log_size,
    plate_request,
    refused,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer

_LOG = """
    SELECT leaf.log_index, leaf.entry_id, leaf.leaf_hash, leaf.request_key
    FROM audit.log_leaf AS leaf ORDER BY leaf.log_index
"""


@pytest_asyncio.fixture
async def founded(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[tuple[AuditSettings, MigratedDatabase]]:
    """A system that has begun, in a database of its own, and settings for replicas of the service."""
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    yield settings, database
    await database.drop()


def environment(settings: AuditSettings, port: int) -> dict[str, str]:
    given = {name: value for name, value in settings.model_dump().items() if value not in {None, ""}}
    given |= {"listen": f"127.0.0.1:{port}", "user_listen": ""}
    given["database_url"] = settings.database_url.get_secret_value()
    return {"PYTHONPATH": "gen:.", **{f"PW_{name.upper()}": str(value) for name, value in given.items()}}


@asynccontextmanager
async def process_of(settings: AuditSettings, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as a process of its own, which is killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.audit",
        env=environment(settings, port),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def stub_at(tls: DevelopmentAuthority, port: int) -> tuple[Any, grpc.aio.Channel]:
    made = tls.service("search")
    client = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
    channel = service_channel(f"127.0.0.1:{port}", client, server_name="audit")
    return AuthorizationServiceStub(channel), channel


async def check_whole(settings: AuditSettings, database: MigratedDatabase) -> list[asyncpg.Record]:
    """The log's leaves, gapless, with the root that the head's checkpoint was signed over."""
    rows = await fetch(database.admin_url, _LOG)
    head = (await fetch(database.admin_url, "SELECT checkpoint FROM audit.log_head"))[0]
    signer = settings.signer()
    checkpoint = open_checkpoint(head["checkpoint"], read_public_key(signer.verifier_key()))
    root = Frontier().extended(row["leaf_hash"] for row in rows).root()
    assert [row["log_index"] for row in rows] == list(range(len(rows)))
    assert (checkpoint.size, checkpoint.root) == (len(rows), root)
    return rows


@pytest.mark.clause("IV.E.2")
@pytest.mark.timeout(120)
async def test_a_process_that_is_killed_under_load_keeps_every_answered_entry(
    founded: tuple[AuditSettings, MigratedDatabase], tls: DevelopmentAuthority, issuer: RunningIssuer
) -> None:
    settings, database = founded
    async with running_audit(settings, database, tls, issuer) as audit:
        officer = await audit.person(pb.ROLE_USER)
    port, answered, asked = free_port(), {}, []
    stub, channel = stub_at(tls, port)
    enough = asyncio.Event()

    async def caller() -> None:
        while True:
            request = plate_request(officer.token())
            asked.append(request)
            try:
                answer = await stub.Authorize(request, timeout=60, wait_for_ready=not answered)
            except grpc.aio.AioRpcError:
                return
            answered[request.request_id] = answer.authorization_id
            if len(answered) > 200:
                enough.set()

    async with process_of(settings, port) as process:
        callers = [asyncio.create_task(caller()) for _ in range(32)]
        async with asyncio.timeout(60):
            await enough.wait()
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*callers)
    await channel.close()

    rows = await check_whole(settings, database)
    stored = {str(row["entry_id"]) for row in rows}
    assert set(answered.values()) <= stored

    async with running_audit(settings, database, tls, issuer) as audit:
        again = [await authorizations(audit).Authorize(request) for request in asked]
    rows = await check_whole(settings, database)
    assert {request.request_id for request in asked} == {
        row["request_key"].rpartition("/")[2] for row in rows if row["request_key"].startswith("authorize/")
    }
    assert len([row for row in rows if row["request_key"].startswith("authorize/")]) == len(asked)
    for request, answer in zip(asked, again, strict=True):
        assert answered.get(request.request_id, answer.authorization_id) == answer.authorization_id


async def test_a_process_that_is_told_to_stop_exits_with_0(
    founded: tuple[AuditSettings, MigratedDatabase], tls: DevelopmentAuthority
) -> None:
    settings, _ = founded
    port = free_port()
    stub, channel = stub_at(tls, port)

    async with process_of(settings, port) as process:
        await stub.GetPurposeCatalogue(pb.GetPurposeCatalogueRequest(), timeout=90, wait_for_ready=True)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            code = await process.wait()
    await channel.close()

    assert code == 0


@pytest.mark.clause("IV.A.5", "IV.E.2")
@pytest.mark.parametrize("failure", ["disk_full", "insufficient_privilege"])
async def test_nothing_is_allowed_while_the_log_cannot_be_written(
    founded: tuple[AuditSettings, MigratedDatabase],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    failure: str,
) -> None:
    settings, database = founded
    async with running_audit(settings, database, tls, issuer) as audit:
        officer = await audit.person(pb.ROLE_USER)
        before = await log_size(audit)
        await make_inserts_fail(database, failure)

        for request in (plate_request(officer.token()), plate_request("forged")):
            error = await refused(authorizations(audit).Authorize(request))
            assert error.code is grpc.StatusCode.UNAVAILABLE
            assert error.reason == ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE
        assert await log_size(audit) == before

        await let_inserts_pass(database)
        assert (await authorizations(audit).Authorize(plate_request(officer.token()))).permit
        assert await log_size(audit) == before + 2  # the sign-in and the question
    await check_whole(settings, database)


async def make_inserts_fail(database: MigratedDatabase, failure: str) -> None:
    """Makes every insert into the log fail with that condition."""
    await fetch(
        database.admin_url,
        "CREATE FUNCTION audit.fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{failure}'; END $$",
    )
    await fetch(
        database.admin_url,
        "CREATE TRIGGER failing BEFORE INSERT ON audit.log_field FOR EACH ROW EXECUTE FUNCTION audit.fail()",
    )


async def let_inserts_pass(database: MigratedDatabase) -> None:
    await fetch(database.admin_url, "DROP TRIGGER failing ON audit.log_field")


@pytest.mark.clause("III.B.3.e", "IV.A.4")
async def test_streams_end_when_the_registry_cannot_be_read(
    founded: tuple[AuditSettings, MigratedDatabase], tls: DevelopmentAuthority, issuer: RunningIssuer
) -> None:
    settings, database = founded
    async with running_audit(settings, database, tls, issuer) as audit:
        officer = await audit.person(pb.ROLE_USER)
        request = health_pb.WatchEntitlementsRequest(access_token=officer.token(), action="alerts.subscribe")
        streams = [
            audit.service(SensorServiceStub, "ocr").WatchSensors(sensor_pb.WatchSensorsRequest()),
            audit.service(HealthServiceStub, "alerts").WatchEntitlements(request),
        ]
        for stream in streams:
            await stream.read()

        name = database_of(database.admin_url)
        await fetch(maintenance_url(database), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await fetch(
            maintenance_url(database),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            name,
        )
        errors = await asyncio.gather(*(end_of(stream, 25) for stream in streams))
        await fetch(maintenance_url(database), f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    assert [one.code for one in errors] == [grpc.StatusCode.UNAVAILABLE] * 2


def maintenance_url(database: MigratedDatabase) -> str:
    return with_database(database.admin_url, "postgres")


async def end_of(stream: Any, seconds: float) -> AlprError:
    """The error with which the stream ends in time."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(seconds):
            while await stream.read() is not grpc.aio.EOF:
                pass
    return from_rpc_error(caught.value)


@pytest.mark.clause("I")
async def test_nobody_is_let_in_while_the_identity_providers_keys_cannot_be_had(
    founded: tuple[AuditSettings, MigratedDatabase], tls: DevelopmentAuthority, issuer: RunningIssuer
) -> None:
    settings, database = founded
    away = settings.model_copy(update={"oidc_jwks_url": f"http://127.0.0.1:{free_port()}/jwks"})
    async with running_audit(away, database, tls, issuer) as audit:
        error = await refused(authorizations(audit).Authorize(plate_request(issuer.token("coordinator"))))

        assert error.reason == ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE
        assert await log_size(audit) == 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
