"""Hourly upkeep of the archive."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from services.common.errors import StorageUnavailableError

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


async def keep_up(store: Upkeep) -> None:
    """Runs until cancelled: partitions ahead of time and used permits forgotten, every hour."""
    while True:
        try:
            await keep_up_once(store)
        except StorageUnavailableError:
            log.warning("upkeep_failed")
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            await asyncio.sleep(_HOUR_SECONDS)


async def keep_up_once(store: Upkeep) -> None:
    """Returns when every day of the retention period and two more have their partitions.

    Raises:
        StorageUnavailableError: The database did not answer.
    """
    made = await store.ensure_partitions()
    forgotten = await store.forget_expired_permits()
    log.info("upkeep_done", partitions_made=made, permits_forgotten=forgotten)
