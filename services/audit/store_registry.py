"""How often the registry has changed. One method is one transaction."""

from __future__ import annotations

from services.audit.store_reader import Reader

_REVISION = "SELECT revision FROM audit.registry_head"
# Fired also under session_replication_role = replica: "A".
_COUNTED = """
    SELECT class.relname FROM pg_trigger AS trigger JOIN pg_class AS class ON class.oid = trigger.tgrelid
    WHERE class.relnamespace = 'audit'::regnamespace AND trigger.tgname = 'registry_moves'
      AND trigger.tgenabled = 'A'
"""

# Whose changes the database counts: what accounts, scopes and settings are read from.
COUNTED = frozenset(
    {
        *("account", "account_role", "certification", "non_agency_access", "account_review"),
        *("document", "acknowledgement", "agreement", "sensor", "group_limit", "setting"),
        *("sign_in", "declaration"),
    }
)


class RegistryStore(Reader):
    """Reads revisions."""

    async def revision(self) -> int:
        """The registry's revision as committed now; it moves on with every change."""
        revision: int = await self._fetchval(_REVISION)
        return revision

    async def uncounted(self) -> frozenset[str]:
        """The tables whose changes would not be counted, because what counts them is off or gone."""
        return COUNTED - {row["relname"] for row in await self._fetch(_COUNTED)}
