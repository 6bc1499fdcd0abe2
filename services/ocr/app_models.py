"""Versions of the models: which are here, which reads what, and how people change that."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import structlog

from services.common.clock import Clock
from services.common.errors import (
    AlprError,
    DependencyUnavailableError,
    NotFoundError,
    RequestIdReusedError,
    WrongStateError,
)
from services.common.identity import AccessToken
from services.ocr.audit import Plan
from services.ocr.core.rollout import RollOut, RollOutError, activated, rolled_back
from services.ocr.models import ModelSet
from services.ocr.store_rollout import Change, RollOutStore

log = structlog.get_logger()

# How soon a replica follows a change that was made through another one.
_FOLLOW_EVERY_SECONDS: Final = 3.0
# A younger change may still be under way in the call that made it.
_ABANDONED: Final = timedelta(minutes=1)
# Changes at once by so many others mean that something is wrong.
_TRIES: Final = 5
_FIRST: Final = "model.found"


class Audit(Protocol):
    """What acts need of the audit service."""

    async def record_intent(self, plan: Plan, token: AccessToken) -> uuid.UUID:
        """See AuditClient."""

    async def record_outcome(self, intent_id: uuid.UUID, *, done: bool, row_count: int = 0) -> None:
        """See AuditClient."""


@dataclass(frozen=True, slots=True)
class Activation:
    """A call that wants `share` of the sensors to use `version`."""

    request_id: uuid.UUID
    version: str
    share: float
    reason: str


class ModelRollOut:
    """The roll-out as the store has it, and its changes.

    Args:
        versions: Those that are here, oldest first.
        store: The history that all replicas share.
        audit: Keeps the log.
        clock: Tells when a change was made.
        load: Returns when a version is in memory, ready for use.
    """

    def __init__(
        self,
        *,
        versions: Mapping[str, ModelSet],
        store: RollOutStore,
        audit: Audit,
        clock: Clock,
        load: Callable[[str], Awaitable[object]],
    ) -> None:
        self.versions = versions
        self._load = load
        self._store = store
        self._audit = audit
        self._clock = clock
        self._changes: list[Change] = []

    async def start(self) -> None:
        """Reads the history. Without one the newest version that is here becomes the steady one.

        So a package with newer models changes nothing by itself: somebody activates them.

        Raises:
            StorageUnavailableError: It cannot be read or begun.
        """
        await self._follow()
        if not self._changes:
            newest = list(self.versions)[-1]
            now = self._clock.now()
            await self._store.add(Change(1, RollOut(newest), _FIRST, "", "", newest, now))
            await self._follow()

    def current(self) -> Change:
        """The last change that this replica knows of."""
        return self._changes[-1]

    def version_for(self, sensor_id: str) -> str:
        """The version that reads the frames of that sensor.

        A version on trial that this replica does not have leaves its sensors to the steady one.

        Raises:
            DependencyUnavailableError: This replica does not have the steady version either.
        """
        state = self.current().state
        for version in (state.version_of(sensor_id), state.steady):
            if version in self.versions:
                return version
        raise DependencyUnavailableError("this replica does not have the models that are rolled out")

    async def listed(self, token: AccessToken | None) -> Change:
        """The last change, for a person (whose question is recorded) or a machine."""
        if token is not None:
            plan = Plan(uuid.uuid4(), "model.list", "models", {})
            intent_id = await self._audit.record_intent(plan, token)
            await self._audit.record_outcome(intent_id, done=True, row_count=len(self.versions))
        return self.current()

    async def activate(self, call: Activation, token: AccessToken) -> Change:
        """The change that lets `call.share` of the sensors use a version.

        Raises:
            NotFoundError: No such version is here.
            WrongStateError: It serves them already, or is not on trial.
            RequestIdReusedError: The request id came before with other content.
        """
        details = {"version": call.version, "sensor_share": f"{call.share:g}", "reason": call.reason}
        plan = Plan(call.request_id, "model.activate", call.version, details)

        def change(now: RollOut) -> RollOut:
            if call.version not in self.versions:
                raise NotFoundError("there is no such version of the models", resource=call.version)
            return activated(now, call.version, call.share)

        return await self._act(plan, change, token)

    async def roll_back(self, request_id: uuid.UUID, reason: str, token: AccessToken) -> Change:
        """The change that ends the trial, or else returns to the version before.

        Raises:
            WrongStateError: There is neither.
            NotFoundError: The version before is not here any more.
            RequestIdReusedError: The request id came before with other content.
        """
        plan = Plan(request_id, "model.roll_back", "models", {"reason": reason})

        def change(now: RollOut) -> RollOut:
            back = rolled_back(now)
            if back.steady not in self.versions:
                raise NotFoundError("the version before is not here any more", resource=back.steady)
            return back

        return await self._act(plan, change, token)

    async def keep_following(self) -> None:
        """Follows the changes of other replicas, and completes acts that broke off; never returns."""
        while True:
            await asyncio.sleep(_FOLLOW_EVERY_SECONDS)
            try:
                await self._follow()
                await self.settle()
            except Exception as error:
                # What was known last still holds.
                log.warning("roll_out_not_followed", error=type(error).__name__)

    async def settle(self) -> int:
        """Records the outcome of changes that a crash left without one; their number."""
        since = self._clock.now() - _ABANDONED
        old = [one for one in self._changes if one.change_time < since]
        left = await self._store.unrecorded(old)
        for one in left:
            await self._recorded(one)
            log.info("act_settled", intent_id=one.intent_id)
        return len(left)

    async def _act(self, plan: Plan, change: Callable[[RollOut], RollOut], token: AccessToken) -> Change:
        intent_id = await self._audit.record_intent(plan, token)
        try:
            made = await self._made(plan, change, intent_id)
        except (NotFoundError, WrongStateError, RequestIdReusedError):
            await self._refused(intent_id)
            raise
        await self._recorded(made)
        return made

    async def _made(self, plan: Plan, change: Callable[[RollOut], RollOut], intent_id: uuid.UUID) -> Change:
        asked = _digest({"action": plan.action, **plan.details})
        for _ in range(_TRIES):
            await self._follow()
            before = next((one for one in self._changes if one.request_id == str(plan.request_id)), None)
            if before is not None:
                if before.asked != asked:
                    raise RequestIdReusedError("the request id came before with other content")
                return before
            now = self.current()
            try:
                state = change(now.state)
            except RollOutError as error:
                raise WrongStateError(str(error), metadata={"state": now.state.steady}) from None
            # What cannot be loaded must not be rolled out.
            for version in sorted(state.versions & self.versions.keys()):
                await self._load(version)
            made = Change(
                now.number + 1,
                state,
                plan.action,
                str(plan.request_id),
                str(intent_id),
                asked,
                self._clock.now(),
            )
            if await self._store.add(made):
                await self._follow()
                log.info("model_roll_out_changed", action=made.action, revision=made.number)
                return made
        raise DependencyUnavailableError("others change the roll-out at this moment; try again")

    async def _recorded(self, change: Change) -> None:
        await self._audit.record_outcome(uuid.UUID(change.intent_id), done=True)
        await self._store.mark_recorded(change.number)

    async def _refused(self, intent_id: uuid.UUID) -> None:
        try:
            await self._audit.record_outcome(intent_id, done=False)
        except AlprError as error:
            # The caller must hear why it was refused; audit's reconciler finds the intent without outcome.
            log.warning("outcome_not_recorded", intent_id=str(intent_id), error=type(error).__name__)

    async def _follow(self) -> None:
        found = await self._store.changes_after(len(self._changes))
        known = len(self._changes)
        for one in found:
            # Two that follow at once find the same changes.
            if one.number == len(self._changes) + 1:
                self._changes.append(one)
        if known and found:
            log.info("model_roll_out_followed", revision=found[-1].number)


def _digest(asked: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
