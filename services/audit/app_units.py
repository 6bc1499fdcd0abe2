"""Units: registered, given a coordinator by their commander, left by him (ENF-051 III.C.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.policy import Thing
from services.audit.core.unit import Appointment, Unit, hindrances
from services.audit.errors import AccountNotFoundError, AgencyNotFoundError, UnitNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_units import UnitStore
from services.common.clock import Clock
from services.common.errors import WrongStateError


class Units:
    """Keeps units. Every change is asked of the policies, recorded, made, and its outcome recorded."""

    def __init__(
        self, gate: Gate, actor: Actor, store: UnitStore, accounts: AccountStore, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def register(self, call: Call, given: Unit) -> Unit:
        """The unit, which nobody coordinates yet.

        Raises:
            AgencyNotFoundError: The agency is not registered.
            UnitExistsError: The agency has a unit of this code.
        """
        ori = given.agency_ori
        attempt = Attempt("", "unit.register", resource=given.code, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            thing = await self._thing(ori, given.code)
            self._gate.permit(person, "unit.register", thing)
            if await self._accounts.agency(ori) is None:
                raise AgencyNotFoundError("this agency is not registered", resource=ori)
        act = Act("unit.register", thing, {"kind": given.kind.value, "name": given.name})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.register(intent, given))
        return await self._unit(ori, given.code)

    async def page(self, call: Call, after: str, limit: int) -> list[Unit]:
        """Up to `limit` units of the caller's agency whose code comes after `after`."""
        person = await self._actor.signed_in(call, "unit.list", Thing())
        ori = person.account.profile.agency_ori
        return await self._store.page(ori, after, limit, self._clock.now())

    async def appoint(self, call: Call, ori: str, code: str, given: Appointment) -> Unit:
        """The unit with the appointment; an earlier one has ended.

        Raises:
            UnitNotFoundError, AccountNotFoundError: There is no such unit or account.
            WrongStateError: The account cannot coordinate this unit; metadata `hindrances` says why.
        """

        async def check(unit: Unit) -> None:
            account = await self._accounts.by_id(given.account_id)
            if account is None or account.profile.agency_ori != ori:
                raise AccountNotFoundError("the agency has no such account", resource=given.account_id)
            found = hindrances(account, unit, self._clock.now())
            if found:
                msg = f"this account cannot coordinate the unit: it {', '.join(found)}"
                raise WrongStateError(msg, metadata={"hindrances": ",".join(found)})

        details = {
            "account": given.account_id,
            "commander": given.commander,
            "document_sha256": given.document_sha256.hex(),
        }
        act = Act("unit.appoint", Thing(), details)
        return await self._change(
            call, (ori, code), act, check, lambda intent, unit: self._store.appoint(intent, unit, given)
        )

    async def end(self, call: Call, ori: str, code: str, reason: str) -> Unit:
        """The unit, which nobody coordinates.

        Raises:
            UnitNotFoundError: There is no such unit.
            WrongStateError: Nobody is appointed.
        """

        async def check(_: Unit) -> None:
            return

        act = Act("unit.end", Thing(), {"reason": reason})
        return await self._change(call, (ori, code), act, check, self._store.end)

    async def _change(
        self,
        call: Call,
        which: tuple[str, str],
        act: Act,
        check: Callable[[Unit], Awaitable[None]],
        change: Callable[[str, Unit], Awaitable[None]],
    ) -> Unit:
        attempt = Attempt("", act.action, resource=which[1], request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            thing = await self._thing(*which)
            self._gate.permit(person, act.action, thing)
            unit = await self._unit(*which)
            await check(unit)
        await self._actor.carry_out(
            replace(act, thing=thing), call, attempt, lambda intent: change(intent, unit)
        )
        return await self._unit(*which)

    async def _unit(self, ori: str, code: str) -> Unit:
        unit = await self._store.by_code(ori, code, self._clock.now())
        if unit is None:
            raise UnitNotFoundError("the agency has no unit of this code", resource=code)
        return unit

    async def _thing(self, ori: str, code: str) -> Thing:
        lonely = not await self._accounts.has_coordinator(ori)
        return Thing(code, agency=ori, unit=code, lonely=lonely)
