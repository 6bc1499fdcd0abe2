"""The system-wide settings: who sees and who changes them (ENF-051 IV.E.1.a, IV.E.1.b)."""

from __future__ import annotations

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.policy import Thing
from services.audit.core.retention import Retention, RetentionChange, RetentionPack, problems
from services.audit.store_settings import SettingStore
from services.common.errors import FieldViolation
from services.common.wire import raise_violations

_ACTION = "retention.set"
_THING = Thing("retention_days")


class Settings:
    """Shows settings and changes them, each change with the value before and after in the log."""

    def __init__(self, gate: Gate, actor: Actor, store: SettingStore) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store

    @property
    def pack(self) -> RetentionPack:
        """The bounds of the retention period."""
        return self._store.pack

    async def retention(self, call: Call) -> Retention:
        """The retention period of now."""
        await self._actor.signed_in(call, "retention.get", _THING)
        return await self._store.retention_setting()

    async def set_retention(self, call: Call, change: RetentionChange) -> Retention:
        """The retention period once it is the new one, for every question from now on.

        Raises:
            InvalidFieldError: The pack does not allow it, or a shorter period is not confirmed.
            WrongStateError: Somebody else has changed it.
        """
        attempt = Attempt("", _ACTION, resource=_THING.name, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, _ACTION, _THING)
            wrong = problems(change, self.pack)
            raise_violations([FieldViolation(field, text) for field, text in wrong.items()])
        act = Act(_ACTION, _THING, self._details(change))
        await self._actor.carry_out(
            act,
            call,
            attempt,
            lambda intent: self._store.set_retention(intent, change.days_before, change.days),
        )
        return await self._store.retention_setting()

    def _details(self, change: RetentionChange) -> dict[str, str]:
        return {
            "before": str(change.days_before),
            "after": str(change.days),
            "reason": change.reason,
            "pack": self.pack.name,
        }
