"""Incidents, contracts and requests for support (ENF-051 III.B.2, III.B.3.c, III.E.2, IV.F)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.core.records import (
    Contacts,
    Contract,
    Incident,
    IncidentNotice,
    SupportRequest,
    Use,
)
from services.audit.core.registry import Partition
from services.audit.errors import RecordNotFoundError
from services.audit.store_agreements import AgreementStore
from services.audit.store_records import Before, ContractStore, IncidentStore, SupportStore
from services.audit.store_use import UseStore
from services.common.clock import Clock
from services.common.errors import FieldViolation, WrongStateError
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("f0a7d3b5-8b8e-5c56-9d55-3b7b90b4f9a2")
_ALL: Final = ("", 1000)
# Motor Carrier Safety is governed by its own people.
_PREFIX: Final = {Partition.GENERAL: "", Partition.MOTOR_CARRIER: "mcs_"}


@dataclass(frozen=True, slots=True)
class Means:
    """What acts on records are made with."""

    gate: Gate
    actor: Actor
    clock: Clock


class _Records:
    """One kind of record of an agency."""

    def __init__(self, means: Means) -> None:
        self._gate = means.gate
        self._actor = means.actor
        self._clock = means.clock

    @asynccontextmanager
    async def _permitted(self, call: Call, attempt: Attempt, action: str) -> AsyncIterator[Person]:
        """The person, who may do `action`; what is refused inside is recorded as well."""
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, action, Thing(agency=_agency(person)))
            yield person

    async def _do(
        self, call: Call, attempt: Attempt, act: Act, change: Callable[[str], Awaitable[None]]
    ) -> None:
        await self._actor.carry_out(act, call, attempt, change)

    def _own(self, person: Person, ori: str, record_id: str) -> None:
        if ori != _agency(person):
            raise RecordNotFoundError("your agency has no such record", resource=record_id)


class Incidents(_Records):
    """Keeps incidents, with the clock of an hour."""

    def __init__(
        self, means: Means, store: IncidentStore, agreements: AgreementStore, contacts: Contacts
    ) -> None:
        super().__init__(means)
        self._store = store
        self._agreements = agreements
        self.contacts = contacts

    def now(self) -> datetime:
        """The moment at which clocks are read."""
        return self._clock.now()

    async def open(self, call: Call, given: Incident) -> tuple[Incident, list[str]]:
        """The incident, and the ORIs of the agencies that data are shared with.

        Raises:
            InvalidFieldError: It was noticed ahead of now, or too long ago.
        """
        attempt = Attempt("", "incident.open", request_id=call.request_id)
        async with self._permitted(call, attempt, "incident.open") as person:
            now, ori = self._clock.now(), _agency(person)
            if not given.is_fresh(now):
                text = "must be within the last 30 days, and not ahead"
                raise_violations([FieldViolation("discover_time", text)])
        made = replace(given, incident_id=_new_id(person, call), agency_ori=ori, open_time=now)
        details = {"kind": made.kind.value, "discover_time": rfc3339(made.discover_time)}
        words = {"summary": made.summary}
        act = Act("incident.open", Thing(made.incident_id, agency=ori), details, words)
        await self._do(call, attempt, act, lambda intent: self._store.insert(intent, made))
        return await self._store.by_id(made.incident_id), await self._partners(ori)

    async def tell(self, call: Call, incident_id: str, given: IncidentNotice) -> Incident:
        """The incident, with the notice.

        Raises:
            RecordNotFoundError: The agency has no such incident.
            WrongStateError: It is closed.
        """
        attempt = Attempt("", "incident.tell", resource=incident_id, request_id=call.request_id)
        async with self._permitted(call, attempt, "incident.tell") as person:
            self._own(person, (await self._store.by_id(incident_id)).agency_ori, incident_id)
        made = replace(given, notice_time=self._clock.now(), account_id=person.account.account_id)
        details = {"recipient": made.recipient.value, "name": made.name, "way": made.way}
        act = Act("incident.tell", Thing(incident_id, agency=_agency(person)), details)
        await self._do(call, attempt, act, lambda intent: self._store.tell(intent, incident_id, made))
        return await self._store.by_id(incident_id)

    async def close(self, call: Call, incident_id: str, finding: str) -> Incident:
        """The incident, closed.

        Raises:
            RecordNotFoundError: The agency has no such incident.
            WrongStateError: It is closed already, or the CJIS agency coordinator was not told.
        """
        attempt = Attempt("", "incident.close", resource=incident_id, request_id=call.request_id)
        async with self._permitted(call, attempt, "incident.close") as person:
            found = await self._store.by_id(incident_id)
            self._own(person, found.agency_ori, incident_id)
            if found.told_time is None:
                text = "the CJIS agency coordinator has not been told; record that notice first"
                raise WrongStateError(text, resource=incident_id)
        thing, words = Thing(incident_id, agency=found.agency_ori), {"finding": finding}
        act = Act("incident.close", thing, {}, words)
        now = self._clock.now()
        await self._do(
            call, attempt, act, lambda intent: self._store.close(intent, incident_id, finding, now)
        )
        return await self._store.by_id(incident_id)

    async def page(self, call: Call, before: Before, limit: int) -> list[Incident]:
        """Up to `limit` incidents of the agency, newest first."""
        person = await self._actor.signed_in(call, "incident.list", Thing())
        return await self._store.page(_agency(person), before, limit)

    async def _partners(self, ori: str) -> list[str]:
        now = self._clock.now()
        after, size = "00000000-0000-0000-0000-000000000000", _ALL[1]
        running = [one for one in await self._agreements.page(ori, after, size) if one.is_active(now)]
        parties = {one.terms.provider_ori for one in running} | {one.terms.recipient_ori for one in running}
        return sorted(parties - {ori})


class Contracts(_Records):
    """Keeps contracts, and counts the use that they are about."""

    def __init__(self, means: Means, store: ContractStore, use: UseStore) -> None:
        super().__init__(means)
        self._store = store
        self._use = use

    def now(self) -> datetime:
        """The moment at which contracts stand as they do."""
        return self._clock.now()

    async def record(self, call: Call, given: Contract) -> Contract:
        """The contract as stored."""
        action = f"{_PREFIX[given.partition]}contract.record"
        attempt = Attempt("", action, request_id=call.request_id)
        async with self._permitted(call, attempt, action) as person:
            made = replace(given, contract_id=_new_id(person, call), agency_ori=_agency(person))
        details = {
            "kind": made.kind.value,
            "party": made.party,
            "document_sha256": made.document_sha256.hex(),
            "start_time": rfc3339(made.start_time),
            "end_time": rfc3339(made.end_time),
            "partition": made.partition.value,
        }
        words = {"subject": made.subject, "warning_days": str(made.warning_days)}
        act = Act(action, Thing(made.contract_id, agency=made.agency_ori), details, words)
        await self._do(call, attempt, act, lambda intent: self._store.insert(intent, made))
        return await self._store.by_id(made.contract_id)

    async def listed(self, call: Call) -> list[Contract]:
        """The agency's contracts by their end."""
        person = await self._actor.signed_in(call, "contract.list", Thing())
        return await self._store.of_agency(_agency(person))

    async def use(self, call: Call, contract_id: str, first: datetime, end: datetime) -> tuple[Contract, Use]:
        """How the Motor Carrier Safety system was used from `first` to before `end`, for its lessor.

        Raises:
            RecordNotFoundError: The agency has no such contract.
            WrongStateError: It is about something else.
        """
        attempt = Attempt("", "mcs_contract.use", resource=contract_id)
        async with self._permitted(call, attempt, "mcs_contract.use") as person:
            found = await self._store.by_id(contract_id)
            self._own(person, found.agency_ori, contract_id)
            if found.partition is not Partition.MOTOR_CARRIER:
                text = "use is reported for contracts of the Motor Carrier Safety system"
                raise WrongStateError(text, resource=contract_id)
        act = Act(
            "mcs_contract.use",
            Thing(contract_id, agency=found.agency_ori),
            {"from": rfc3339(first), "to": rfc3339(end)},
        )
        used: list[Use] = []

        async def count(_: str) -> None:
            used.append(await self._use.of(found.agency_ori, first, end))

        await self._do(replace(call, request_id=str(uuid.uuid4())), attempt, act, count)
        return found, used[0]


