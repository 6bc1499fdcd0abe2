"""What was counted of hot lists, what people found of their alerts, and the factors of their budgets."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.hot_list import Act
from services.matcher.core.tuning import BudgetKind, Evidence
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_acts import claim
from services.matcher.store_revision import next_revision

if TYPE_CHECKING:
    import asyncpg

# Local lists have no budgets; they are left out by the join. In one order everywhere, so that two replicas
# never wait for one another.
_COUNT: Final = (
    "INSERT INTO matcher.list_tally (hot_list_id, read_count, sounded_count, checked_count)"
    " SELECT l.hot_list_id, $2, $3, $4 FROM matcher.hot_list AS l WHERE l.hot_list_id = $1"
    " ON CONFLICT (hot_list_id) DO UPDATE SET read_count = list_tally.read_count + EXCLUDED.read_count,"
    " sounded_count = list_tally.sounded_count + EXCLUDED.sounded_count,"
    " checked_count = list_tally.checked_count + EXCLUDED.checked_count"
)
_HEAD: Final = "SELECT epoch, position FROM matcher.verdict_head WHERE only_row"
_SET_HEAD: Final = "UPDATE matcher.verdict_head SET epoch = $1, position = $2 WHERE only_row"
_VERDICT: Final = (
    "INSERT INTO matcher.verdict (alert_id, hot_list_id, budget, raised_at, is_right)"
    " SELECT $1, l.hot_list_id, $3, $4, $5 FROM matcher.hot_list AS l WHERE l.hot_list_id = $2"
    " ON CONFLICT (alert_id, hot_list_id) DO UPDATE SET budget = EXCLUDED.budget,"
    " is_right = EXCLUDED.is_right"
)
# Of alerts that were raised before the factor was changed nothing is to be learnt for the new one.
_EVIDENCE: Final = """
SELECT l.hot_list_id, l.agency_ori, b.budget,
       coalesce(n.number, 0) AS number, coalesce(n.factor, 1) AS factor,
       coalesce(t.read_count, 0) - coalesce(n.reads_at, 0) AS reads,
       coalesce(CASE b.budget WHEN 1 THEN t.sounded_count ELSE t.checked_count END, 0)
           - coalesce(n.matches_at, 0) AS matches,
       v.rights, v.wrongs
FROM matcher.hot_list AS l CROSS JOIN (VALUES (1), (2)) AS b (budget)
LEFT JOIN matcher.list_tally AS t USING (hot_list_id)
LEFT JOIN LATERAL (
    SELECT * FROM matcher.tuning AS n WHERE n.hot_list_id = l.hot_list_id AND n.budget = b.budget
    ORDER BY n.number DESC LIMIT 1) AS n ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE v.is_right) AS rights, count(*) FILTER (WHERE NOT v.is_right) AS wrongs
    FROM matcher.verdict AS v WHERE v.hot_list_id = l.hot_list_id AND v.budget = b.budget
    AND v.is_right IS NOT NULL AND v.raised_at >= coalesce(n.set_at, '-infinity')) AS v
"""
_JUDGED: Final = f"{_EVIDENCE} WHERE v.rights + v.wrongs > 0 ORDER BY l.hot_list_id, b.budget"
_OF_LIST: Final = f"{_EVIDENCE} WHERE l.hot_list_id = $1 ORDER BY b.budget"
_LOCK: Final = "SELECT FROM matcher.hot_list WHERE hot_list_id = $1 FOR UPDATE"
_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM matcher.tuning WHERE hot_list_id = $1 AND budget = $2"
_TUNE: Final = (
    "INSERT INTO matcher.tuning (hot_list_id, budget, number, factor_before, factor, read_count, match_count,"
    " right_count, wrong_count, reads_at, matches_at, match_revision, intent_id, set_at)"
    " SELECT $1, $2::smallint, $3, $4, $5, $6, $7, $8, $9, coalesce(t.read_count, 0),"
    " coalesce(CASE $2::smallint WHEN 1 THEN t.sounded_count ELSE t.checked_count END, 0), $10, $11, $12"
    " FROM matcher.hot_list AS l LEFT JOIN matcher.list_tally AS t USING (hot_list_id)"
    " WHERE l.hot_list_id = $1"
)
_TUNED_BY: Final = "SELECT match_revision FROM matcher.tuning WHERE intent_id = $1"
_CHANGES: Final = (
    "SELECT budget, number, factor_before, factor, read_count, match_count, right_count, wrong_count, set_at,"
    " match_revision, intent_id FROM matcher.tuning WHERE hot_list_id = $1"
    " ORDER BY match_revision DESC LIMIT $2"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one replica counted of a list since it stored last."""

    reads: int
    sounded: int = 0
    checked: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """How far alerts was heard."""

    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class JudgedMatch:
    """What people found of an alert, for one list of it; `is_right` is None while nobody has said."""

    alert_id: uuid.UUID
    hot_list_id: uuid.UUID
    budget: BudgetKind
    raised_at: datetime
    is_right: bool | None


