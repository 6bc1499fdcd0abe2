"""Channels: retries, spreading, health, and whom they believe."""

import asyncio
from collections import Counter

import grpc
import pytest

from services.common.client import bearer, service_channel
from services.common.errors import (
    DependencyUnavailableError,
    StoppingError,
    StorageUnavailableError,
    from_rpc_error,
)
from services.common.identity import AccessToken, Context, require_token
from services.dev.pki import DevelopmentAuthority
from tests.support.shapes import (
    SHAPES,
    Caller,
    Shapes,
    builder_of,
    client_tls,
    running,
    service_caller,
    user_caller,
)


class _Failing:
    """Fails the first calls."""

    def __init__(self, times: int, error: Exception) -> None:
        self.calls = 0
        self._times = times
        self._error = error

    async def __call__(self, request: bytes, _context: Context) -> bytes:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return request


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_is_unavailable_is_tried_again(tls: DevelopmentAuthority, shape: str) -> None:
    failing = _Failing(2, StoppingError("stopping"))
    async with running(builder_of(tls, Shapes(failing))) as server, service_caller(tls, server) as caller:
        assert await caller.call(b"again", shape=shape) == b"again"

    assert failing.calls == 3


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_call_that_met_a_server_as_it_ended_is_tried_again(
    tls: DevelopmentAuthority, shape: str
) -> None:
    """gRPC answers CANCELLED for what arrives while it shuts down."""
    calls = 0

    async def dropped_once(request: bytes, context: Context) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 1:
            await context.abort(grpc.StatusCode.CANCELLED)
        return request

    async with (
        running(builder_of(tls, Shapes(dropped_once))) as server,
        service_caller(tls, server) as caller,
    ):
        assert await caller.call(b"again", shape=shape) == b"again"

    assert calls == 2


async def test_what_the_caller_gives_up_is_not_tried_again(tls: DevelopmentAuthority) -> None:
    begun, calls = asyncio.Event(), 0

    async def long(request: bytes, _context: Context) -> bytes:
        nonlocal calls
        calls += 1
        begun.set()
        await asyncio.sleep(60)
        return request

    async with running(builder_of(tls, Shapes(long))) as server, service_caller(tls, server) as caller:
        call = caller.start()
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.5)

    assert calls == 1


async def test_a_server_that_ends_answers_those_who_have_not_turned_away_yet(
    tls: DevelopmentAuthority,
) -> None:
    """A client of another make, which does not look at health and tries nothing again."""
    made = tls.service("search")
    credentials = grpc.ssl_channel_credentials(
        made.ca_file.read_bytes(), made.key_file.read_bytes(), made.cert_file.read_bytes()
    )
    options = (("grpc.ssl_target_name_override", "audit"), ("grpc.enable_retries", 0))
    async with running(builder_of(tls, Shapes())) as server:
        target = f"127.0.0.1:{server.port}"
        async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
            caller = Caller(channel)
            await caller.call()
            stopping = asyncio.create_task(server.stop())
            for _ in range(50):
                assert await caller.call(b"still") == b"still"
                await asyncio.sleep(0.01)
            assert not stopping.done()
        await stopping


async def test_after_four_tries_the_typed_error_comes_through(tls: DevelopmentAuthority) -> None:
    failing = _Failing(99, StorageUnavailableError("full"))
    async with running(builder_of(tls, Shapes(failing))) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call()

    assert isinstance(from_rpc_error(caught.value), StorageUnavailableError)
    assert failing.calls == 4


async def test_an_error_of_another_code_is_not_tried_again(tls: DevelopmentAuthority) -> None:
    failing = _Failing(99, ValueError())
    async with running(builder_of(tls, Shapes(failing))) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError):
            await caller.call()

    assert failing.calls == 1


async def test_calls_are_spread_over_replicas_and_leave_the_one_that_stops_without_an_error(
    tls: DevelopmentAuthority,
) -> None:
    served: Counter[str] = Counter()

    def replica(name: str) -> Shapes:
        async def one(request: bytes, _context: Context) -> bytes:
            served[name] += 1
            return request

        return Shapes(one)

    own = client_tls(tls.service("search"))
    async with (
        running(builder_of(tls, replica("a"))) as first,
        running(builder_of(tls, replica("b"))) as second,
    ):
        target = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with service_channel(target, own, server_name="audit") as channel:
            caller = Caller(channel)
            await _both_connected(caller, served)
            served.clear()
            for _ in range(40):
                await caller.call()
            assert 15 <= served["a"] <= 25

            stop = asyncio.create_task(first.stop())
            for _ in range(40):
                await caller.call()
            await stop
            served.clear()
            for _ in range(10):
                await caller.call()
            assert served == {"b": 10}


async def _both_connected(caller: Caller, served: Counter[str]) -> None:
    async with asyncio.timeout(60):
        while len(served) < 2:
            await caller.call()


async def test_a_server_that_is_ill_gets_no_calls_and_the_caller_hears_at_once(
    tls: DevelopmentAuthority,
) -> None:
    async def check() -> None:
        raise OSError

    async with (
        running(builder_of(tls, Shapes()).health_check(check)) as server,
        service_caller(tls, server) as caller,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(timeout=5)

    assert isinstance(from_rpc_error(caught.value), DependencyUnavailableError)


async def test_a_service_that_is_away_is_an_error_at_once_not_a_wait(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server:
        port = server.port
    own = client_tls(tls.service("search"))
    async with service_channel(f"127.0.0.1:{port}", own, server_name="audit") as channel, asyncio.timeout(20):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Caller(channel).call(timeout=30)

    error = from_rpc_error(caught.value)
    assert isinstance(error, DependencyUnavailableError)
    assert str(port) not in error.message


async def test_another_services_certificate_is_not_believed(tls: DevelopmentAuthority) -> None:
    own = client_tls(tls.service("search"))
    async with (
        running(builder_of(tls, Shapes())) as server,
        service_channel(f"127.0.0.1:{server.port}", own, server_name="matcher") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Caller(channel).call(timeout=3)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_bearer_carries_a_token_and_a_plain_text(tls: DevelopmentAuthority) -> None:
    async def one(_request: bytes, context: Context) -> bytes:
        token = require_token(context).access_token
        assert token is not None
        return token.reveal().encode()

    async with running(builder_of(tls, Shapes(one))) as server, user_caller(tls, server) as caller:
        assert await caller.call(metadata=(bearer("abc"),)) == b"abc"
        assert await caller.call(metadata=(bearer(AccessToken("def")),)) == b"def"
