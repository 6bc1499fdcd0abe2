"""Hourly upkeep of the archive."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

log = structlog.get_logger()

_HOUR_SECONDS: Final = 3600.0
# Partitions are made two days ahead, so there is time to try again; a minute keeps the log readable.
_AGAIN_SECONDS: Final = 60.0


class Upkeep(Protocol):
    """What there is to keep up (services.search.store_upkeep)."""

    async def ensure_partitions(self) -> int:
        """The number of partitions made."""

    async def forget_expired_permits(self) -> int:
        """The number of used permits forgotten."""


class HourlyUpkeep:
    """Partitions ahead of time and used permits forgotten: at the start, then every hour."""

    def __init__(self, store: Upkeep) -> None:
        self._store = store
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when every day of the retention period and two more have their partitions.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        await self._keep_up()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Returns when no more is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _HOUR_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self._keep_up()
                pause = _HOUR_SECONDS
            except Exception:
                # Whatever it is, it must not end the upkeep: without partitions nothing can be stored.
                log.exception("upkeep_failed")
                pause = _AGAIN_SECONDS

    async def _keep_up(self) -> None:
        made = await self._store.ensure_partitions()
        forgotten = await self._store.forget_expired_permits()
        log.info("upkeep_done", partitions_made=made, permits_forgotten=forgotten)
