"""Steady upkeep of the archive."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

log = structlog.get_logger()

# Partitions are made two days ahead; answers that were computed go within a minute of their permit's end.
_PAUSE_SECONDS: Final = 60.0


class Upkeep(Protocol):
    """What there is to keep up (services.search.store_upkeep)."""

    async def ensure_partitions(self) -> int:
        """The number of partitions made."""

    async def forget_expired_permits(self) -> int:
        """The number of used permits forgotten."""


class SteadyUpkeep:
    """Partitions ahead of time, used permits and their answers forgotten: at the start, then every minute."""

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
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self._keep_up()
            except Exception:
                # Whatever it is, it must not end the upkeep: without partitions nothing can be stored.
                log.exception("upkeep_failed")

    async def _keep_up(self) -> None:
        made = await self._store.ensure_partitions()
        forgotten = await self._store.forget_expired_permits()
        if made or forgotten:
            log.info("upkeep_done", partitions_made=made, permits_forgotten=forgotten)
