"""The system-wide settings: who sees and who changes them (ENF-051 IV.E.1.a, IV.E.1.b)."""

from __future__ import annotations

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.policy import Thing
from services.audit.core.retention import Retention, RetentionChange, RetentionPack, problems
from services.audit.core.settings import Bounds, Setting, SettingChange
from services.audit.errors import SettingNotFoundError
from services.audit.live_settings import LiveSettings
from services.audit.store_settings import SettingStore
from services.common.errors import FieldViolation
from services.common.wire import raise_violations

_SET_RETENTION, _SET = "retention.set", "setting.set"
_RETENTION = Thing("retention_days")


class Settings:
    """Shows settings and changes them, each change with the value before and after in the log."""

    def __init__(self, gate: Gate, actor: Actor, store: SettingStore, live: LiveSettings) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._live = live

    @property
    def pack(self) -> RetentionPack:
        """The bounds of the retention period."""
        return self._store.pack

    @property
    def pack_name(self) -> str:
        """Name of the pack that bounds the other settings."""
        return self._store.others.name

    async def retention(self, call: Call) -> Retention:
        """The retention period of now."""
        await self._actor.signed_in(call, "retention.get", _RETENTION)
        return await self._store.retention_setting()

    async def set_retention(self, call: Call, change: RetentionChange) -> Retention:
        """The retention period once it is the new one, for every question from now on.

        Raises:
            InvalidFieldError: The pack does not allow it, or a shorter period is not confirmed.
            WrongStateError: Somebody else has changed it.
        """
        attempt = Attempt("", _SET_RETENTION, resource=_RETENTION.name, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, _SET_RETENTION, _RETENTION)
            wrong = problems(change, self.pack)
            raise_violations([FieldViolation(field, text) for field, text in wrong.items()])
        act = Act(_SET_RETENTION, _RETENTION, self._details(change))
        await self._actor.carry_out(
            act,
            call,
            attempt,
            lambda intent: self._store.set_retention(intent, change.days_before, change.days),
        )
        return await self._store.retention_setting()

    async def all(self, call: Call) -> list[Setting]:
        """Every other setting as it is now, by name."""
        await self._actor.signed_in(call, "setting.list", Thing())
        return list((await self._store.settings()).values())

    async def set(self, call: Call, change: SettingChange) -> Setting:
        """The setting once it is the new one.

        Raises:
            SettingNotFoundError: There is no such setting.
            InvalidFieldError: The pack does not allow it.
            WrongStateError: Somebody else has changed it.
        """
        attempt = Attempt("", _SET, resource=change.name, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            thing = Thing(change.name)
            self._gate.permit(person, _SET, thing)
            _check_within(change, self._bounds(change.name), self.pack_name)
        before_and_after = {"before": str(change.value_before), "after": str(change.value)}
        details = {**before_and_after, "reason": change.reason, "pack": self.pack_name}
        act = Act(_SET, thing, details)
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.set(intent, change))
        await self._live.refresh()
        return (await self._store.settings())[change.name]

    def _bounds(self, name: str) -> Bounds:
        bounds = self._store.others.bounds.get(name)
        if bounds is None:
            hint = "; the retention period has a command of its own" if name == _RETENTION.name else ""
            msg = f"there is no such setting; list them to see which there are{hint}"
            raise SettingNotFoundError(msg, resource=name)
        return bounds

    def _details(self, change: RetentionChange) -> dict[str, str]:
        return {
            "before": str(change.days_before),
            "after": str(change.days),
            "reason": change.reason,
            "pack": self.pack.name,
        }


def _check_within(change: SettingChange, bounds: Bounds, pack: str) -> None:
    if not bounds.least <= change.value <= bounds.most:
        text = f"must be {bounds.least} to {bounds.most} ({pack})"
        raise_violations([FieldViolation("value", text)])