@dataclass(frozen=True, slots=True)
class ListBudget:
    """One budget of a list: its factor, how often that was changed, and what was counted since."""

    hot_list_id: uuid.UUID
    agency_ori: str
    kind: BudgetKind
    number: int
    factor: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class TuningChange:
    """A change of a factor, as it was made."""

    kind: BudgetKind
    number: int
    before: float
    after: float
    evidence: Evidence
    set_at: datetime
    revision: int
    intent_id: uuid.UUID


class TuningStore:
    """Tallies, verdicts and factors. One method is one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self, counted: Mapping[uuid.UUID, Counted]) -> None:
        """Adds what was counted to the tallies of the lists."""
        rows = [(key, one.reads, one.sounded, one.checked) for key, one in sorted(counted.items())]
        async with transaction(self._pool) as held:
            await held.executemany(_COUNT, rows)

    async def position(self) -> Position:
        """How far alerts was heard."""
        async with connection(self._pool) as held:
            return _position(await held.fetchrow(_HEAD))

    async def take(self, since: Position, judged: Collection[JudgedMatch], until: Position) -> bool:
        """Stores what alerts said after `since`; False when another replica has gone on from there."""
        rows = [(x.alert_id, x.hot_list_id, x.budget.value, x.raised_at, x.is_right) for x in judged]
        async with transaction(self._pool) as held:
            if _position(await held.fetchrow(f"{_HEAD} FOR UPDATE")) != since:
                return False
            await held.executemany(_VERDICT, rows)
            await held.execute(_SET_HEAD, until.epoch, until.position)
            return True

    async def judged(self) -> tuple[ListBudget, ...]:
        """The budgets of which people have found anything since their factor was changed last."""
        async with connection(self._pool) as held:
            return tuple(map(_budget, await held.fetch(_JUDGED)))

    async def tune(self, act: Act, budget: ListBudget, factor: float) -> int | None:
        """The revision from which the budget has that factor; for an act that is stored the same again.

        None when it has been changed since `budget` was read; nothing is changed then.
        """
        evidence = budget.evidence
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                made: int | None = await held.fetchval(_TUNED_BY, act.intent_id)
                return made
            await held.execute(_LOCK, budget.hot_list_id)
            if await held.fetchval(_NUMBER, budget.hot_list_id, budget.kind.value) != budget.number:
                return None
            revision = await next_revision(held)
            await held.execute(
                _TUNE,
                *(budget.hot_list_id, budget.kind.value, budget.number + 1, budget.factor, factor),
                *(evidence.reads, evidence.matches, evidence.right, evidence.wrong),
                *(revision, act.intent_id, act.act_time),
            )
            return revision

    async def of_list(
        self, hot_list_id: uuid.UUID, most: int
    ) -> tuple[tuple[ListBudget, ...], tuple[TuningChange, ...]]:
        """Both budgets of the list, and at most `most` changes of their factors, newest first.

        Raises:
            HotListNotFoundError: There is no such list.
        """
        async with transaction(self._pool, readonly=True) as held:
            budgets = tuple(map(_budget, await held.fetch(_OF_LIST, hot_list_id)))
            changes = await _changes(held, hot_list_id, most)
        if not budgets:
            raise HotListNotFoundError("there is no such hot list", resource=str(hot_list_id))
        return budgets, changes


async def _changes(held: Connection, hot_list_id: uuid.UUID, most: int) -> tuple[TuningChange, ...]:
    return tuple(
        TuningChange(
            kind=BudgetKind(row["budget"]),
            number=row["number"],
            before=row["factor_before"],
            after=row["factor"],
            evidence=Evidence(row["read_count"], row["match_count"], row["right_count"], row["wrong_count"]),
            set_at=row["set_at"],
            revision=row["match_revision"],
            intent_id=row["intent_id"],
        )
        for row in await held.fetch(_CHANGES, hot_list_id, most)
    )


def _position(row: asyncpg.Record | None) -> Position:
    return Position(row["epoch"], row["position"]) if row else Position(0, 0)


def _budget(row: asyncpg.Record) -> ListBudget:
    return ListBudget(
        hot_list_id=row["hot_list_id"],
        agency_ori=row["agency_ori"],
        kind=BudgetKind(row["budget"]),
        number=row["number"],
        factor=row["factor"],
        evidence=Evidence(row["reads"], row["matches"], row["rights"], row["wrongs"]),
    )
