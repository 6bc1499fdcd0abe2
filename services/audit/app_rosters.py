"""Leavers: found by the personnel office's roster, ended within a day (CJIS AC-2, PS-4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from services.audit.app_accounts import Accounts
from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.core.roster import Leaver, Roster
from services.audit.store_rosters import RosterStore
from services.common.clock import Clock
from services.common.errors import FieldViolation, WrongStateError
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("3b8f3c64-9a0e-5a3d-8a41-7a5a9a3f5b11")
_REASON: Final = "not on the personnel office's roster"


@dataclass(frozen=True, slots=True)
class Ended:
    """What one request ended, and who is still a leaver with an open account."""

    account_ids: tuple[str, ...]
    left_open: tuple[Leaver, ...]


class Rosters:
    """Compares rosters with accounts. Ending is an act of its own for each account."""

    def __init__(
        self, gate: Gate, actor: Actor, store: RosterStore, accounts: Accounts, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def submit(self, call: Call, roster: Roster) -> list[Leaver]:
        """Everybody who is a leaver by this roster.

        Raises:
            InvalidFieldError: The roster is ahead, or too old to say who is here.
        """
        attempt = Attempt("", "roster.submit", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            ori = person.account.profile.agency_ori
            thing = Thing(ori, agency=ori)
            self._gate.permit(person, "roster.submit", thing)
            if not roster.is_fresh(self._clock.now()):
                text = "must be within the last 30 days, and not ahead"
                raise_violations([FieldViolation("as_of_time", text)])
        details = {
            "sha256": roster.sha256.hex(),
            "people": str(len(roster.keys)),
            "as_of_time": rfc3339(roster.as_of_time),
        }
        act = Act("roster.submit", thing, details, {"badge_numbers": "\n".join(roster.keys)})
        by = person.account.account_id
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.submit(intent, ori, by, roster)
        )
        return await self._store.leavers(ori, self._clock.now())

    async def end(self, call: Call, number: int) -> Ended:
        """What was ended; after a failure in the middle the rest is, when it is asked for again.

        Raises:
            WrongStateError: There are more leavers than the caller has seen.
        """
        attempt = Attempt("", "roster.end", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account
            ori = own.profile.agency_ori
            self._gate.permit(person, "roster.end", Thing(ori, agency=ori))
            found = await self._store.leavers(ori, self._clock.now())
            if len(found) > number:
                text = f"there are {len(found)} leavers now; look at them again before you end them"
                raise WrongStateError(text, metadata={"leavers": str(len(found))})
        ended = []
        for one in found:
            if one.account_id != own.account_id:  # nobody ends himself
                await self._end(call, one)
                ended.append(one.account_id)
        return Ended(tuple(ended), tuple(await self._store.leavers(ori, self._clock.now())))

    async def leavers(self, call: Call) -> list[Leaver]:
        """The leavers of the caller's agency whose accounts may be used."""
        person = await self._actor.signed_in(call, "roster.list", Thing())
        return await self._store.leavers(person.account.profile.agency_ori, self._clock.now())

    async def _end(self, call: Call, one: Leaver) -> None:
        now = self._clock.now()
        each = Call(call.token, str(uuid.uuid5(_NAMESPACE, f"{call.request_id}/{one.account_id}/{now}")))
        await self._accounts.end(each, one.account_id, now, _REASON)
