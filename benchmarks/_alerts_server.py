"""The alerts service as it is, and in the same server a fan-out with nothing behind it.

Started by the stack in place of `services.alerts`. The second servicer is what the first one is measured
against: it writes bytes that it was given to everybody who is connected, and does nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from services.alerts.__main__ import build
from services.alerts.config import AlertsSettings
from services.common.clock import SystemClock
from services.common.server import run, serve

SERVICE: Final = "platewarden.benchmark.BareService"


class Bare:
    """`Follow` waits for the next `Send`, which says how many messages, and gives the message."""

    def __init__(self) -> None:
        self._order = asyncio.Condition()
        self._orders = 0
        self._count = 0
        self._payload = b""

    async def send(self, request: bytes, _context: Any) -> bytes:
        """Wakes every follower."""
        async with self._order:
            self._orders += 1
            self._count, self._payload = int.from_bytes(request[:4]), request[4:]
            self._order.notify_all()
        return b""

    async def follow(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """An empty message at once, so that the follower knows that it is there; then what is sent."""
        yield b""
        orders = self._orders
        while True:
            async with self._order:
                await self._order.wait_for(lambda seen=orders: self._orders > seen)  # type: ignore[misc]
            orders = self._orders
            for _ in range(self._count):
                yield self._payload


def _add(servicer: Bare, server: grpc.aio.Server) -> None:
    handlers = {
        "Send": grpc.unary_unary_rpc_method_handler(servicer.send),
        "Follow": grpc.unary_stream_rpc_method_handler(servicer.follow),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


async def _main() -> None:
    builder = await build(AlertsSettings.from_environment(), SystemClock())
    await serve(builder.add(SERVICE, _add, Bare()))


if __name__ == "__main__":
    run(_main())
