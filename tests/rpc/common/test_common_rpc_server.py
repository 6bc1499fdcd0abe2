"""Start, health and end of a server."""

import asyncio
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common import server as server_module
from services.common.errors import NotFoundError, StoppingError, from_rpc_error
from services.common.health import LIVE
from services.common.identity import Context
from services.common.server import PortInUseError, Server, stopping_of
from services.dev.pki import DevelopmentAuthority
from tests.support.serving import until_serving
from tests.support.shapes import SERVICE, Shapes, builder_of, running, service_caller

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _until_stopping(_request: bytes, context: Context) -> AsyncIterator[bytes]:
    yield b"open"
    await stopping_of(context).wait()
    raise StoppingError("the service is stopping; resume on another replica")


async def _slow(_request: bytes, _context: Context) -> bytes:
    await asyncio.sleep(0.5)
    return b"finished"


async def _status(server: Server, tls: DevelopmentAuthority, name: str = "") -> int:
    async with service_caller(tls, server) as caller:
        stub: Any = health_pb2_grpc.HealthStub(caller.channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status)


async def test_an_open_stream_ends_promptly_with_the_reason_and_a_call_under_way_is_answered(
    tls: DevelopmentAuthority,
) -> None:
    closed: list[str] = []

    async def close(name: str) -> None:
        closed.append(name)

    builder = builder_of(tls, Shapes(_slow, _until_stopping), shutdown_grace_seconds=30.0)
    builder.on_stop(lambda: close("pool")).on_stop(lambda: close("writer"))
    server = builder.build()
    await server.start()
    async with service_caller(tls, server) as caller:
        stream = caller.start(shape="UnaryStream")
        assert await stream.read() == b"open"
        call = caller.start()
        await asyncio.sleep(0.1)

        began = time.perf_counter()
        stop = asyncio.create_task(server.stop())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        ended = time.perf_counter() - began
        assert closed == []
        answer = await call
        await stop
        stopped = time.perf_counter() - began

    assert isinstance(from_rpc_error(caught.value), StoppingError)
    assert ended < 0.3
    assert answer == b"finished"
    assert stopped < 2
    assert closed == ["writer", "pool"]


