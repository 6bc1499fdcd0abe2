"""System-wide settings (ENF-051 IV.E.1.a, IV.E.1.b). One method is one transaction."""

from __future__ import annotations

from datetime import timedelta

from services.audit.core.retention import Retention, RetentionPack
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import Pool, transaction

_RETENTION = "SELECT value::integer, revision, changed_at FROM audit.setting WHERE name = 'retention_days'"
_SET_RETENTION = "SELECT audit.set_retention($1::uuid, $2, $3)"


class SettingStore(Reader):
    """The settings. Each counts within the policy pack's bounds, whatever the table says."""

    def __init__(self, pool: Pool, pack: RetentionPack) -> None:
        super().__init__(pool)
        self.pack = pack

    async def retention(self) -> timedelta:
        """How long reads may be found."""
        return (await self.retention_setting()).period

    async def retention_setting(self) -> Retention:
        """The retention period of now, with its revision."""
        row = (await self._fetch(_RETENTION))[0]
        return Retention(*row.values()).within(self.pack)

    async def since(self, revision: int, until: int) -> list[Retention]:
        """The retention period, if its last change lies after `revision` and not after `until`."""
        setting = await self.retention_setting()
        return [setting] if revision < setting.revision <= until else []

    async def set_retention(self, intent_id: str, days_before: int, days: int) -> None:
        """Sets the retention period, once for each intent.

        Raises:
            WrongStateError: It is not `days_before` any more.
        """
        async with transaction(self._pool) as connection:
            now = await connection.fetchval(_SET_RETENTION, intent_id, days_before, days)
            if now is None:
                raise WrongStateError("the retention period has been changed meanwhile; look at it again")
