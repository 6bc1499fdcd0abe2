"""A link that drops or goes silent: a TCP proxy on 127.0.0.1."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CuttingProxy:
    """Passes bytes to 127.0.0.1:`port` until it is told otherwise."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.is_shut = False
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Event] = {}

    @property
    def target(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listens."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Cuts everything and listens no more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Every connection of now is gone at once."""
        for writer in list(self._open):
            writer.transport.abort()

    def shut(self) -> None:
        """As `cut`, and new connections are gone at once too, until `is_shut` is false again."""
        self.is_shut = True
        self.cut()

    def silence(self) -> None:
        """Connections of now stay open, and carry nothing any more; new ones work."""
        for passes in self._open.values():
            passes.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_shut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.transport.abort()
            return
        passes = asyncio.Event()
        passes.set()
        self._open |= {writer: passes, back: passes}
        try:
            await asyncio.gather(_pump(reader, back, passes), _pump(there, writer, passes))
        finally:
            for one in (writer, back):
                self._open.pop(one, None)
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    try:
        while data := await reader.read(65536):
            await passes.wait()
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.transport.abort()


@asynccontextmanager
async def cutting_proxy(port: int) -> AsyncIterator[CuttingProxy]:
    """A running proxy to 127.0.0.1:`port`."""
    proxy = CuttingProxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
