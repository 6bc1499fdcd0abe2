"""Agreements between agencies: one party proposes, the other accepts, either ends (ENF-051 III.B.1)."""

from __future__ import annotations

import uuid
from typing import Final

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate
from services.audit.core.agreement import Agreement, AgreementState, Terms
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.errors import AgreementNotFoundError
from services.audit.store_agreements import AgreementStore

_NAMESPACE: Final = uuid.UUID("c8a1f0c2-5a0f-5d0e-9f43-6b1a7c2e90d4")


class Agreements:
    """Keeps agreements. The policies see each act as a matter of the agency that may do it."""

    def __init__(self, gate: Gate, actor: Actor, store: AgreementStore) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store

    async def propose(self, call: Call, terms: Terms) -> Agreement:
        """The agreement, which waits for the other party.

        Raises:
            AgencyNotFoundError: A party is not registered.
        """
        attempt = Attempt("", "agreement.propose", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account.profile.agency_ori
            # The id follows from the request, so that the intent can name it before it exists.
            name = f"{person.account.account_id}/{call.request_id}"
            thing = Thing(str(uuid.uuid5(_NAMESPACE, name)), agency=terms.party(own))
            self._gate.permit(person, "agreement.propose", thing)
        agreement = Agreement(thing.name, terms, AgreementState.PROPOSED, own)
        act = Act("agreement.propose", thing, _details(terms))
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.propose(intent, agreement))
        return await self._agreement(thing.name)

    async def accept(self, call: Call, agreement_id: str) -> Agreement:
        """The agreement, accepted by the party that did not propose it.

        Raises:
            AgreementNotFoundError: There is none.
            WrongStateError: It is no proposal any more.
        """
        attempt = Attempt("", "agreement.accept", resource=agreement_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            before = await self._agreement(agreement_id)
            thing = Thing(agreement_id, agency=before.terms.other_party(before.proposed_by_ori))
            self._gate.permit(person, "agreement.accept", thing)
        return await self._move(call, attempt, thing, AgreementState.ACCEPTED, _details(before.terms))

    async def end(self, call: Call, agreement_id: str, reason: str) -> Agreement:
        """The agreement, ended by either party.

        Raises:
            AgreementNotFoundError: There is none.
            WrongStateError: It has ended.
        """
        attempt = Attempt("", "agreement.end", resource=agreement_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            before = await self._agreement(agreement_id)
            thing = Thing(agreement_id, agency=before.terms.party(person.account.profile.agency_ori))
            self._gate.permit(person, "agreement.end", thing)
        return await self._move(call, attempt, thing, AgreementState.ENDED, {"reason": reason})

    async def page(self, call: Call, after: str, limit: int) -> list[Agreement]:
        """Up to `limit` agreements of the caller's agency whose id comes after `after`."""
        person = await self._actor.signed_in(call, "agreement.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, after, limit)

    async def _move(
        self, call: Call, attempt: Attempt, thing: Thing, state: AgreementState, details: dict[str, str]
    ) -> Agreement:
        action = "agreement.accept" if state is AgreementState.ACCEPTED else "agreement.end"
        await self._actor.carry_out(
            Act(action, thing, details),
            call,
            attempt,
            lambda intent: self._store.move(intent, thing.name, state),
        )
        return await self._agreement(thing.name)

    async def _agreement(self, agreement_id: str) -> Agreement:
        found = await self._store.by_id(agreement_id)
        if found is None:
            raise AgreementNotFoundError("there is no such agreement", resource=agreement_id)
        return found


def _details(terms: Terms) -> dict[str, str]:
    return {
        "provider": terms.provider_ori,
        "recipient": terms.recipient_ori,
        "data_classes": ",".join(terms.data_classes),
        "document_sha256": terms.document_sha256.hex(),
        "start_time": rfc3339(terms.start_time),
        "end_time": rfc3339(terms.end_time),
    }
