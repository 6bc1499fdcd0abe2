"""Watches what runs out by the clock, so that its alerts are withdrawn (ENF-051 II.D, III.D.4)."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from services.common.clock import Clock
from services.matcher.store_expiry import ExpiryStore

log = structlog.get_logger()

_EVERY_S: Final = 2.0


class ExpiryWatch:
    """Notes it as a change like any other; every replica may, one of them does."""

    def __init__(self, store: ExpiryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def keep_watching(self) -> None:
        """Watches for ever; an error is noted and tried again."""
        while True:
            try:
                if noted := await self._store.note(self._clock.now()):
                    log.info("expiry_noted", changes=noted)
            except Exception as error:
                log.warning("expiry_not_noted", error=type(error).__name__)
            await asyncio.sleep(_EVERY_S)
