"""People's accounts: made, certified, given roles, enabled, suspended (ENF-051 III.B.3, III.C, III.D)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.app_people import People, unknown_unit, wrong_address, wrong_exception
from services.audit.core.email import EmailException, exception_details
from services.audit.core.entry import rfc3339
from services.audit.core.person import (
    Account,
    AccountState,
    Certification,
    Life,
    Profile,
    Role,
    Vetting,
    missing,
)
from services.audit.core.policy import Thing
from services.audit.core.unit import Unit
from services.audit.errors import AccountNotFoundError
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError
from services.common.wire import raise_violations

# How far the caller's clock may be behind.
_A_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Case:
    """An account that is about to change, its unit if it is registered, and the moment."""

    account: Account
    unit: Unit | None
    now: datetime


class Accounts:
    """Keeps accounts. Every change is asked of the policies, recorded, made, and its outcome recorded."""

    def __init__(self, gate: Gate, actor: Actor, people: People, clock: Clock, issuer: str) -> None:
        self._gate = gate
        self._actor = actor
        self._store = people.accounts
        self._people = people
        self._clock = clock
        self._issuer = issuer

    def now(self) -> datetime:
        """The moment at which accounts stand as they do."""
        return self._clock.now()

    async def create(
        self,
        call: Call,
        profile: Profile,
        end_time: datetime | None = None,
        exception: EmailException | None = None,
    ) -> Account:
        """The new account, not yet enabled; with an end it is a temporary one.

        Raises:
            InvalidFieldError: The e-mail is of no domain of the agency and nothing excepts it (III.B.3.j), or
                the unit or the issuer is not known.
            AccountExistsError: The person has one.
        """
        attempt = Attempt("", "account.create", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            unit = await self._people.unit_of(profile, self._clock.now())
            thing = await self._people.thing(profile, unit, profile.subject)
            self._gate.permit(person, "account.create", thing)
            if exception:
                self._gate.permit(person, "account.except", thing)
            await self._check_profile(profile, unit, exception)
            _check_temporary(end_time, self._clock.now(), self._store.longest_temporary)
        details = {
            "end_time": rfc3339(end_time) if end_time else "none",
            "full_name": profile.full_name,
            "badge_number": profile.badge_number,
            "email": profile.email,
            "unit": profile.unit,
            "issuer": profile.issuer,
            **exception_details(exception),
        }
        account = Account(
            str(uuid4()), profile, AccountState.PENDING, frozenset(), (), life=Life(end_time=end_time)
        )
        await self._actor.carry_out(
            Act("account.create", thing, details),
            call,
            attempt,
            lambda intent: self._store.create(intent, account, exception),
        )
        return await self._stored(profile)

    async def get(self, call: Call, account_id: str) -> Account:
        """The account; the caller's own when `account_id` is ""."""
        attempt = Attempt("", "account.get", resource=account_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = await self._people.account(account_id) if account_id else person.account
            self._gate.permit(person, "account.get", await self._thing_of(account))
        return account

    async def page(self, call: Call, after: tuple[str, str], limit: int) -> list[Account]:
        """Up to `limit` accounts of the caller's agency, by name and id, that come after `after`."""
        person = await self._actor.signed_in(call, "account.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, after, limit)

    async def certify(self, call: Call, account_id: str, certification: Certification) -> Account:
        """The account with the certification on record."""
        details = {
            "certification": certification.kind.value,
            "valid_from": rfc3339(certification.valid_from),
            "valid_until": rfc3339(certification.valid_until),
            "reference": certification.reference,
        }
        return await self._change(
            call,
            account_id,
            Act("account.certify", Thing(), details),
            lambda intent, _: self._store.certify(intent, account_id, certification),
        )

    async def grant(self, call: Call, account_id: str, role: Role) -> Account:
        """The account with the role.

        Raises:
            WrongStateError: The role comes by appointment, or the agency has its statewide coordinator.
        """
        act = Act("account.grant", Thing(role=role.value), {"role": role.value})
        return await self._change(
            call,
            account_id,
            act,
            lambda intent, _: self._store.grant(intent, account_id, role),
            check=lambda _: _check_granted(role),
        )

    async def revoke(self, call: Call, account_id: str, role: Role) -> Account:
        """The account without the role. Raises WrongStateError for a role that comes by appointment."""
        act = Act("account.revoke", Thing(role=role.value), {"role": role.value})
        return await self._change(
            call,
            account_id,
            act,
            lambda intent, _: self._store.revoke(intent, account_id, role),
            check=lambda case: _check_taken(role, case),
        )

    async def vet(self, call: Call, account_id: str, vetting: Vetting) -> Account:
        """The account, whose holder may see data of other agencies (III.B.3.f).

        Raises:
            InvalidFieldError: The decision is over already.
        """
        details = {
            "document_sha256": vetting.document_sha256.hex(),
            "reference": vetting.reference,
            "valid_until": rfc3339(vetting.valid_until),
        }

        def check(case: _Case) -> None:
            if vetting.valid_until <= case.now:
                violation = FieldViolation("decision.valid_until", "must be in the future")
                raise InvalidFieldError("the decision is over already", violations=[violation])

        async def change(intent: str, by: str) -> None:
            await self._store.vet(intent, account_id, replace(vetting, decided_by=by))

        return await self._change(call, account_id, Act("account.vet", Thing(), details), change, check)

    async def unvet(self, call: Call, account_id: str, reason: str) -> Account:
        """The account, whose holder may see data of the own agency only."""
        return await self._change(
            call,
            account_id,
            Act("account.unvet", Thing(), {"reason": reason}),
            lambda intent, _: self._store.unvet(intent, account_id),
        )

    async def except_email(self, call: Call, account_id: str, exception: EmailException) -> Account:
        """The account, whose address counts for longer by a further approval (III.B.3.j).

        Raises:
            WrongStateError: The address is of the agency and needs none.
            InvalidFieldError: The approval is over, or counts for too long.
        """

        def check(case: _Case) -> None:
            if case.account.email_until is None:
                raise WrongStateError(
                    "this address is the agency's and needs no exception", resource=account_id
                )
            raise_violations(wrong_exception(exception, case.now))

        return await self._change(
            call,
            account_id,
            Act("account.except", Thing(), exception_details(exception)),
            lambda intent, _: self._store.except_email(intent, account_id, exception),
            check,
        )

    async def enable(self, call: Call, account_id: str) -> Account:
        """The account, enabled.

        Raises:
            WrongStateError: Something is missing; metadata `missing` lists it.
        """
        return await self._change(
            call,
            account_id,
            Act("account.enable", Thing(), {}),
            lambda intent, _: self._store.set_state(intent, account_id, AccountState.ENABLED),
            check=_check_complete,
        )

    async def suspend(self, call: Call, account_id: str, reason: str) -> Account:
        """The account, suspended."""
        return await self._change(
            call,
            account_id,
            Act("account.suspend", Thing(), {"reason": reason}),
            lambda intent, _: self._store.set_state(intent, account_id, AccountState.SUSPENDED),
        )

    async def end(self, call: Call, account_id: str, end_time: datetime | None, reason: str) -> Account:
        """The account, which ends then; None takes an end back.

        Raises:
            InvalidFieldError: The moment is past.
        """

        def check(case: _Case) -> None:
            if end_time is not None and end_time < case.now - _A_MINUTE:
                raise_violations([FieldViolation("end_time", "must not be past; for at once, suspend it")])

        details = {"end_time": rfc3339(end_time) if end_time else "none", "reason": reason}
        return await self._change(
            call,
            account_id,
            Act("account.end", Thing(), details),
            lambda intent, _: self._store.end(intent, account_id, end_time),
            check,
        )

    async def review(self, call: Call, account_id: str, finding: str) -> Account:
        """The account, reviewed by the caller."""
        return await self._change(
            call,
            account_id,
            Act("account.review", Thing(), {"finding": finding}),
            lambda intent, by: self._store.review(intent, account_id, by),
        )

    async def _change(
        self,
        call: Call,
        account_id: str,
        act: Act,
        change: Callable[[str, str], Awaitable[None]],
        check: Callable[[_Case], None] = lambda _: None,
    ) -> Account:
        attempt = Attempt("", act.action, resource=account_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = await self._people.account(account_id)
            unit = await self._people.unit_of(account.profile, self._clock.now())
            thing = await self._people.thing(account.profile, unit, account_id, account_id)
            thing = replace(thing, role=act.thing.role, head=Role.STATEWIDE_COORDINATOR in account.roles)
            self._gate.permit(person, act.action, thing)
            check(_Case(account, unit, self._clock.now()))
        by = person.account.account_id
        await self._actor.carry_out(
            replace(act, thing=thing), call, attempt, lambda intent: change(intent, by)
        )
        return await self._people.account(account_id)

    async def _stored(self, profile: Profile) -> Account:
        account = await self._store.by_identity(profile.issuer, profile.subject)
        if account is None:
            raise AccountNotFoundError("there is no such account")
        return account

    async def _thing_of(self, account: Account) -> Thing:
        unit = await self._people.unit_of(account.profile, self._clock.now())
        return await self._people.thing(account.profile, unit, account.account_id, account.account_id)

    async def _check_profile(
        self, profile: Profile, unit: Unit | None, exception: EmailException | None
    ) -> None:
        agency = await self._people.agency_of(profile)
        problems = [] if unit else [unknown_unit("account.unit")]
        problems += wrong_address("account.email", profile.email, agency, exception, self._clock.now())
        if profile.issuer != self._issuer:
            text = f"Tokens are accepted from {self._issuer} only."
            problems.append(FieldViolation("account.issuer", text))
        if problems:
            raise InvalidFieldError("the account cannot be made like this", violations=problems)


def _check_complete(case: _Case) -> None:
    lacking = missing(case.account, case.now)
    if case.unit is None or not case.unit.lets_in(case.account):
        lacking = tuple(sorted([*lacking, "unit_coordinator"]))
    if lacking:
        metadata = {"state": case.account.state.value, "missing": ",".join(lacking)}
        msg = f"the account is not complete; missing: {', '.join(lacking)}"
        raise WrongStateError(msg, metadata=metadata)


def _check_granted(role: Role) -> None:
    if role is Role.WORK_UNIT_COORDINATOR:
        msg = "this role comes with a commander's appointment, which AppointCoordinator records (III.C.1)"
        raise WrongStateError(msg, metadata={"clauses": "III.C.1"})


def _check_taken(role: Role, case: _Case) -> None:
    appointed = case.unit is not None and case.unit.appointee == case.account.account_id
    if role is Role.WORK_UNIT_COORDINATOR and appointed:
        msg = "this role goes with the appointment, which EndAppointment ends (III.C.1)"
        raise WrongStateError(msg, metadata={"clauses": "III.C.1"})


def _check_temporary(end_time: datetime | None, now: datetime, longest: timedelta) -> None:
    if end_time is not None and not now < end_time <= now + longest:
        hours = longest // timedelta(hours=1)
        text = f"must be ahead, by {hours} hours at most; an account for longer has no end"
        raise_violations([FieldViolation("account.end_time", text)])
