"""The loop of everything that looks for what has run out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.common.errors import AlprError

log = structlog.get_logger()


async def look_every(seconds: float, look: Callable[[], Awaitable[None]], *, warning: str) -> None:
    """Looks, and waits that long between looks, without end; after one that failed, `warning` is logged."""
    while True:
        try:
            await look()
        except AlprError:
            log.warning(warning)
        await asyncio.sleep(seconds)
