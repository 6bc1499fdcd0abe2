"""Looking at sign-ins and ending them (ENF-051 III.B.3.k, CJIS AC-12)."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.app_act import Act, Actor, Call
from services.audit.app_admission import Admission
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.core.person import Account
from services.audit.core.policy import Thing
from services.audit.core.sign_in import SignIn, sign_in_id
from services.audit.errors import AccountNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_sign_ins import SignInStore
from services.common.clock import Clock


@dataclass(frozen=True, slots=True)
class Shown:
    """A sign-in as it is shown: whether it counts among those at once, whether the call came from it."""

    sign_in: SignIn
    open: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What to end: one sign-in, or all when `sign_in_id` is ""; the caller's when `account_id` is ""."""

    account_id: str
    sign_in_id: str
    reason: str


class SignIns:
    """Sign-ins, for the person himself and for those who answer for him."""

    def __init__(
        self,
        gate: Gate,
        actor: Actor,
        stores: tuple[SignInStore, AccountStore],
        admission: Admission,
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store, self._accounts = stores
        self._admission = admission
        self._clock = clock

    async def list_of(self, call: Call, account_id: str) -> list[Shown]:
        """The account's sign-ins that have not run out, newest first.

        Raises:
            AccountNotFoundError: There is no such account.
        """
        attempt = Attempt("", "sign_in.list", resource=account_id)
        async with self._gate.recording(attempt):
            person, account = await self._whose(call, account_id, attempt)
            self._gate.permit(person, "sign_in.list", _thing(account))
        return await self._shown(person, account)

    async def end(self, call: Call, ending: Ending) -> list[Shown]:
        """The account's sign-ins after those were ended; no token of them is accepted any more.

        Raises:
            AccountNotFoundError, SignInNotFoundError: There is no such account or sign-in.
        """
        attempt = Attempt("", "sign_in.end", resource=ending.account_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person, account = await self._whose(call, ending.account_id, attempt)
            thing = _thing(account)
            self._gate.permit(person, "sign_in.end", thing)
        now = self._clock.now()
        act = Act("sign_in.end", thing, {"sign_in": ending.sign_in_id or "all", "reason": ending.reason})
        await self._actor.carry_out(
            act,
            call,
            attempt,
            lambda intent: self._store.end(intent, account.account_id, ending.sign_in_id, now),
        )
        return await self._shown(person, account)

    async def _whose(self, call: Call, account_id: str, attempt: Attempt) -> tuple[Person, Account]:
        person = await self._gate.person_making_room(call.token, attempt)
        if account_id in ("", person.account.account_id):
            return person, person.account
        account = await self._accounts.by_id(account_id)
        if account is None:
            raise AccountNotFoundError("there is no such account", resource=account_id)
        return person, account

    async def _shown(self, person: Person, account: Account) -> list[Shown]:
        now, limits = self._clock.now(), self._admission.limits()
        own = sign_in_id(person.account.account_id, person.identity)
        found = await self._store.list_of(account.account_id, now - self._admission.longest)
        return [Shown(one, one.is_open(limits, now), one.sign_in_id == own) for one in found]


def _thing(account: Account) -> Thing:
    profile = account.profile
    return Thing(account.account_id, profile.agency_ori, profile.unit, person=account.account_id)
