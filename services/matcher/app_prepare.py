"""Has the next version of a large list at hand before it is activated."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final, Protocol

import structlog

log = structlog.get_logger()

_EVERY_S: Final = 5.0


class Versions(Protocol):
    """Where versions are read from (services.matcher.store_index). Both raise StorageUnavailableError."""

    async def unprepared(self) -> tuple[tuple[uuid.UUID, int], ...]:
        """Newest versions of large lists that are not compared yet and have no file, the smallest first."""

    async def prepare(self, hot_list_id: uuid.UUID, version: int) -> None:
        """Writes the file of a version, if it has none."""


class Preparer:
    """Reads a version that was just uploaded from the database into a file, while reads go on.

    From an activation on, a replica may compare with the lists before it for half a minute: ten million
    entries are read from a file within that, and from the database not always.
    """

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        # A folder that is full keeps no file; that is no reason to read the database again and again.
        self._done: set[tuple[uuid.UUID, int]] = set()

    async def work_once(self) -> int:
        """Prepares what is not; the number of versions."""
        found = [one for one in await self._versions.unprepared() if one not in self._done]
        for hot_list_id, version in found:
            await self._versions.prepare(hot_list_id, version)
            self._done.add((hot_list_id, version))
            log.info("version_prepared", hot_list_id=str(hot_list_id), version=version)
        return len(found)

    async def keep_preparing(self) -> None:
        """Prepares for ever; an error is noted and tried again."""
        while True:
            try:
                await self.work_once()
            except Exception as error:
                log.warning("version_not_prepared", error=type(error).__name__)
            await asyncio.sleep(_EVERY_S)