class Support(_Records):
    """Keeps requests for support."""

    def __init__(self, means: Means, store: SupportStore, contacts: Contacts) -> None:
        super().__init__(means)
        self._store = store
        self.contacts = contacts

    async def request(self, call: Call, given: SupportRequest) -> SupportRequest:
        """The request as stored."""
        attempt = Attempt("", "support.request", request_id=call.request_id)
        async with self._permitted(call, attempt, "support.request") as person:
            made = replace(
                given,
                support_request_id=_new_id(person, call),
                agency_ori=_agency(person),
                open_time=self._clock.now(),
                account_id=person.account.account_id,
            )
        act = Act(
            "support.request",
            Thing(made.support_request_id, agency=made.agency_ori),
            {"category": made.category.value},
            {"details": made.details},
        )
        await self._do(call, attempt, act, lambda intent: self._store.insert(intent, made))
        return await self._store.by_id(made.support_request_id)

    async def close(self, call: Call, request_id: str, resolution: str) -> SupportRequest:
        """The request, closed.

        Raises:
            RecordNotFoundError: The agency has no such request.
            WrongStateError: It is closed already.
        """
        attempt = Attempt("", "support.close", resource=request_id, request_id=call.request_id)
        async with self._permitted(call, attempt, "support.close") as person:
            self._own(person, (await self._store.by_id(request_id)).agency_ori, request_id)
        now = self._clock.now()
        thing, words = Thing(request_id, agency=_agency(person)), {"resolution": resolution}
        act = Act("support.close", thing, {}, words)
        await self._do(
            call, attempt, act, lambda intent: self._store.close(intent, request_id, resolution, now)
        )
        return await self._store.by_id(request_id)

    async def page(self, call: Call, before: Before, limit: int) -> list[SupportRequest]:
        """Up to `limit` requests of the agency, newest first."""
        person = await self._actor.signed_in(call, "support.list", Thing())
        return await self._store.page(_agency(person), before, limit)


def _agency(person: Person) -> str:
    return person.account.profile.agency_ori


def _new_id(person: Person, call: Call) -> str:
    # It follows from the request, so that the intent can name it before it exists.
    return str(uuid.uuid5(_NAMESPACE, f"{person.account.account_id}/{call.request_id}"))
