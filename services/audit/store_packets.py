"""Weekly packets: counted from the log, signed once."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime

import asyncpg

from services.audit.core.misuse import Rule
from services.audit.core.review import WEEK, Packet, PacketLine, begin_of
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

# Entries of a week lie together in the log, so the few of each person are found by the index of people.
_LINES = """
    WITH span AS (
        SELECT min(log_index) AS low, max(log_index) AS high FROM audit.log_leaf
        WHERE record_time >= $3 AND record_time < $4
    )
    SELECT who.account_id::text, who.full_name,
           count(*) FILTER (WHERE kind.value = 'query') AS questions,
           count(DISTINCT held.value) FILTER (WHERE kind.value = 'query') AS cases,
           count(*) FILTER (WHERE kind.value = 'refusal') AS refused,
           count(*) FILTER (WHERE kind.value = 'intent') AS acts,
           count(*) FILTER (WHERE kind.value = 'intent' AND action.value LIKE '%dissemination.%') AS files
    FROM audit.account AS who
    CROSS JOIN span
    JOIN audit.log_field AS actor ON actor.name = 'actor' AND actor.value = who.account_id::text
         AND actor.log_index BETWEEN span.low AND span.high
    JOIN audit.log_leaf AS leaf ON leaf.log_index = actor.log_index
    JOIN audit.log_field AS kind ON kind.log_index = actor.log_index AND kind.name = 'kind'
    LEFT JOIN audit.log_field AS action ON action.log_index = actor.log_index AND action.name = 'action'
    LEFT JOIN audit.log_field AS held ON held.log_index = actor.log_index AND held.name = 'case_number'
    WHERE who.agency_ori = $1 AND who.unit = $2 AND leaf.record_time >= $3 AND leaf.record_time < $4
      AND kind.value IN ('query', 'refusal', 'intent')
    GROUP BY who.account_id, who.full_name
"""
_FLAGS = """
    SELECT flag.account_id::text, who.full_name, flag.rule
    FROM audit.misuse_flag AS flag JOIN audit.account AS who USING (account_id)
    WHERE flag.agency_ori = $1 AND flag.unit = $2 AND flag.raise_time >= $3 AND flag.raise_time < $4
    GROUP BY flag.account_id, who.full_name, flag.rule
"""
_SIGNED = """
    SELECT signer::text, sign_time FROM audit.packet_signature
    WHERE agency_ori = $1 AND unit = $2 AND week = $3
"""
_OPEN = "SELECT count(*) FROM audit.review WHERE agency_ori = $1 AND unit = $2 AND close_time IS NULL"
_HAS_UNIT = "SELECT EXISTS (SELECT FROM audit.account WHERE agency_ori = $1 AND unit = $2)"
_UNSIGNED = """
    SELECT DISTINCT who.agency_ori, who.unit FROM audit.account AS who
    WHERE who.state = 'ENABLED' AND who.made_time < $2
      AND NOT EXISTS (SELECT FROM audit.packet_signature AS held
                      WHERE held.agency_ori = who.agency_ori AND held.unit = who.unit AND held.week = $1)
      AND NOT EXISTS (SELECT FROM audit.log_leaf AS said
                      WHERE said.request_key = $3 || who.agency_ori || '/' || who.unit || '/' || $1::text)
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_SIGN = """
    INSERT INTO audit.packet_signature (agency_ori, unit, week, packet_sha256, signer, sign_time, intent_id)
    VALUES ($1, $2, $3, $4, $5::uuid, $6, $7::uuid)
"""


class PacketStore(Reader):
    """What units did in a week, and who looked at it."""

    async def has_unit(self, ori: str, unit: str) -> bool:
        """True when somebody of the agency is or was in that unit."""
        return bool(await self._fetchval(_HAS_UNIT, ori, unit))

    async def packet(self, ori: str, unit: str, week: date) -> Packet:
        """The packet, by name and account."""
        start = begin_of(week)
        place = (ori, unit, start, start + WEEK)
        flags: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        for account_id, name, rule in await self._fetch(_FLAGS, *place):
            flags[account_id, name].append(Rule(rule))
        counted: dict[tuple[str, str], tuple[int, int, int, int, int]] = {}
        for account_id, name, *numbers in await self._fetch(_LINES, *place):
            counted[account_id, name] = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
        people = sorted(counted.keys() | flags.keys(), key=lambda who: (who[1], who[0]))
        none = (0, 0, 0, 0, 0)
        lines = [
            PacketLine(who[0], who[1], *counted.get(who, none), tuple(sorted(flags[who]))) for who in people
        ]
        signed = await self._fetchrow(_SIGNED, ori, unit, week)
        signer, sign_time = tuple(signed) if signed else ("", None)
        reviews = await self._fetchval(_OPEN, ori, unit)
        return Packet(ori, unit, week, tuple(lines), reviews, signer, sign_time)

    async def unsigned(self, week: date, said: str) -> list[tuple[str, str]]:
        """Agency and unit of the packets of that week that nobody has signed, and nobody has said so.

        `said` begins the key of the entry that says so; agency, unit and week follow.
        """
        return [tuple(row) for row in await self._fetch(_UNSIGNED, week, begin_of(week) + WEEK, said)]

    async def sign(self, intent_id: str, one: Packet, by: str, moment: datetime) -> None:
        """Stores the signature. Raises WrongStateError when there is one."""
        parts = (one.agency_ori, one.unit, one.week, one.sha256, by, moment)
        try:
            async with transaction(self._pool) as connection:
                if await connection.fetchval(_CLAIM, intent_id):
                    await connection.execute(_SIGN, *parts, intent_id)
        except asyncpg.UniqueViolationError:
            raise WrongStateError("the packet is signed already") from None
