"""What the rules about misuse remember, and the flags they raise. A turn is one transaction."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.audit.core.conduct import Asked
from services.audit.core.misuse import Finding, Rule
from services.audit.store_reader import AnyConnection, Reader
from services.common.pg import transaction

# One replica looks at a time; the others go on with their own work.
_HEAD = "SELECT next_index FROM audit.conduct_head FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE audit.conduct_head SET next_index = $1"
_ENTRIES = """
    SELECT leaf.log_index, leaf.record_time, array_agg(field.name) AS names, array_agg(field.value) AS values
    FROM audit.log_leaf AS leaf JOIN audit.log_field AS field USING (log_index)
    WHERE leaf.log_index >= $1 AND leaf.log_index < $1 + $2
      AND field.log_index >= $1 AND field.log_index < $1 + $2
      AND field.name = ANY($3::text[])
    GROUP BY leaf.log_index ORDER BY leaf.log_index
"""
_PEOPLE = """
    SELECT account_id::text, agency_ori, unit, end_time FROM audit.account
    WHERE account_id = ANY($1::uuid[])
"""
_PAST = """
    SELECT log_index, hour, target, case_key, words, offence, thin, barred, leaves
    FROM audit.conduct WHERE account_id = $1::uuid AND hour >= $2 ORDER BY log_index
"""
_RAISED = """
    SELECT account_id::text, rule, about, max(raise_time) AS moment FROM audit.misuse_flag
    WHERE account_id = ANY($1::uuid[]) AND raise_time >= $2 GROUP BY account_id, rule, about
"""
_IN_CASE = """
    SELECT case_key AS name, account_id::text FROM audit.conduct
    WHERE agency_ori = ANY($1::text[]) AND case_key = ANY($2::text[]) AND case_key <> '' AND hour >= $3
    GROUP BY case_key, account_id
"""
_AT_TARGET = """
    SELECT target AS name, account_id::text FROM audit.conduct
    WHERE agency_ori = ANY($1::text[]) AND target = ANY($2::text[]) AND target <> '' AND hour >= $3
    GROUP BY target, account_id
"""
_REMEMBER = """
    INSERT INTO audit.conduct
        (account_id, agency_ori, log_index, hour, target, case_key, words, offence, thin, barred, leaves)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING
"""
_FORGET = "DELETE FROM audit.conduct WHERE hour < $1"
# What was taken out of an entry is forgotten here, with whatever else the person asked in that hour.
_REDACTED = """
    DELETE FROM audit.conduct AS held USING audit.log_leaf AS leaf, audit.log_field AS actor
    WHERE leaf.entry_id::text = $1 AND actor.log_index = leaf.log_index AND actor.name = 'actor'
      AND held.account_id::text = actor.value AND held.hour = date_trunc('hour', leaf.record_time)
"""
_OPEN_REVIEW = (
    "SELECT review_id::text FROM audit.review WHERE account_id = $1::uuid AND close_time IS NULL FOR SHARE"
)
_BEGIN_REVIEW = """
    INSERT INTO audit.review (review_id, agency_ori, account_id, unit, open_time, reason)
    VALUES ($1::uuid, $2, $3::uuid, $4, $5, '')
    ON CONFLICT (account_id) WHERE close_time IS NULL DO NOTHING RETURNING review_id::text
"""
_RAISE = """
    INSERT INTO audit.misuse_flag (flag_id, review_id, account_id, agency_ori, unit, rule, about, log_index,
                                   raise_time, evidence, entries)
    VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11::bigint[]) ON CONFLICT DO NOTHING
"""
_TO_NOTE = """
    SELECT flag.flag_id::text, flag.review_id::text, flag.account_id::text, flag.agency_ori, flag.rule,
           flag.log_index, leaf.entry_id::text
    FROM audit.misuse_flag AS flag JOIN audit.log_leaf AS leaf USING (log_index)
    WHERE NOT flag.noted ORDER BY flag.log_index LIMIT 100
