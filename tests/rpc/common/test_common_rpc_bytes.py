"""Bytes that are no message: an error like any other, and nothing of the library's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value

from services.common.errors import InvalidFieldError, from_rpc_error
from services.common.identity import Context
from services.dev.pki import DevelopmentAuthority
from tests.support.logs import written_logs
from tests.support.shapes import SERVICE, SHAPES, Shapes, builder_of, running, service_caller

BAD = {
    "a tag of a kind that there is not": b"\xff\xff\xff",
    "a length beyond the end": b"\x0a\x7f\x00",
    "a text that is no UTF-8": Value(string_value="xx").SerializeToString().replace(b"xx", b"\xff\xfe"),
    "a number that does not end": b"\x08" + b"\xff" * 11,
    "a group that nobody opened": b"\x0c",
}


async def _echo(request: Any, _context: Context) -> bytes:
    return bytes(request.SerializeToString())


def _add(shapes: Shapes, server: Any) -> None:
    """The four shapes, as stubs add them: with a message that is taken apart."""
    read = {"request_deserializer": Value.FromString}
    handlers = {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(shapes.unary_unary, **read),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(shapes.unary_stream, **read),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(shapes.stream_unary, **read),
        "StreamStream": grpc.stream_stream_rpc_method_handler(shapes.stream_stream, **read),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """The function that says what was logged."""
    with written_logs() as function:
        yield function


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("shape", SHAPES)
async def test_bytes_that_are_no_message_are_a_typed_error_and_one_line_of_the_log(
    tls: DevelopmentAuthority, shape: str, data: bytes, written: Callable[[], str]
) -> None:
    builder = builder_of(tls, Shapes())
    builder.servicers[SERVICE] = lambda server: _add(Shapes(_echo), server)
    async with running(builder) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(data, shape=shape)
        good = await caller.call(Value(number_value=1).SerializeToString(), shape=shape)

    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidFieldError)
    assert "DecodeError" not in str(caught.value)
    assert good
    lines = [json.loads(line) for line in written().splitlines()]
    assert [line["code"] for line in lines if line["event"] == "call"] == ["INVALID_ARGUMENT", "OK"]
    # The client that watches the server's health leaves in the middle of its stream.
    assert [line for line in lines if line["level"] == "error" and "Health/Watch" not in line["event"]] == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_messages_within_messages_without_end_are_refused(
    tls: DevelopmentAuthority, shape: str
) -> None:
    deep = b""
    for _ in range(5_000):
        # A value (1) of a list (6): each level holds all those below.
        deep = _field(6, _field(1, deep))
    builder = builder_of(tls, Shapes())
    builder.servicers[SERVICE] = lambda server: _add(Shapes(_echo), server)
    async with running(builder) as server, service_caller(tls, server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(deep, shape=shape)

    assert isinstance(from_rpc_error(caught.value), InvalidFieldError)


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + content
