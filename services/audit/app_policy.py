"""How the policies decide, said to whoever may know (ENF-051 III.B.3.l)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.audit.app_act import Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.person import Account
from services.audit.core.policy import Policies, Policy, Thing
from services.audit.core.refusal import advice
from services.audit.errors import AccountNotFoundError
from services.audit.store_accounts import AccountStore
from services.common.clock import Clock
from services.common.errors import FieldViolation
from services.common.wire import raise_violations


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the account ("" is the caller's own) may do `action` to `thing`."""

    account_id: str
    action: str
    thing: Thing


@dataclass(frozen=True, slots=True)
class Explanation:
    """How it is decided at `moment`: each policy that applies, and what the person is told when refused."""

    account: Account
    allowed: bool
    policies: list[Policy]
    advice: str
    moment: datetime


class Explainer:
    """Explains decisions and takes none. Nothing is recorded but a refusal to explain."""

    def __init__(
        self, gate: Gate, actor: Actor, accounts: AccountStore, policies: Policies, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._accounts = accounts
        self._policies = policies
        self._clock = clock

    async def explain(self, call: Call, question: Question) -> Explanation:
        """How the policies decide now.

        Raises:
            AccountNotFoundError: There is no such account.
            InvalidFieldError: There is no such action.
            NotPermittedError: The caller may not know it.
        """
        attempt = Attempt("", "policy.explain", resource=question.account_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = await self._account(question.account_id) if question.account_id else person.account
            self._gate.permit(person, "policy.explain", _of(account))
            if question.action not in self._policies.actions:
                text = "is no action; ListPolicies has them all"
                raise_violations([FieldViolation("action", text)])
        return self._explanation(account, question)

    async def policies(self, call: Call) -> tuple[list[Policy], tuple[str, ...]]:
        """The policies in force and the actions they speak of."""
        await self._actor.signed_in(call, "policy.list", Thing())
        return self._policies.all, self._policies.actions

    def _explanation(self, account: Account, question: Question) -> Explanation:
        now = self._clock.now()
        decision = self._policies.decide_person(account, question.action, question.thing, now)
        return Explanation(
            account=account,
            allowed=decision.allowed,
            policies=self._policies.explain(account, question.action, question.thing, now),
            advice="" if decision.allowed else advice(decision.clauses),
            moment=now,
        )

    async def _account(self, account_id: str) -> Account:
        account = await self._accounts.by_id(account_id)
        if account is None:
            raise AccountNotFoundError("there is no such account", resource=account_id)
        return account


def _of(account: Account) -> Thing:
    name = account.account_id
    return Thing(name, agency=account.profile.agency_ori, unit=account.profile.unit, person=name)