"""
_NOTED = "UPDATE audit.misuse_flag SET noted = true WHERE flag_id = $1::uuid RETURNING true"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIELDS = (
    *(
        "kind",
        "action",
        "actor",
        "clauses",
        "subject",
        "resource",
        "case_number_kind",
        "case_number",
        "purpose",
    ),
    *("offence_code", "question", "detail.pattern", "detail.account"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry, as far as the rules look at it."""

    log_index: int
    record_time: datetime
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Somebody:
    """Whose conduct it is; `end_time` is None for an account without end."""

    account_id: str
    agency_ori: str
    unit: str
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that the log does not know of yet."""

    flag_id: str
    review_id: str
    account_id: str
    agency_ori: str
    rule: str
    log_index: int
    entry_id: str


class Turn:
    """One look at what is new in the log."""

    def __init__(self, connection: AnyConnection, next_index: int) -> None:
        self._connection = connection
        self._next = next_index

    async def entries(self, limit: int) -> list[Entry]:
        """Up to `limit` entries that nobody has looked at, in the order of the log."""
        rows = await self._connection.fetch(_ENTRIES, self._next, limit, list(_FIELDS))
        return [Entry(row[0], row[1], dict(zip(row[2], row[3], strict=True))) for row in rows]

    async def people(self, account_ids: Sequence[str]) -> dict[str, Somebody]:
        """Those of them that are people's accounts, by id; services have names that are no UUIDs."""
        rows = await self._connection.fetch(_PEOPLE, [one for one in account_ids if _UUID.fullmatch(one)])
        return {row[0]: Somebody(*row) for row in rows}

    async def past(self, account_ids: Sequence[str], since: datetime) -> dict[str, list[Asked]]:
        """What they asked since, by account, in the order of the log."""
        # One after another: two months of all of them at once would hold up everything else in the process.
        return {one: await self._past(one, since) for one in account_ids}

    async def _past(self, account_id: str, since: datetime) -> list[Asked]:
        return [Asked(*row) for row in await self._connection.fetch(_PAST, account_id, since)]

    async def raised(
        self, account_ids: Sequence[str], since: datetime
    ) -> dict[str, dict[tuple[Rule, str], datetime]]:
        """When each thing was flagged last, by account."""
        found: dict[str, dict[tuple[Rule, str], datetime]] = {one: {} for one in account_ids}
        for account_id, rule, about, moment in await self._connection.fetch(
            _RAISED, list(account_ids), since
        ):
            found[account_id][Rule(rule), about] = moment
        return found

    async def company(
        self, agencies: Sequence[str], cases: Sequence[str], targets: Sequence[str], since: datetime
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Pairs of case and account, and of plate and account: who asked about them since."""
        in_case = await self._connection.fetch(_IN_CASE, list(agencies), list(cases), since)
        at_target = await self._connection.fetch(_AT_TARGET, list(agencies), list(targets), since)
        return [tuple(row) for row in in_case], [tuple(row) for row in at_target]

    async def remember(self, asked: Sequence[tuple[Somebody, Asked]], oldest: datetime) -> None:
        """Keeps what was asked, and forgets what is older than `oldest`."""
        rows = [
            (
                *(who.account_id, who.agency_ori, one.log_index, one.hour, one.target, one.case),
                *(one.words, one.offence, one.thin, one.barred, one.leaves),
            )
            for who, one in asked
        ]
        await self._connection.executemany(_REMEMBER, rows)
        await self._connection.execute(_FORGET, oldest)

    async def forget(self, entry_id: str) -> None:
        """Forgets what follows from an entry of which a field was taken out."""
        await self._connection.execute(_REDACTED, entry_id)

    async def flag(
        self, who: Somebody, found: Finding, flag_id: str, review_id: str, moment: datetime
    ) -> None:
        """Raises the flag within the person's open review, or opens `review_id` with it."""
        review = await self._connection.fetchval(_OPEN_REVIEW, who.account_id)
        if review is None:
            parts = (review_id, who.agency_ori, who.account_id, who.unit, moment)
            review = await self._connection.fetchval(_BEGIN_REVIEW, *parts)
        if review is None:  # somebody has opened one this moment
            review = await self._connection.fetchval(_OPEN_REVIEW, who.account_id)
        evidence = json.dumps(dict(found.evidence), sort_keys=True)
        about = (found.rule.value, found.about, found.log_index, found.moment, evidence, list(found.entries))
        await self._connection.execute(
            _RAISE, flag_id, review, who.account_id, who.agency_ori, who.unit, *about
        )

    async def done(self, next_index: int) -> None:
        """What comes before `next_index` is looked at."""
        await self._connection.execute(_MOVE, next_index)


class ConductStore(Reader):
    """Turns, and flags that the log does not know of yet."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn | None]:
        """A turn, or None while another replica has one."""
        async with transaction(self._pool) as connection:
            next_index: Any = await connection.fetchval(_HEAD)
            yield None if next_index is None else Turn(connection, next_index)

    async def to_note(self) -> list[Flag]:
        """Up to 100 flags to be noted in the log, oldest first."""
        return [Flag(*row) for row in await self._fetch(_TO_NOTE)]

    async def noted(self, flag_id: str) -> None:
        """The log knows of the flag."""
        await self._fetchval(_NOTED, flag_id)
