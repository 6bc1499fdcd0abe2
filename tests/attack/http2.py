"""HTTP/2 as no library would write it: frames by hand, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
CONTINUATION: Final = 9
END_STREAM: Final = 1
ACK: Final = 1
END_HEADERS: Final = 4
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Connection:
    """A connection after the TLS handshake, which says what it is told to say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int, ca: Path, *, preface: bool = True) -> Self:
        """A connection to the people's address on this machine."""
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2"])
        made = cls(*await asyncio.open_connection("localhost", port, ssl=context))
        if preface:
            made.send(_PREFACE + frame(SETTINGS, 0, 0, b""))
        return made

    def send(self, data: bytes) -> None:
        """Hands over bytes to be sent; see `flushed`."""
        self._writer.write(data)

    async def flushed(self) -> bool:
        """Whether the other end has taken what was sent, or has ended the connection."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return False
        return True

    async def next_of(self, *kinds: int) -> bytes | None:
        """Kind, flags and content of the next frame of one of `kinds`; None when it ends first."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                content = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] in kinds:
                    return head[3:5] + content
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return None

    async def ended(self) -> bool:
        """Returns once the other end has closed the connection."""
        return await self.next_of(-1) is None

    async def close(self) -> None:
        """Leaves, without a word."""
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + content


def headers(path: str, more: Mapping[str, str] | None = None) -> bytes:
    """The block of headers of a gRPC call, each a literal without indexing (RFC 7541, 6.2.2)."""
    usual = {
        **{":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost"},
        **{"content-type": "application/grpc", "te": "trailers", **(more or {})},
    }
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in usual.items())


def call(stream: int, path: str, content: bytes, more: Mapping[str, str] | None = None) -> bytes:
    """The frames of a whole call with one piece of data."""
    opened = frame(HEADERS, END_HEADERS, stream, headers(path, more))
    return opened + frame(DATA, END_STREAM, stream, content)


def message(content: bytes, *, length: int | None = None, compressed: bool = False) -> bytes:
    """A gRPC message with its prefix, which may say another length."""
    return bytes((compressed,)) + struct.pack(">I", len(content) if length is None else length) + content


def _text(text: str) -> bytes:
    data = text.encode()
    size, made = len(data), b""
    if size >= 0x7F:
        size, made = size - 0x7F, b"\x7f"
        while size >= 0x80:
            made, size = made + bytes((size & 0x7F | 0x80,)), size >> 7
    return made + bytes((size,)) + data
