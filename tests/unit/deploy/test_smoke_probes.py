"""Probes of the smoke test, asked of real servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc

from deploy.smoke.door import door
from deploy.smoke.engine import EngineError, ended, run
from deploy.smoke.manifests import ManifestError, Pod, manifests_of
from deploy.smoke.probes import holds, tcp_within
from services.common.health import LIVE, Health
from services.common.stopping import Stopping
from services.dev.pki import DevelopmentAuthority
from tests.unit.deploy.smoke_documents import deployment

HERE = "127.0.0.1"


def pod() -> Pod:
    (found,) = manifests_of([deployment("audit")]).pods()
    return found


async def asked(**probe: Any) -> bool:
    """Whether the probe holds of this machine."""
    return await holds({"timeoutSeconds": 5, **probe}, pod(), "no-container", HERE)


@asynccontextmanager
async def web(status: int, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that answers every request with this status."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who only looks whether somebody listens sends nothing.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(answer, HERE, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("status", "good"), [(200, True), (302, True), (404, False), (503, False)])
async def test_a_page_is_good_when_its_status_says_so(status: int, good: bool) -> None:
    async with web(status) as port:
        assert await asked(httpGet={"port": port, "path": "/public-key"}) is good


async def test_a_page_over_tls_is_asked_without_asking_whose_certificate_it_is(tmp_path: Path) -> None:
    files = DevelopmentAuthority(tmp_path / "pki").service("witness")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert_file, files.key_file)

    async with web(200, context) as port:
        assert await asked(httpGet={"port": port, "scheme": "HTTPS"})


async def test_a_port_is_good_when_somebody_listens() -> None:
    async with web(200) as port:
        assert await asked(tcpSocket={"port": port})
        await tcp_within(HERE, port, 5)
    assert not await asked(tcpSocket={"port": port})
    with pytest.raises(EngineError, match="nobody listens"):
        await tcp_within(HERE, port, 0.3)


async def test_a_service_is_alive_before_it_is_ready() -> None:
    server = grpc.aio.server()
    health = Health([], Stopping())
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port(f"{HERE}:0")
    await server.start()
    try:
        before = [await asked(grpc={"port": port, "service": name}) for name in ("", LIVE)]
        health.set_serving(True)
        after = [await asked(grpc={"port": port, "service": name}) for name in ("", LIVE)]
    finally:
        await server.stop(0)

    assert before == [False, True]
    assert after == [True, True]
    assert not await asked(grpc={"port": port})


async def test_a_probe_of_another_kind_is_an_error() -> None:
    with pytest.raises(ManifestError, match="of the kind guess"):
        await asked(guess={})


async def test_the_way_in_is_shut_while_no_replica_is_ready() -> None:
    async with door(list, 7443) as port:
        reader, writer = await asyncio.open_connection(HERE, port)
        assert await reader.read() == b""
        writer.close()


async def test_what_a_command_says_is_heard_and_its_failure_is_an_error(tmp_path: Path) -> None:
    assert await run("sh", "-c", "cat; pwd", given="in\n", folder=tmp_path) == f"in\n{tmp_path}\n"
    assert await run("sh", "-c", "echo bad >&2", both=True) == "bad\n"
    with pytest.raises(EngineError, match="bad"):
        await run("sh", "-c", "echo bad >&2; exit 3")
    with pytest.raises(EngineError, match="is needed"):
        await run("no-such-program-here")


async def test_the_end_of_a_process_is_seen_at_once_and_one_that_is_not_there_has_ended() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    waiting = asyncio.create_task(ended(process.pid))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    process.kill()

    await asyncio.wait_for(waiting, 60)
    await process.wait()
    await asyncio.wait_for(ended(process.pid), 60)
