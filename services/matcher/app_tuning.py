"""Puts the budgets of hot lists right by what people found of their alerts (ENF-051 III.B.3.o)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from services.common.clock import Clock
from services.common.identity import AccessToken
from services.common.wire import to_datetime
from services.matcher.app_acts import Acts, Plan, act_of
from services.matcher.core.budget import Budget
from services.matcher.core.hot_list import HotList
from services.matcher.core.tuning import BudgetKind, next_factor, verdict_of
from services.matcher.metrics import TUNINGS, VERDICTS
from services.matcher.store_lists import HotListStore
from services.matcher.store_tuning import JudgedMatch, ListBudget, Position, TuningChange, TuningStore

log = structlog.get_logger()

_EVERY_S: Final = 30.0
_POSITIONS_A_PAGE: Final = 1000
_CHANGES_SHOWN: Final = 100
_BECAUSE: Final = {
    True: "more alerts were found wrong than the budget explains",
    False: "people found few alerts wrong and many right",
}


class Alerts(Protocol):
    """Where people judge alerts."""

    async def list_dispositions(
        self, after_position: int, epoch: int, page_size: int
    ) -> alerts_pb.ListDispositionsResponse:
        """What was found after that position. Raises DependencyUnavailableError."""


@dataclass(frozen=True, slots=True)
class ListTuning:
    """A list, its budgets with false alarms per million reads, and the newest changes of their factors."""

    hot_list: HotList
    budgets: tuple[tuple[ListBudget, float], ...]
    changes: tuple[TuningChange, ...]


class Tuner:
    """Pulls what people found, and changes factors; every replica may, one of them does."""

    def __init__(
        self, *, alerts: Alerts, store: TuningStore, acts: Acts, clock: Clock, budget: Budget
    ) -> None:
        self._alerts = alerts
        self._store = store
        self._acts = acts
        self._clock = clock
        self._budget = budget

    async def work_once(self) -> int:
        """Hears what is new and puts right what it asks for; the number of factors that were changed.

        Raises:
            DependencyUnavailableError, StorageUnavailableError, AuditUnavailableError: Do it again.
        """
        await self._pull()
        changed = 0
        for budget in await self._store.judged():
            factor = next_factor(budget.factor, per_million(self._budget, budget.kind), budget.evidence)
            if factor != budget.factor:
                changed += await self._tune(budget, factor)
        return changed

    async def keep_tuning(self) -> None:
        """Works for ever; an error is noted and tried again."""
        while True:
            try:
                await self.work_once()
            except Exception as error:
                log.warning("budgets_not_tuned", error=type(error).__name__)
            await asyncio.sleep(_EVERY_S)

    async def _pull(self) -> None:
        """Stores what people found since the last time. Hearing it again changes nothing."""
        has_more = True
        while has_more:
            since = await self._store.position()
            page = await self._alerts.list_dispositions(since.position, since.epoch, _POSITIONS_A_PAGE)
            judged = [match for alert in page.alerts for match in _judged(alert)]
            until = Position(page.epoch, page.last_position)
            if until != since and await self._store.take(since, judged, until):
                VERDICTS.inc(sum(one.is_right is not None for one in judged))
            has_more = page.has_more

    async def _tune(self, budget: ListBudget, factor: float) -> bool:
        """Changes a factor, on record as this service's own act; the same act whichever replica does it."""
        number = budget.number + 1
        plan = Plan(
            request_id=uuid.uuid5(budget.hot_list_id, f"tune/{budget.kind.name}/{number}/{factor}"),
            action="hot_list.tune",
            resource=str(budget.hot_list_id),
            agency_ori=budget.agency_ori,
            details={
                "budget": budget.kind.name,
                "number": str(number),
                "from": f"{budget.factor:g}",
                "to": f"{factor:g}",
                "because": _BECAUSE[factor < budget.factor],
            },
        )
        intent = await self._acts.begin(plan, None)
        act = act_of(plan, intent, budget.hot_list_id, self._clock.now())
        revision = await self._store.tune(act, budget, factor)
        if revision is None:
            # Another replica has just changed it otherwise; what counts from now on is counted anew.
            await self._acts.refused(intent)
            return False
        await self._acts.changed(intent.intent_id)
        TUNINGS.labels("tightened" if factor < budget.factor else "relaxed").inc()
        log.info("budget_tuned", hot_list_id=str(budget.hot_list_id), budget=budget.kind.name, factor=factor)
        return True


class TuningView:
    """What people see of it."""

    def __init__(self, acts: Acts, lists: HotListStore, store: TuningStore, budget: Budget) -> None:
        self._acts = acts
        self._lists = lists
        self._store = store
        self._budget = budget

    async def of_list(self, hot_list_id: uuid.UUID, token: AccessToken) -> ListTuning:
        """The list with its budgets; the look is in the log. Raises HotListNotFoundError."""
        hot_list = await self._lists.get(hot_list_id)
        details: Mapping[str, str] = {"shows": "tuning"}
        plan = Plan(uuid.uuid4(), "hot_list.list", str(hot_list_id), hot_list.agency_ori, details)
        intent = await self._acts.begin(plan, token)
        budgets, changes = await self._store.of_list(hot_list_id, _CHANGES_SHOWN)
        await self._acts.shown(intent, 1)
        return ListTuning(
            hot_list,
            tuple((one, per_million(self._budget, one.kind)) for one in budgets),
            changes,
        )


def per_million(budget: Budget, kind: BudgetKind) -> float:
    """False alarms per million reads that a list may raise."""
    return budget.sounding if kind is BudgetKind.SOUNDING else budget.checked


def _judged(alert: alerts_pb.JudgedAlert) -> Collection[JudgedMatch]:
    """What the alert says of each of its lists; it sounded when one match of the list did."""
    is_right = verdict_of(alert.verification_state, alert.disposition)
    by_list: dict[uuid.UUID, JudgedMatch] = {}
    for match in sorted(alert.matches, key=lambda one: -one.match_grade):
        hot_list_id = uuid.UUID(match.hot_list_id)
        by_list[hot_list_id] = JudgedMatch(
            alert_id=uuid.UUID(alert.alert_id),
            hot_list_id=hot_list_id,
            budget=BudgetKind(match.match_grade),
            raised_at=to_datetime(alert.raise_time),
            is_right=is_right,
        )
    return by_list.values()