async def test_a_call_that_outlasts_the_grace_does_not_hold_the_end(tls: DevelopmentAuthority) -> None:
    async def never(_request: bytes, _context: Context) -> bytes:
        await asyncio.sleep(60)
        return b""

    server = builder_of(tls, Shapes(never), shutdown_grace_seconds=0.3).build()
    await server.start()
    async with service_caller(tls, server) as caller:
        call = caller.start(timeout=None)
        await asyncio.sleep(0.1)

        began = time.perf_counter()
        await server.stop()

        assert time.perf_counter() - began < 1.5
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_a_callback_that_fails_or_hangs_does_not_keep_the_others_from_running(
    tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_ON_STOP_SECONDS", 0.1)
    closed: list[str] = []

    async def first() -> None:
        closed.append("first")

    async def fails() -> None:
        raise OSError

    async def hangs() -> None:
        await asyncio.sleep(60)

    server = builder_of(tls, Shapes()).on_stop(first).on_stop(fails).on_stop(hangs).build()
    await server.start()
    await server.stop()

    assert closed == ["first"]


async def test_health_watchers_hear_of_the_end_before_the_stream_ends(tls: DevelopmentAuthority) -> None:
    server = builder_of(tls, Shapes()).build()
    await server.start()
    async with service_caller(tls, server) as caller:
        stub: Any = health_pb2_grpc.HealthStub(caller.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == SERVING

        stop = asyncio.create_task(server.stop())
        assert (await watch.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await watch.read()
        async with asyncio.timeout(1):
            await stop


async def test_health_follows_the_deep_check_also_when_it_hangs(
    tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CHECK_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "_CHECK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "_CHECK_SECONDS", 0.05)
    state = "ill"

    async def check() -> None:
        if state == "ill":
            raise OSError
        if state == "hung":
            await asyncio.sleep(60)

    # Our own channels send nothing to a server that is not serving, health probes included.
    credentials = grpc.ssl_channel_credentials(tls.ca_file.read_bytes())
    async with (
        running(builder_of(tls, Shapes()).health_check(check)) as server,
        grpc.aio.secure_channel(f"localhost:{server.user_port}", credentials) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        heard = [(await watch.read()).status]
        for state in ("well", "hung", "well", "ill"):  # noqa: B007 - check() looks at it
            heard.append((await watch.read()).status)
        watch.cancel()

    assert heard == [NOT_SERVING, SERVING, NOT_SERVING, SERVING, NOT_SERVING]


async def test_who_once_does_not_answer_the_check_in_time_goes_on_serving_and_is_soon_asked_again(
    tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "_CHECK_AGAIN_SECONDS", 0.01)
    hung = False
    checks = 0

    async def check() -> None:
        nonlocal checks
        checks += 1
        if hung:
            await asyncio.sleep(60)

    async def states(server: Server, count: int) -> list[bool]:
        found = []
        for _ in range(count):
            await server._check()
            found.append(server.serving)
        return found

    async with running(builder_of(tls, Shapes()).health_check(check)) as server:
        hung = True
        in_vain = await states(server, 3)
        hung = False
        heard = await states(server, 1)
        hung = True
        once = await states(server, 1)

    async with running(builder_of(tls, Shapes()).health_check(check)) as late:
        first, checks, hung = late.serving, 0, False
        await until_serving(late)

    assert (in_vain, heard, once) == ([True, False, False], [True], [True])
    assert not first
    assert checks == 1  # it came long before the five seconds of one that is well


async def test_health_knows_services_by_name(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server:
        assert await _status(server, tls) == SERVING
        assert await _status(server, tls, SERVICE) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _status(server, tls, "no.Such")

    assert isinstance(from_rpc_error(caught.value), NotFoundError)


async def test_a_probe_without_tls_hears_whether_the_process_serves_and_nothing_else(
    tls: DevelopmentAuthority,
) -> None:
    broken = asyncio.Event()

    async def check() -> None:
        if broken.is_set():
            raise OSError

    builder = builder_of(tls, Shapes(_slow), health_listen="127.0.0.1:0").health_check(check)
    async with (
        running(builder) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.health_port}") as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        before = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(f"/{SERVICE}/UnaryUnary")(b"", timeout=5)
        broken.set()
        await server._check()
        after = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        live = await stub.Check(health_pb2.HealthCheckRequest(service=LIVE), timeout=5)

    assert (before.status, after.status, live.status) == (SERVING, NOT_SERVING, SERVING)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_no_probes_are_listened_for_unless_asked(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes(_slow))) as server:
        assert server.health_port == 0


async def test_reflection_names_the_services(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(caller.channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        answer = await call.read()
        call.cancel()

    assert {one.name for one in answer.list_services_response.service} >= {SERVICE, "grpc.health.v1.Health"}


@pytest.mark.parametrize("variable", ["listen", "user_listen", "metrics_listen"])
async def test_a_taken_port_is_one_sentence_that_names_the_variable(
    tls: DevelopmentAuthority, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = builder_of(tls, Shapes(), **{variable: address}).build()
        with pytest.raises(PortInUseError) as caught:
            await server.start()
        await server.stop()

    assert (
        str(caught.value) == f"PW_{variable.upper()}: {address} cannot be listened on: address already in use"
    )


async def test_two_servers_cannot_share_a_port(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server:
        second = builder_of(tls, Shapes(), listen=f"127.0.0.1:{server.port}").build()
        with pytest.raises(PortInUseError):
            await second.start()
        await second.stop()


async def test_two_servers_that_start_at_the_same_moment_cannot_share_a_port_either(
    tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_require_free", lambda variable, address: None)
    async with running(builder_of(tls, Shapes())) as server:
        second = builder_of(tls, Shapes(), listen=f"127.0.0.1:{server.port}").build()
        with pytest.raises(PortInUseError, match="PW_LISTEN"):
            await second.start()
        await second.stop()


async def test_metrics_are_served_over_http(tls: DevelopmentAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    builder = builder_of(tls, Shapes(), metrics_listen=f"127.0.0.1:{port}")
    async with running(builder) as server, service_caller(tls, server) as caller:
        await caller.call()
        page = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics")

    assert 'grpc_server_handled_total{code="OK",method="/test.Shapes/UnaryUnary"}' in page


async def test_stopping_is_for_calls_only() -> None:
    with pytest.raises(LookupError):
        stopping_of(object())  # type: ignore[arg-type]


def test_a_service_can_be_added_once_only(tls: DevelopmentAuthority) -> None:
    builder = builder_of(tls, Shapes())

    with pytest.raises(ValueError, match="twice"):
        builder.add(SERVICE, lambda servicer, server: None, Shapes())


PROGRAM = """
import sys
from services.common.config import ServiceSettings
from services.common.logs import configure
from services.common.server import ServerBuilder, run, serve

async def close():
    print("pool closed", flush=True)

async def main():
    settings = ServiceSettings.from_environment()
    configure("audit")
    await serve(ServerBuilder(settings, name="audit").on_stop(close))

run(main())
"""


async def _process(tls: DevelopmentAuthority, **variables: str) -> asyncio.subprocess.Process:
    certificate = tls.server("audit")
    environment = {
        "PW_LISTEN": "127.0.0.1:0",
        "PW_TLS_CERT": str(certificate.cert_file),
        "PW_TLS_KEY": str(certificate.key_file),
        "PW_TLS_CA": str(certificate.ca_file),
        **variables,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        cwd=Path(__file__).parents[3],
        env={name: value for name, value in environment.items() if value},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_in_order_with_code_0(tls: DevelopmentAuthority, number: int) -> None:
    process = await _process(tls)
    assert process.stderr
    async with asyncio.timeout(60):
        while b"server_started" not in await process.stderr.readline():
            pass
        process.send_signal(number)
        out, err = await process.communicate()

    assert process.returncode == 0, err
    assert out == b"pool closed\n"
    assert b"Traceback" not in err


async def test_a_port_in_use_ends_the_process_with_a_sentence_and_code_1(tls: DevelopmentAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await _process(tls, PW_LISTEN=address)
        async with asyncio.timeout(60):
            out, err = await process.communicate()

    last = err.decode().splitlines()[-1]
    assert process.returncode == 1
    assert last == f"cannot start: PW_LISTEN: {address} cannot be listened on: address already in use"
    assert b"Traceback" not in err
    assert out == b"pool closed\n"


async def test_missing_settings_end_the_process_with_a_sentence_and_code_1(tls: DevelopmentAuthority) -> None:
    process = await _process(tls, PW_TLS_CERT="", PW_LISTEN="")
    async with asyncio.timeout(60):
        _, err = await process.communicate()

    assert process.returncode == 1
    assert err.decode() == "cannot start: PW_LISTEN and PW_TLS_CERT must be set\n"


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())
