"""Rosters and leavers. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.audit.core.roster import Leaver, Roster
from services.audit.store_reader import Reader
from services.common.pg import transaction

_OPEN = """
    SELECT who.account_id, who.full_name, who.unit, held.since_time, who.agency_ori
    FROM audit.leaver AS held JOIN audit.account AS who USING (account_id)
    WHERE who.state <> 'SUSPENDED' AND (who.end_time IS NULL OR who.end_time > $1)
"""
_OF_AGENCY = _OPEN + "AND who.agency_ori = $2 ORDER BY who.full_name, who.account_id"
_OVERDUE = _OPEN + "AND held.since_time <= $2 ORDER BY held.since_time LIMIT 1000"
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_INSERT = """
    INSERT INTO audit.roster (intent_id, agency_ori, sha256, people, as_of_time, submitted_by)
    VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid)
"""
_RETURNED = """
    DELETE FROM audit.leaver AS held USING audit.account AS who
    WHERE who.account_id = held.account_id AND who.agency_ori = $1
      AND lower(btrim(who.badge_number)) = ANY ($2::text[])
"""
_LEFT = """
    INSERT INTO audit.leaver (account_id, intent_id)
    SELECT account_id, $3::uuid FROM audit.account
    WHERE agency_ori = $1 AND state <> 'SUSPENDED' AND (end_time IS NULL OR end_time > clock_timestamp())
      AND NOT lower(btrim(badge_number)) = ANY ($2::text[])
    ON CONFLICT (account_id) DO NOTHING
"""


class RosterStore(Reader):
    """Leavers, as the last roster of each agency leaves them."""

    async def leavers(self, ori: str, moment: datetime) -> list[Leaver]:
        """The agency's leavers whose accounts may be used at `moment`, by name."""
        return [_leaver(row) for row in await self._fetch(_OF_AGENCY, moment, ori)]

    async def overdue(self, moment: datetime, before: datetime) -> list[Leaver]:
        """Leavers of all agencies since `before` or earlier whose accounts may be used, 1,000 at most."""
        return [_leaver(row) for row in await self._fetch(_OVERDUE, moment, before)]

    async def submit(self, intent_id: str, ori: str, by: str, roster: Roster) -> None:
        """Whoever the roster lacks is a leaver from now on, and whoever is on it is none."""
        keys = roster.keys
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                parts = (roster.sha256, len(keys), roster.as_of_time, by)
                await connection.execute(_INSERT, intent_id, ori, *parts)
                await connection.execute(_RETURNED, ori, keys)
                await connection.execute(_LEFT, ori, keys, intent_id)


def _leaver(row: Any) -> Leaver:
    account_id, *rest = row
    return Leaver(str(account_id), *rest)
