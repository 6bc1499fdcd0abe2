"""Documents: published by the agency, acknowledged by its people (ENF-051 III.B.3.b, III.D.2, III.E.3)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Final

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.core.document import Document, DocumentKind, Duty
from services.audit.core.entry import rfc3339
from services.audit.core.person import MOTOR_CARRIER_ROLES
from services.audit.core.policy import Thing
from services.audit.errors import DocumentNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_documents import DocumentStore, Reading
from services.common.clock import Clock

_NAMESPACE: Final = uuid.UUID("5d0e0c52-64c5-5b6e-8d0f-1c8a7d1c9e43")
_MOTOR_CARRIER: Final = DocumentKind.MOTOR_CARRIER_GUIDELINES
# Motor Carrier Safety is governed by its own people.
_PREFIX: Final = {False: "", True: "mcs_"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A version as it concerns one person."""

    document: Document
    duty: Duty
    in_force: bool
    required: bool


class Documents:
    """Keeps documents. Reading and acknowledging is open to everybody with an account."""

    def __init__(
        self, gate: Gate, actor: Actor, store: DocumentStore, accounts: AccountStore, clock: Clock
    ) -> None:
        self._gate = gate
        self._actor = actor
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def publish(self, call: Call, given: Document) -> Document:
        """The version as stored.

        Raises:
            DocumentExistsError: The agency has it, or another one from the same moment on.
        """
        action = f"{_PREFIX[given.kind is _MOTOR_CARRIER]}document.publish"
        attempt = Attempt("", action, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            # The id follows from the request, so that the intent can name it before it exists.
            name = str(uuid.uuid5(_NAMESPACE, f"{person.account.account_id}/{call.request_id}"))
            thing = Thing(name, agency=person.account.profile.agency_ori)
            self._gate.permit(person, action, thing)
        made = replace(given, document_id=name, agency_ori=thing.agency, publish_time=self._clock.now())
        act = Act(action, thing, _details(made), {"text": made.shown})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.publish(intent, made))
        return await self._document(name, thing.agency)

    async def listed(self, call: Call) -> list[Listed]:
        """The agency's versions as they concern the caller."""
        attempt = Attempt("", "document.list")
        async with self._gate.recording(attempt):
            person = await self._own(call, "document.list", attempt)
        return await self._for(person)

    async def acknowledge(self, call: Call, document_id: str) -> Listed:
        """The version, acknowledged by the caller.

        Raises:
            DocumentNotFoundError: The agency has no such document.
        """
        attempt = Attempt("", "document.acknowledge", resource=document_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._own(call, "document.acknowledge", attempt)
            profile = person.account.profile
            document = await self._document(document_id, profile.agency_ori)
        thing = Thing(document_id, agency=profile.agency_ori, person=person.account.account_id)
        details = {
            "kind": document.kind.value,
            "version": document.version,
            "sha256": document.sha256.hex(),
        }
        now = self._clock.now()
        await self._actor.carry_out(
            Act("document.acknowledge", thing, details),
            call,
            attempt,
            lambda intent: self._store.acknowledge(intent, document_id, person.account.account_id, now),
        )
        return next(one for one in await self._for(person) if one.document.document_id == document_id)

    async def readers(
        self, call: Call, document_id: str, after: tuple[str, str], limit: int
    ) -> list[Reading]:
        """Up to `limit` people of the caller's agency, with and without an acknowledgement.

        Raises:
            DocumentNotFoundError: The agency has no such document.
        """
        attempt = Attempt("", "document.readers", resource=document_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            ori = person.account.profile.agency_ori
            document = await self._document(document_id, ori)
            action = f"{_PREFIX[document.kind is _MOTOR_CARRIER]}document.readers"
            self._gate.permit(person, action, Thing(document_id, agency=ori))
        return await self._store.readers(ori, document_id, after, limit)

    async def _own(self, call: Call, action: str, attempt: Attempt) -> Person:
        person = await self._gate.person(call.token, attempt)
        own = Thing(person=person.account.account_id, agency=person.account.profile.agency_ori)
        self._gate.permit(person, action, own)
        return person

    async def _for(self, person: Person) -> list[Listed]:
        account = await self._accounts.by_id(person.account.account_id) or person.account
        now, spared = self._clock.now(), not account.roles & MOTOR_CARRIER_ROLES
        duties = {duty.document_id: duty for duty in account.duties}
        return [
            Listed(one, duty, duty.in_force(now), not (spared and one.kind is _MOTOR_CARRIER))
            for one in await self._store.of_agency(account.profile.agency_ori)
            if (duty := duties.get(one.document_id))
        ]

    async def _document(self, document_id: str, ori: str) -> Document:
        found = await self._store.by_id(document_id)
        if found is None or found.agency_ori != ori:
            raise DocumentNotFoundError("your agency has no such document", resource=document_id)
        return found


def _details(one: Document) -> dict[str, str]:
    return {
        "kind": one.kind.value,
        "version": one.version,
        "title": one.title,
        "sha256": one.sha256.hex(),
        "effective_time": rfc3339(one.effective_time),
        "acknowledged_days": str(one.acknowledged_days),
    }
