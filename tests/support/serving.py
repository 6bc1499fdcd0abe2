"""Servers that a test may begin with."""

from __future__ import annotations

import asyncio

from services.common.server import Server


async def until_serving(server: Server, seconds: float = 60) -> None:
    """Returns when its health is good, as whoever sends calls to it waits for that; fails after `seconds`.

    A service that waits for its neighbours may not have heard of them at its first look, on a busy machine.
    """
    async with asyncio.timeout(seconds):
        while not server.serving:  # noqa: ASYNC110 - health has no event
            await asyncio.sleep(0.02)
