"""System-wide settings (ENF-051 IV.E.1.a, IV.E.1.b)."""

from __future__ import annotations

from datetime import timedelta

from services.audit.store_reader import Reader

_SETTING = "SELECT value FROM audit.setting WHERE name = $1"


class SettingStore(Reader):
    """Reads settings; only a migration or the system administrator's tools write them."""

    async def retention(self) -> timedelta:
        """How long reads may be found."""
        return timedelta(days=int(await self._fetchval(_SETTING, "retention_days")))
