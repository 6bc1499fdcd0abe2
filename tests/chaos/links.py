"""Links between processes that can be cut, shut, silenced and slowed: TCP passed on at 127.0.0.1.

TLS goes through untouched, as through a load balancer that knows addresses only. With several ends behind it
a link takes them in turn, and passes over one that nobody listens on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

HOST: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 1 << 16
_CONNECT_SECONDS: Final = 5.0

Ends = Callable[[], Sequence[int]]
"""The ports behind a link, as they are now."""


class Link:
    """One way from a caller to a callee."""

    def __init__(self, name: str, ends: Ends) -> None:
        """Nothing happens yet; `name` is for the ledger."""
        self.name = name
        self.port = 0
        self._ends = ends
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._shut = False
        self._delay_seconds = 0.0
        self._bytes_a_second = 0.0

    @property
    def address(self) -> str:
        """host:port at which the caller finds the callee."""
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        """Listens, on a port that stays the same."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends every connection, and listens no more."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Every connection of now is gone at once; new ones work."""
        for writer in list(self._writers):
            writer.transport.abort()

    def shut(self) -> None:
        """As `cut`, and new connections are refused until `heal`."""
        self._shut = True
        self.cut()

    def silence(self) -> None:
        """Nothing passes until `heal`, and nobody is told: neither on connections of now nor on new ones."""
        self._flowing.clear()

    def slow(self, delay_seconds: float, bytes_a_second: float) -> None:
        """What passes waits so long, and comes no faster, until `heal`."""
        self._delay_seconds = delay_seconds
        self._bytes_a_second = bytes_a_second

    def heal(self) -> None:
        """All works again; what was held back goes on."""
        self._shut = False
        self._delay_seconds = self._bytes_a_second = 0.0
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._shut:
                return
            await self._flowing.wait()
            if (pair := await self._connected()) is None:
                return
            there, back = pair
            self._writers.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports = self._ends()
        for _ in ports:
            self._turn += 1
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(HOST, ports[self._turn % len(ports)])
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds + len(data) / self._bytes_a_second)
                writer.write(data)
                await writer.drain()
        # One direction that ends takes the other with it: no protocol of ours goes on with half of it.
        writer.transport.abort()
        self._abort_waiting(reader)

    def _abort_waiting(self, reader: asyncio.StreamReader) -> None:
        if not reader.at_eof():
            reader.feed_eof()
