"""The office of the statewide coordinator: offered by its holder, taken by the successor (ENF-051 III.A)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Final

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.core.office import Offer, Office, unfit
from services.audit.core.person import Account
from services.audit.core.policy import Thing
from services.audit.errors import AccountNotFoundError, OfferNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_office import OfficeStore
from services.common.clock import Clock
from services.common.errors import WrongStateError

_NAMESPACE: Final = uuid.UUID("8e4f0b0c-2e8f-5a9b-9a53-0c5f7f0a6d21")


class Offices:
    """Keeps the office of each agency. Both sides of a hand-over are acts on record."""

    def __init__(
        self, gate: Gate, actor: Actor, store: OfficeStore, accounts: AccountStore, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def offer(self, call: Call, given: Offer) -> Offer:
        """The offer, which may be accepted from now on; an earlier one is over.

        Raises:
            AccountNotFoundError: The agency has no such account.
            WrongStateError: The successor may not hold the office; metadata `missing` says why.
        """
        successor = given.successor_account_id
        attempt = Attempt("", "office.offer", resource=successor, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            ori = person.account.profile.agency_ori
            thing = Thing(successor, agency=ori, person=successor)
            self._gate.permit(person, "office.offer", thing)
            account = await self._accounts.by_id(successor)
            if account is None or account.profile.agency_ori != ori:
                raise AccountNotFoundError("your agency has no such account", resource=successor)
            self._check_fit(account)
        holder = person.account.account_id
        # The id follows from the request, so that the intent can name it before it exists.
        offer_id = str(uuid.uuid5(_NAMESPACE, f"{holder}/{call.request_id}"))
        made = replace(given, offer_id=offer_id, agency_ori=ori, holder_account_id=holder)
        act = Act("office.offer", thing, {"offer": offer_id, **_details(made)})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.make_offer(intent, made))
        return await self._offer(offer_id)

    async def accept(self, call: Call, offer_id: str) -> Office:
        """The office, held by the caller from now on.

        Raises:
            OfferNotFoundError: Nothing of that id was offered to the caller.
            WrongStateError: The offer is over, or the caller may not hold the office (any more).
        """
        attempt = Attempt("", "office.accept", resource=offer_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account
            thing = Thing(offer_id, agency=own.profile.agency_ori, person=own.account_id)
            self._gate.permit(person, "office.accept", thing)
            offered = await self._offered(person, offer_id)
            self._check_fit(person.account)
            # Who asks again by the same request holds the office already, and is told so.
            held = (await self._store.office(offered.agency_ori)).holder_account_id
            if held != offered.successor_account_id and not offered.may_be_accepted(self._clock.now()):
                raise WrongStateError("the offer is over; ask for a new one", resource=offer_id)
        act = Act("office.accept", thing, {"former": offered.holder_account_id, **_details(offered)})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.accept(intent, offered))
        return await self._office(offered.agency_ori)

    async def get(self, call: Call) -> Office:
        """The office of the caller's agency, with an offer that may be accepted now."""
        person = await self._actor.signed_in(call, "office.get", Thing())
        return await self._office(person.account.profile.agency_ori)

    async def _office(self, ori: str) -> Office:
        found = await self._store.office(ori)
        fresh = found.offer is not None and found.offer.may_be_accepted(self._clock.now())
        return found if fresh else replace(found, offer=None)

    async def _offered(self, person: Person, offer_id: str) -> Offer:
        found = await self._store.offer(offer_id)
        if found is None or found.successor_account_id != person.account.account_id:
            raise OfferNotFoundError("there is no such offer to you", resource=offer_id)
        return found

    async def _offer(self, offer_id: str) -> Offer:
        found = await self._store.offer(offer_id)
        if found is None:
            raise OfferNotFoundError("there is no such offer", resource=offer_id)
        return found

    def _check_fit(self, account: Account) -> None:
        lacking = unfit(account, self._clock.now())
        if lacking:
            msg = f"this account may not hold the office; missing: {', '.join(lacking)}"
            raise WrongStateError(msg, metadata={"missing": ",".join(lacking)})


def _details(one: Offer) -> dict[str, str]:
    return {"official": one.official, "document_sha256": one.document_sha256.hex()}
