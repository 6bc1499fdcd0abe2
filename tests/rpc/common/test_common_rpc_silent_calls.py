"""Calls that are opened and say nothing."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from services.dev.pki import DevelopmentAuthority
from tests.support.shapes import SERVICE, Shapes, builder_of, running, service_caller, user_caller

MOST = 8
# The last one is for who comes when all places are taken.
ENDS = {
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@pytest.mark.parametrize("shape", ["UnaryUnary", "UnaryStream", "StreamUnary"])
async def test_calls_that_send_no_message_end_and_take_nobodys_place(
    tls: DevelopmentAuthority, shape: str
) -> None:
    builder = builder_of(tls, Shapes(), max_concurrent_calls=MOST, max_call_seconds=1)
    async with (
        running(builder) as server,
        user_caller(tls, server) as nobody,
        service_caller(tls, server) as other,
    ):
        # A call of a stream on the client's side, which is the same on the wire, can hold its message back.
        silent = [nobody.channel.stream_stream(f"/{SERVICE}/{shape}")() for _ in range(MOST)]
        await asyncio.sleep(0.3)

        answer = await other.call(b"hello", timeout=60, wait_for_ready=True)
        ends = []
        for call in silent:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            ends.append(caught.value.code())

    assert answer == b"hello"
    assert grpc.StatusCode.DEADLINE_EXCEEDED in ends
    assert set(ends) <= ENDS
