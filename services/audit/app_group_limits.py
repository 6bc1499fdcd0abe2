"""For which offences sensor groups may be searched: who says so, and who sees it."""

from __future__ import annotations

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.group_limit import GroupLimit
from services.audit.core.justification import Rules
from services.audit.core.policy import Thing
from services.audit.store_scope import ScopeStore
from services.common.errors import FieldViolation, InvalidFieldError

_ACTION = "group_limit.set"


class GroupLimits:
    """Keeps the limits of sensor groups."""

    def __init__(self, gate: Gate, actor: Actor, store: ScopeStore, rules: Rules) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._rules = rules

    async def set(self, call: Call, limit: GroupLimit, reason: str) -> GroupLimit:
        """The limit, in force from the next question on.

        Raises:
            InvalidFieldError: A code is not in the purpose catalogue.
            UnknownSensorGroupError: The agency has no sensor of that group.
        """
        thing = Thing(limit.sensor_group, agency=limit.agency_ori)
        attempt = Attempt("", _ACTION, resource=thing.name, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, _ACTION, thing)
            self._check(limit)
        act = Act(_ACTION, thing, {"offence_codes": ",".join(limit.offence_codes), "reason": reason})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.set_limit(intent, limit))
        return limit

    async def page(self, call: Call, after: str, limit: int) -> list[GroupLimit]:
        """Up to `limit` limits of the caller's agency whose group comes after `after`."""
        person = await self._actor.signed_in(call, "group_limit.list", Thing())
        return await self._store.limits(person.account.profile.agency_ori, after, limit)

    def _check(self, limit: GroupLimit) -> None:
        if not set(limit.offence_codes) <= set(self._rules.codes):
            text = "must be codes of the purpose catalogue"
            violation = FieldViolation("limit.offence_codes", text)
            raise InvalidFieldError("the catalogue has no such code", violations=[violation])
