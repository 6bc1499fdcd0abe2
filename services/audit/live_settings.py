"""The settings of now, in memory, for code that decides by them at every call (ENF-051 IV.E.1.b)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import structlog

from services.audit.core.settings import Setting
from services.audit.store_settings import SettingStore

log = structlog.get_logger()

_LOOK_SECONDS = 0.5


class LiveSettings:
    """Follows the settings, other replicas' changes within a second.

    While they cannot be read the last ones count: whoever decides by them reads the account from the same
    database, so nothing is decided then.
    """

    def __init__(self, store: SettingStore) -> None:
        self._store = store
        self._now: Mapping[str, Setting] = {}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Reads them and begins to follow. Raises StorageUnavailableError."""
        await self.refresh()
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Ends it."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Reads them now. Raises StorageUnavailableError."""
        self._now = await self._store.settings()

    def value(self, name: str) -> int:
        """The number of the setting `name`, which is declared in core/settings.py."""
        return self._now[name].value

    def period(self, name: str) -> timedelta:
        """The setting as a length of time."""
        return self._now[name].period

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.refresh()
            except Exception as error:
                # Whatever it is, the watch must go on: a dead one would leave old settings in force for ever.
                log.warning("settings_not_read", error=type(error).__name__)
