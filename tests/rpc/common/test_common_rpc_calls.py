"""What every call goes through: errors, request id, deadline, cancellation, metrics, log."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import pytest
from prometheus_client import REGISTRY

from services.common.errors import (
    DOMAIN,
    AlprError,
    AuditUnavailableError,
    FieldViolation,
    InvalidFieldError,
    NotPermittedError,
    from_rpc_error,
)
from services.common.identity import Context
from services.dev.pki import DevelopmentAuthority
from tests.support.logs import written_logs
from tests.support.shapes import SHAPES, Shapes, builder_of, running, service_caller

PLATE = "SECRET1"


def _raises(error: Exception) -> Shapes:
    async def one(_request: bytes, _context: Context) -> bytes:
        raise error

    return Shapes(one)


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """The function that says what was logged."""
    with written_logs() as function:
        yield function


async def _error_of(
    tls: DevelopmentAuthority, shapes: Shapes, *, shape: str = "UnaryUnary"
) -> grpc.aio.AioRpcError:
    async with running(builder_of(tls, shapes)) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(shape=shape)
        return caught.value


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_comes_back_from_every_shape(tls: DevelopmentAuthority, shape: str) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        assert await caller.call(b"hello", shape=shape) == b"hello"


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_typed_error_reaches_the_client_whole_from_every_shape(
    tls: DevelopmentAuthority, shape: str
) -> None:
    raised = NotPermittedError(
        "not in your scope", resource="entry-7", metadata={"clauses": "III.D.1,IV.A.4"}, retry_after_ms=250
    )

    error = from_rpc_error(await _error_of(tls, _raises(raised), shape=shape))

    assert type(error) is NotPermittedError
    assert (error.code, error.reason) == (raised.code, raised.reason)
    assert (error.message, dict(error.metadata)) == (raised.message, dict(raised.metadata))
    assert error.retry_after_ms == 250


async def test_more_violations_than_fit_into_a_trailer_still_arrive_as_the_error_itself(
    tls: DevelopmentAuthority,
) -> None:
    wrong = [
        FieldViolation(f"reads[{n}].read.lattice.positions", "must be one for each character")
        for n in range(500)
    ]

    error = from_rpc_error(await _error_of(tls, _raises(InvalidFieldError("wrong", violations=wrong))))

    assert type(error) is InvalidFieldError
    *sent, last = error.violations
    assert sent == wrong[: len(sent)]
    assert len(sent) > 20
    assert last.description == f"and {500 - len(sent)} more"


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_unforeseen_exception_leaves_no_word_of_itself(
    tls: DevelopmentAuthority, shape: str, written: Callable[[], str]
) -> None:
    error = await _error_of(tls, _raises(ValueError(PLATE)), shape=shape)

    assert error.code() is grpc.StatusCode.INTERNAL
    assert PLATE not in repr(error)
    typed = from_rpc_error(error)
    text = written()
    assert PLATE not in text
    [line] = [json.loads(one) for one in text.splitlines() if "call_failed" in one]
    assert line["error"][0] == "ValueError"
    assert any(re.fullmatch(r"  .*test_common_rpc_calls\.py:\d+ one", one) for one in line["error"])
    assert line["request_id"] == typed.metadata["request_id"]


async def test_a_call_is_logged_with_method_code_peer_and_id_and_nothing_of_its_content(
    tls: DevelopmentAuthority, written: Callable[[], str]
) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        await caller.call(PLATE.encode(), metadata=(("authorization", "Bearer abc.def"), ("x-plate", PLATE)))

    text = written()
    [line] = [
        json.loads(one) for one in text.splitlines() if '"event": "call"' in one and "test.Shapes" in one
    ]
    assert PLATE not in text
    assert "abc.def" not in text
    assert line.keys() == {
        "event", "level", "timestamp", "service", "request_id", "method", "code", "duration_ms", "peer",
    }  # fmt: skip
    assert (line["method"], line["code"], line["peer"]) == ("/test.Shapes/UnaryUnary", "OK", "service/search")


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_request_id_of_the_caller_comes_back_also_with_an_error(
    tls: DevelopmentAuthority, shape: str
) -> None:
    given = str(uuid.uuid4())
    shapes = _raises(AuditUnavailableError("not recorded"))
    async with running(builder_of(tls, shapes)) as server, service_caller(tls, server) as caller:
        call = caller.start(shape=shape, metadata=(("x-request-id", given),))

        assert dict(await call.trailing_metadata())["x-request-id"] == given


async def test_a_request_id_that_could_be_a_plate_is_replaced(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        call = caller.start(metadata=(("x-request-id", PLATE),))
        await call
        made = dict(await call.trailing_metadata())["x-request-id"]

    assert str(uuid.UUID(made)) == made


async def test_a_call_that_comes_too_late_to_be_answered_is_not_begun(tls: DevelopmentAuthority) -> None:
    begun: list[bytes] = []

    async def one(request: bytes, _context: Context) -> bytes:
        begun.append(request)
        return request

    async with running(builder_of(tls, Shapes(one))) as server, service_caller(tls, server) as caller:
        await caller.call(b"warm")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(b"late", timeout=0.019)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert begun == [b"warm"]


async def test_a_unary_call_ends_at_the_services_own_limit(tls: DevelopmentAuthority) -> None:
    async def one(_request: bytes, _context: Context) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with (
        running(builder_of(tls, Shapes(one), max_call_seconds=0.1)) as server,
        service_caller(tls, server) as caller,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call()

    error = from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.message == "the call took longer than this service allows"


async def test_a_timeout_inside_a_method_is_an_error_of_ours_not_the_limit(tls: DevelopmentAuthority) -> None:
    error = await _error_of(tls, _raises(TimeoutError()))

    assert error.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("writes", [False, True])
async def test_a_stream_that_its_client_cancels_cleans_up_at_once_and_is_counted_apart(
    tls: DevelopmentAuthority, writes: bool
) -> None:
    closed = asyncio.Event()

    async def many(_request: bytes, _context: Context) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            while True:
                if writes:
                    yield bytes(1 << 16)  # nobody reads: the stream stands in the middle of a write
                else:
                    await asyncio.sleep(60)
        finally:
            closed.set()

    labels = {"method": "/test.Shapes/UnaryStream"}
    cancelled = _metric("grpc_server_cancelled_total", **labels)
    handled = _metric("grpc_server_handled_total", **labels, code="CANCELLED")
    async with running(builder_of(tls, Shapes(many=many))) as server, service_caller(tls, server) as caller:
        call = caller.start(shape="UnaryStream", timeout=None)
        assert await call.read() == b"first"
        await asyncio.sleep(0.1)
        call.cancel()
        async with asyncio.timeout(1):
            await closed.wait()

    assert _metric("grpc_server_cancelled_total", **labels) == cancelled + 1
    assert _metric("grpc_server_handled_total", **labels, code="CANCELLED") == handled


async def test_metrics_count_calls_by_method_and_code(tls: DevelopmentAuthority) -> None:
    labels = {"method": "/test.Shapes/UnaryUnary", "code": "UNAVAILABLE"}
    before = _metric("grpc_server_handled_total", **labels)
    seconds = _metric("grpc_server_handling_seconds_count", method=labels["method"])

    await _error_of(tls, _raises(NotPermittedError("no")))
    assert _metric("grpc_server_handled_total", **labels) == before

    labels["code"] = "PERMISSION_DENIED"
    assert _metric("grpc_server_handled_total", **labels) >= 1
    assert _metric("grpc_server_handling_seconds_count", method=labels["method"]) == seconds + 1


async def test_a_message_over_the_limit_is_refused(tls: DevelopmentAuthority) -> None:
    async with (
        running(builder_of(tls, Shapes(), max_message_bytes=1 << 16)) as server,
        service_caller(tls, server) as caller,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(bytes(1 << 17))

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_unknown_method_is_unimplemented(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.channel.unary_unary("/test.Shapes/None")(b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert isinstance(from_rpc_error(caught.value), AlprError)
    assert DOMAIN not in str(caught.value)
