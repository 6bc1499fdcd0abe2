"""Who speaks HTTP/2 badly, slowly, or without end: the server goes on for everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import grpc
import pytest
import pytest_asyncio

from services.common.identity import Context
from services.common.server import Server
from services.dev.pki import DevelopmentAuthority
from tests.attack import http2
from tests.attack.http2 import Connection
from tests.support.shapes import SERVICE, Shapes, builder_of, running, user_caller

UNARY: Final = f"/{SERVICE}/UnaryUnary"
MOST_BYTES: Final = 1 << 20
MOST_CALLS: Final = 64
PIECE: Final = 1 << 16


class Endless(Shapes):
    """Answers streams without end, and counts what it has written."""

    written = 0

    async def unary_stream(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        while True:
            Endless.written += 1
            yield bytes(PIECE)


@dataclass
class Target:
    """A server, and how to reach it."""

    server: Server
    tls: DevelopmentAuthority

    async def connection(self, *, preface: bool = True) -> Connection:
        return await Connection.to(self.server.user_port, self.tls.ca_file, preface=preface)

    async def serves(self) -> bool:
        """Whether somebody else is served."""
        async with user_caller(self.tls, self.server) as caller:
            return await caller.call(b"hello", timeout=30, wait_for_ready=True) == b"hello"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(tls: DevelopmentAuthority) -> AsyncIterator[Target]:
    async with running(
        builder_of(tls, Endless(), max_message_bytes=MOST_BYTES, max_concurrent_calls=MOST_CALLS)
    ) as server:
        yield Target(server, tls)


def memory_mb() -> int:
    """The most memory that this process, which is the server's too, ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


BAD = {
    "a message that is cut off": http2.message(b"abc", length=100),
    "a message of four gigabytes": http2.message(b"abc", length=2**32 - 1),
    "a prefix that is cut off": b"\x00\x00",
    "two messages for one": http2.message(b"a") + http2.message(b"b"),
    "a flag that there is not": b"\xff" + http2.message(b"abc")[1:],
    "compressed, with no word of how": http2.message(gzip.compress(b"abc"), compressed=True),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
async def test_calls_whose_message_is_none_take_nobodys_place(target: Target, content: bytes) -> None:
    connection = await target.connection()
    for stream in range(1, 4 * MOST_CALLS, 2):
        connection.send(http2.call(stream, UNARY, content))
        if not await connection.flushed():
            break

    assert await target.serves()
    await connection.close()
    assert await target.serves()


async def test_a_message_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(target: Target) -> None:
    bomb = gzip.compress(bytes(200 << 20), 1)
    assert len(bomb) < MOST_BYTES
    before, connection = memory_mb(), await target.connection()

    sent = http2.message(bomb, compressed=True)
    connection.send(
        http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.headers(UNARY, {"grpc-encoding": "gzip"}))
    )
    for start in range(0, len(sent), 16_000):
        last = http2.END_STREAM if start + 16_000 >= len(sent) else 0
        connection.send(http2.frame(http2.DATA, last, 1, sent[start : start + 16_000]))
    async with asyncio.timeout(60):
        await connection.next_of(http2.HEADERS, http2.RST_STREAM, http2.GOAWAY)

    await connection.close()
    assert await target.serves()
    assert memory_mb() - before < 100


JUNK = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "random bytes": bytes(range(256)) * 40,
    "a frame larger than was agreed": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
async def test_what_is_no_http2_is_cut_off(target: Target, junk: bytes) -> None:
    connection = await target.connection(preface=False)
    connection.send(junk)

    async with asyncio.timeout(60):
        assert await connection.ended()

    await connection.close()
    assert await target.serves()


async def test_headers_without_end_are_cut_off(target: Target) -> None:
    connection = await target.connection()
    connection.send(http2.frame(http2.HEADERS, 0, 1, http2.headers(UNARY)))
    piece = http2.frame(http2.CONTINUATION, 0, 1, b"\x00\x01a\x7f\x80\x3e" + b"x" * 8063)
    before = memory_mb()

    async with asyncio.timeout(60):
        for _ in range(10_000):
            connection.send(piece)
            if not await connection.flushed():
                break
        said = await connection.next_of(http2.HEADERS, http2.RST_STREAM, http2.GOAWAY)

    await connection.close()
    assert said is None or said[0] in {http2.HEADERS, http2.RST_STREAM, http2.GOAWAY}
    assert memory_mb() - before < 100
    assert await target.serves()


async def test_metadata_of_a_megabyte_is_refused(target: Target) -> None:
    async with user_caller(target.tls, target.server) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.call(metadata=(("x-long", "x" * (1 << 20)),))

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await target.serves()


async def test_who_opens_calls_and_takes_them_back_without_end_keeps_nobody_from_being_served(
    target: Target,
) -> None:
    connection = await target.connection()
    block = http2.headers(UNARY)
    back = (8).to_bytes(4, "big")

    async with asyncio.timeout(60):
        for stream in range(1, 20_001, 2):
            connection.send(
                http2.frame(http2.HEADERS, http2.END_HEADERS, stream, block)
                + http2.frame(http2.RST_STREAM, 0, stream, back)
            )
            if not await connection.flushed():
                break
        assert await target.serves()

    await connection.close()
    assert await target.serves()


async def test_who_pings_without_end_is_cut_off(target: Target) -> None:
    connection = await target.connection()

    async with asyncio.timeout(60):
        for _ in range(50_000):
            connection.send(http2.frame(http2.PING, 0, 0, bytes(8)))
            if not await connection.flushed():
                break
        assert await connection.next_of(http2.GOAWAY) or await connection.ended()

    await connection.close()
    assert await target.serves()


async def test_who_reads_nothing_of_a_stream_without_end_fills_no_memory(target: Target) -> None:
    connection = await target.connection()
    Endless.written = 0
    connection.send(http2.call(1, f"/{SERVICE}/UnaryStream", http2.message(b"x")))
    assert await connection.next_of(http2.DATA)

    counts = []
    for _ in range(6):
        await asyncio.sleep(0.3)
        counts.append(Endless.written)

    await connection.close()
    assert counts[-1] == counts[-3]  # it waits
    assert counts[-1] * PIECE < 8 << 20
    assert await target.serves()


async def test_who_sends_a_call_byte_by_byte_keeps_nobody_else_waiting(target: Target) -> None:
    connections = [await target.connection() for _ in range(50)]
    for connection in connections:
        connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.headers(UNARY)))
    for one in http2.frame(http2.DATA, 0, 1, http2.message(b"abcdef"))[:-1]:
        for connection in connections:
            connection.send(bytes((one,)))
            await connection.flushed()
        assert await target.serves()

    for connection in connections:
        await connection.close()


async def test_who_connects_and_says_nothing_is_cut_off_and_keeps_nobody_else_waiting(target: Target) -> None:
    silent = [await asyncio.open_connection("localhost", target.server.user_port) for _ in range(200)]

    assert await target.serves()
    try:
        async with asyncio.timeout(40):
            assert {await reader.read() for reader, _ in silent} == {b""}
    finally:
        for _, writer in silent:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_no_tls_older_than_1_2_is_spoken(target: Target, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(target.tls.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = version

    def connect() -> None:
        with socket.create_connection(("localhost", target.server.user_port)) as plain:
            context.wrap_socket(plain, server_hostname="localhost").close()

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(connect)
