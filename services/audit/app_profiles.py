"""People's profiles corrected, and people moved between units (ENF-051 III.C.2.a, III.C.2.b)."""

from __future__ import annotations

from dataclasses import replace

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.app_people import People, unknown_unit, wrong_address
from services.audit.core.email import exception_details
from services.audit.core.person import Account, Profile, Role
from services.audit.core.policy import Thing
from services.audit.core.profile import Correction
from services.audit.core.unit import Unit
from services.audit.store_profiles import ProfileStore
from services.common.clock import Clock
from services.common.errors import FieldViolation, WrongStateError
from services.common.wire import raise_violations

_ACTION = "account.update"


class Profiles:
    """Corrects profiles. It is asked of the policies, recorded, made, and its outcome recorded."""

    def __init__(self, gate: Gate, actor: Actor, people: People, store: ProfileStore, clock: Clock) -> None:
        self._gate = gate
        self._actor = actor
        self._people = people
        self._store = store
        self._clock = clock

    async def update(self, call: Call, account_id: str, given: Correction) -> Account:
        """The account as corrected.

        Raises:
            AccountNotFoundError: There is no such account.
            InvalidFieldError: The address is of no domain of the agency and nothing excepts it (III.B.3.j),
                or the agency has no such unit.
            WrongStateError: Nobody coordinates the unit that it joins, metadata `missing`; its holder is
                appointed to coordinate the one that it leaves (III.C.1); it was changed meanwhile.
        """
        attempt = Attempt("", _ACTION, resource=account_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = await self._people.account(account_id)
            profile = given.wanted.of(account.profile)
            left, joined = await self._unit(account.profile), await self._unit(profile)
            thing = await self._thing(account, account.profile, left)
            self._gate.permit(person, _ACTION, thing)
            self._gate.permit(person, _ACTION, await self._thing(account, profile, joined))
            if given.exception:
                self._gate.permit(person, "account.except", thing)
            await self._check_fields(profile, joined, given)
            if joined and profile.unit != account.profile.unit:
                _check_move(account, left, joined)
        details = {**given.wanted.after(), "reason": given.reason, **exception_details(given.exception)}
        act = Act(_ACTION, thing, details, found=given.wanted.before(account.profile))
        has_email = bool(given.wanted.email)
        await self._actor.carry_out(
            act,
            call,
            attempt,
            lambda intent: self._store.update(
                intent, account_id, has_email=has_email, exception=given.exception
            ),
        )
        return await self._people.account(account_id)

    async def _unit(self, profile: Profile) -> Unit | None:
        return await self._people.unit_of(profile, self._clock.now())

    async def _thing(self, account: Account, profile: Profile, unit: Unit | None) -> Thing:
        thing = await self._people.thing(profile, unit, account.account_id, account.account_id)
        return replace(thing, head=Role.STATEWIDE_COORDINATOR in account.roles)

    async def _check_fields(self, profile: Profile, joined: Unit | None, given: Correction) -> None:
        wrong: list[FieldViolation] = []
        if given.wanted.email:
            agency = await self._people.agency_of(profile)
            wrong += wrong_address("email", profile.email, agency, given.exception, self._clock.now())
        if given.wanted.unit and joined is None:
            wrong.append(unknown_unit("unit"))
        raise_violations(wrong)


def _check_move(account: Account, left: Unit | None, joined: Unit) -> None:
    if left and left.appointee == account.account_id:
        msg = (
            "whoever coordinates a unit stays in it until EndAppointment has ended the appointment (III.C.1)"
        )
        raise WrongStateError(msg, resource=account.account_id, metadata={"clauses": "III.C.1"})
    if not joined.lets_in(account):
        msg = "nobody coordinates the unit; its commander appoints somebody first (III.C.1)"
        metadata = {"clauses": "III.C.1", "missing": "unit_coordinator"}
        raise WrongStateError(msg, resource=joined.code, metadata=metadata)
