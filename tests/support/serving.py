"""Servers that a test may begin with, and callers who do not give up at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from services.common.server import Server

T = TypeVar("T")
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


async def until_serving(server: Server, seconds: float = 60) -> None:
    """Returns when its health is good, as whoever sends calls to it waits for that; fails after `seconds`.

    A service that waits for its neighbours may not have heard of them at its first look, on a busy machine.
    """
    async with asyncio.timeout(seconds):
        while not server.serving:  # noqa: ASYNC110 - health has no event
            await asyncio.sleep(0.02)


async def patient(call: Callable[[], Awaitable[T]]) -> T:
    """What `call` answers, asked again with the same request while that may pass by itself."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING:
                raise
            await asyncio.sleep(0.1)
