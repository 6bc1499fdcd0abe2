"""System-wide settings (ENF-051 IV.E.1.a, IV.E.1.b). One method is one transaction."""

from __future__ import annotations

from datetime import timedelta

from services.audit.core.retention import Retention, RetentionPack
from services.audit.core.settings import Setting, SettingChange, SettingsPack, cut
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import Pool, transaction

_RETENTION = "SELECT value::integer, revision, changed_at FROM audit.setting WHERE name = 'retention_days'"
_SET_RETENTION = "SELECT audit.set_retention($1::uuid, $2, $3)"
_SETTINGS = (
    "SELECT name, value::integer, revision, changed_at FROM audit.setting WHERE name <> 'retention_days'"
)
_SET = "SELECT audit.set_setting($1::uuid, $2, $3, $4, $5, $6, $7)"


class SettingStore(Reader):
    """The settings. Each counts within the policy packs' bounds, whatever the table says."""

    def __init__(self, pool: Pool, pack: RetentionPack, others: SettingsPack) -> None:
        super().__init__(pool)
        self.pack = pack
        self.others = others

    async def retention(self) -> timedelta:
        """How long reads may be found."""
        return (await self.retention_setting()).period

    async def retention_setting(self) -> Retention:
        """The retention period of now, with its revision."""
        row = (await self._fetch(_RETENTION))[0]
        return Retention(*row.values()).within(self.pack)

    async def settings(self) -> dict[str, Setting]:
        """All other settings as they are now, by name."""
        changed = {row["name"]: row for row in await self._fetch(_SETTINGS)}
        found = {}
        for name, bounds in sorted(self.others.bounds.items()):
            if row := changed.get(name):
                value = cut(row["value"], bounds)
                found[name] = Setting(name, value, bounds, row["revision"], row["changed_at"])
            else:
                found[name] = Setting(name, bounds.usual, bounds)
        return found

    async def since(self, revision: int, until: int) -> list[Retention | Setting]:
        """The settings whose last change lies after `revision` and not after `until`."""
        everything: list[Retention | Setting] = [
            await self.retention_setting(),
            *(await self.settings()).values(),
        ]
        return [one for one in everything if revision < one.revision <= until]

    async def set_retention(self, intent_id: str, days_before: int, days: int) -> None:
        """Sets the retention period, once for each intent.

        Raises:
            WrongStateError: It is not `days_before` any more.
        """
        async with transaction(self._pool) as connection:
            now = await connection.fetchval(_SET_RETENTION, intent_id, days_before, days)
            if now is None:
                raise WrongStateError("the retention period has been changed meanwhile; look at it again")

    async def set(self, intent_id: str, change: SettingChange) -> None:
        """Sets one of the others, once for each intent.

        Raises:
            WrongStateError: It is not `value_before` any more.
        """
        bounds = self.others.bounds[change.name]
        limits = (bounds.usual, bounds.least, bounds.most)
        wanted = (change.name, change.value_before, change.value)
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_SET, intent_id, *wanted, *limits) is None:
                raise WrongStateError("the setting has been changed meanwhile; look at it again")
