"""The way in from outside of the pods, as `kubectl port-forward` makes it: from inside of the pod's network.

It passes TLS through, sees bytes and no content, and goes to another replica when one is not ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

_PIECE = 1 << 16
_CLONE_NEWNET = 0x40000000
Processes = Callable[[], Sequence[int]]


@asynccontextmanager
async def door(ready: Processes, port: int) -> AsyncIterator[int]:
    """A port on 127.0.0.1 that leads to `port` of the ready replicas in turn, until the block ends.

    Args:
        ready: The first process of each pod that is ready just now.
        port: In the pod.
    """
    turn = itertools.count()

    async def come_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replicas = ready()
        try:
            if replicas:
                inside = await connected(replicas[next(turn) % len(replicas)], "127.0.0.1", port)
                await _relay((reader, writer), await asyncio.open_connection(sock=inside))
        except OSError:
            pass  # the caller sees a closed connection, as behind any gateway
        finally:
            writer.close()

    server = await asyncio.start_server(come_in, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def connected(process: int, host: str, port: int, seconds: float = 5) -> socket.socket:
    """A connection to an address as the process sees it, in its own network.

    Raises:
        OSError: Nobody takes it within `seconds`, or the process is gone.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[socket.socket] = loop.create_future()

    def settle(made: socket.socket | OSError) -> None:
        if isinstance(made, OSError):
            found.set_exception(made)
        else:
            found.set_result(made)

    def connect() -> None:
        # A thread of its own, for it stays in the other network until it ends.
        made: socket.socket | OSError
        try:
            _enter_network(process)
            made = socket.create_connection((host, port), seconds)
            made.setblocking(False)
        except OSError as error:
            made = error
        loop.call_soon_threadsafe(settle, made)

    threading.Thread(target=connect, daemon=True).start()
    return await asyncio.shield(found)


def _enter_network(process: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    space = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(space, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(space)


_Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(here: _Link, there: _Link) -> None:
    """Passes on both ways until one side ends."""
    ways = [
        asyncio.create_task(_pass_on(here[0], there[1])),
        asyncio.create_task(_pass_on(there[0], here[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there[1].close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
