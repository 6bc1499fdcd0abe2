"""Escorts of vendors: begun, watched, cut (ENF-051 III.B.3.p, CJIS MA-4)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.escort import Escort, Plan, VendorCall
from services.audit.core.person import Role
from services.audit.core.policy import Thing
from services.audit.errors import AccountNotFoundError, EntitlementEndedError, EscortNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_escorts import EscortStore
from services.common.clock import Clock
from services.common.errors import NotPermittedError, UnauthenticatedError, WrongStateError

_NAMESPACE: Final = uuid.UUID("0b0d6f6e-3a3a-5d0c-8a3c-6a2f5e5d7b11")
_LOOK_SECONDS: Final = 1.0
_HEARTBEAT_LOOKS: Final = 4


class Escorts:
    """Keeps escorts. One lasts as long as its escort reads what `watch` gives."""

    def __init__(
        self, gate: Gate, actor: Actor, store: EscortStore, accounts: AccountStore, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def begin(self, call: Call, plan: Plan) -> Escort:
        """The escort, which begins now.

        Raises:
            AccountNotFoundError: There is no such account.
            WrongStateError: It is no vendor's, or is escorted already.
        """
        vendor = plan.vendor_account_id
        attempt = Attempt("", "escort.begin", resource=vendor, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = await self._accounts.by_id(vendor)
            if account is None:
                raise AccountNotFoundError("there is no such account", resource=vendor)
            thing = Thing(vendor, agency=account.profile.agency_ori, person=vendor)
            self._gate.permit(person, "escort.begin", thing)
            if Role.VENDOR_SUPPORT not in account.roles:
                raise WrongStateError("this account is not a vendor's", resource=vendor)
        by = person.account.account_id
        escort_id = str(uuid.uuid5(_NAMESPACE, f"{by}/{call.request_id}"))
        details = {"escort": escort_id, "scope": plan.scope.value, "minutes": str(plan.minutes)}
        act = Act("escort.begin", thing, {**details, "reason": plan.reason})
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.begin(intent, escort_id, thing.agency, by, plan)
        )
        return await self._store.by_id(escort_id)

    async def go_on(self, call: Call, escort_id: str) -> Escort:
        """An escort of the caller's own that lasts.

        Raises:
            EscortNotFoundError: There is none, or it is another's.
            WrongStateError: It is over.
        """
        attempt = Attempt("", "escort.begin", resource=escort_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, "escort.begin", Thing(agency=person.account.profile.agency_ori))
            found = await self._store.by_id(escort_id)
            if found.escort_account_id != person.account.account_id:
                raise EscortNotFoundError("there is no such escort", resource=escort_id)
            if found.ended_time is not None:
                raise WrongStateError("the escort is over; begin another one", resource=escort_id)
        return found

    async def watch(self, call: Call, escort_id: str) -> AsyncGenerator[Escort | VendorCall, None]:
        """The escort, then each call of the vendor, and the escort again as a heartbeat and when it is over.

        Raises:
            EntitlementEndedError: The escort may not escort any longer.
        """
        seen, looks = 0, 0
        while await self._store.stay(escort_id):
            if looks % _HEARTBEAT_LOOKS == 0:
                await self._still(call, escort_id)
                yield await self._store.by_id(escort_id)
            for made in await self._store.calls(escort_id, seen):
                seen = made.number
                yield made
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)
        yield await self._store.by_id(escort_id)

    async def cut(self, call: Call, escort_id: str) -> Escort:
        """The escort, ended.

        Raises:
            EscortNotFoundError: There is none.
        """
        attempt = Attempt("", "escort.cut", resource=escort_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            thing = Thing(escort_id, agency=person.account.profile.agency_ori)
            self._gate.permit(person, "escort.cut", thing)
            before = await self._store.by_id(escort_id)
            if before.agency_ori != thing.agency:
                raise EscortNotFoundError("there is no such escort", resource=escort_id)
        by = person.account.account_id
        await self._actor.carry_out(
            Act("escort.cut", thing, {"vendor": before.vendor_account_id}),
            call,
            attempt,
            lambda intent: self._store.cut(intent, escort_id, by),
        )
        return await self._store.by_id(escort_id)

    async def page(self, call: Call, before: tuple[datetime, str], limit: int) -> list[Escort]:
        """Up to `limit` escorts of the caller's agency that began before (time, id), newest first."""
        person = await self._actor.signed_in(call, "escort.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, before, limit)

    async def _still(self, call: Call, escort_id: str) -> None:
        attempt = Attempt("", "escort.begin", resource=escort_id)
        try:
            async with self._gate.recording(attempt):
                person = await self._gate.person_still(call.token, attempt)
                self._gate.permit(person, "escort.begin", Thing(agency=person.account.profile.agency_ori))
        except (UnauthenticatedError, NotPermittedError) as error:
            raise EntitlementEndedError(error.message, metadata=error.metadata) from None
        if person.identity.expires_at <= self._clock.now():
            raise EntitlementEndedError("the sign-in has ended; sign in again", metadata={"clauses": "I"})
