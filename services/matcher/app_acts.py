"""The record of acts: intent before, outcome after (ENF-051 III.B.3.d)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from services.common.clock import Clock
from services.common.errors import AlprError
from services.common.identity import AccessToken
from services.matcher.core.hot_list import Act
from services.matcher.core.local import Grounds

log = structlog.get_logger()

# An act younger than this may still be under way in the call that made it.
_ABANDONED: Final = timedelta(minutes=1)
_SETTLE_EVERY_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent that is in the log, and who it is of; `roles` by their names in the contract."""

    intent_id: uuid.UUID
    account_id: str
    agency_ori: str
    unit: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody is about to do.

    Attributes:
        agency_ori: Whose it is; empty when it is the person's own agency's, whichever that is.
        grounds: Why, for an act that needs case number and purpose (IV.C.5, IV.C.6).
        owner_id: Account that it belongs to, when it is one person's own.
        unit: Unit that it belongs to, when it is one unit's own.
    """

    request_id: uuid.UUID
    action: str
    resource: str
    agency_ori: str
    details: Mapping[str, str]
    grounds: Grounds | None = None
    owner_id: str = ""
    unit: str = ""


class Audit(Protocol):
    """What acts need of the audit service. Both raise AuditUnavailableError, or audit's own refusal."""

    async def record_intent(self, plan: Plan, token: AccessToken | None) -> Intent:
        """The intent once it is in the log; without a token it is this service's own."""

    async def record_outcome(self, intent_id: uuid.UUID, *, done: bool, row_count: int) -> None:
        """Returns once the outcome is in the log. Idempotent by intent and outcome."""


class OpenActs(Protocol):
    """Acts in the database whose outcome the log may not have."""

    async def open_before(self, moment: datetime) -> tuple[uuid.UUID, ...]:
        """Intents of such acts, older than `moment`."""

    async def close(self, intent_id: uuid.UUID, moment: datetime) -> None:
        """Notes that the log has it."""


class Acts:
    """Writes intents and outcomes of what people do with hot lists."""

    def __init__(self, audit: Audit, store: OpenActs, clock: Clock) -> None:
        self._audit = audit
        self._store = store
        self._clock = clock

    async def begin(self, plan: Plan, token: AccessToken | None) -> Intent:
        """The intent, in the log and allowed; nothing may be done before."""
        return await self._audit.record_intent(plan, token)

    async def shown(self, intent: Intent, row_count: int) -> None:
        """Returns once the log has how many rows will be shown; they may leave only then."""
        await self._audit.record_outcome(intent.intent_id, done=True, row_count=row_count)

    async def changed(self, intent_id: uuid.UUID) -> None:
        """Returns once log and database both know that the act is done."""
        await self._audit.record_outcome(intent_id, done=True, row_count=0)
        await self._store.close(intent_id, self._clock.now())

    async def refused(self, intent: Intent) -> None:
        """Records that nothing was changed, for good. What may be tried again has no outcome yet."""
        try:
            await self._audit.record_outcome(intent.intent_id, done=False, row_count=0)
        except AlprError as error:
            # The caller must hear why it was refused; audit's reconciler finds the intent without outcome.
            log.warning("outcome_not_recorded", intent_id=str(intent.intent_id), error=type(error).__name__)

    async def settle(self) -> int:
        """Records the outcome of acts that a crash left without one; their number."""
        left = await self._store.open_before(self._clock.now() - _ABANDONED)
        for intent_id in left:
            await self.changed(intent_id)
            log.info("act_settled", intent_id=str(intent_id))
        return len(left)

    async def keep_settling(self) -> None:
        """Settles for ever; an error is noted and tried again."""
        while True:
            try:
                await self.settle()
            except Exception as error:
                log.warning("acts_not_settled", exc_info=error)
            await asyncio.sleep(_SETTLE_EVERY_S)


def act_of(plan: Plan, intent: Intent, hot_list_id: uuid.UUID, moment: datetime) -> Act:
    """The change of a list that `intent` is of, as it is stored with it."""
    return Act(
        intent_id=intent.intent_id,
        request_id=plan.request_id,
        action=plan.action,
        hot_list_id=hot_list_id,
        account_id=intent.account_id,
        details=plan.details,
        act_time=moment,
    )
