"""Requests of government entities: recorded by coordinators, decided at the head of the agency (IV.B.3)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.audit.app_act import Act, Call
from services.audit.app_gate import Attempt
from services.audit.app_records import Means
from services.audit.core.entry import rfc3339
from services.audit.core.government_request import LONGEST_GRANT, Decided, GovernmentRequest, RequestDecision
from services.audit.core.justification import Justification, Rules, prohibition
from services.audit.core.policy import Thing
from services.audit.store_government import GovernmentStore
from services.common.errors import FieldViolation, NotPermittedError
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("7d8d5a5e-33a3-5a1c-9a5f-1d3f6f2f9c11")


class GovernmentRequests:
    """Keeps requests and decisions."""

    def __init__(self, means: Means, store: GovernmentStore, rules: Rules) -> None:
        self._gate, self._actor, self._clock = means.gate, means.actor, means.clock
        self._store = store
        self._rules = rules

    async def record(self, call: Call, given: GovernmentRequest) -> GovernmentRequest:
        """The request, which waits for a decision.

        Raises:
            InvalidFieldError: It came in later than now.
            WrongStateError: Its document is on record already.
        """
        attempt = Attempt("", "government_request.record", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account = person.account
            name = str(uuid.uuid5(_NAMESPACE, f"{account.account_id}/{call.request_id}"))
            thing = Thing(name, agency=account.profile.agency_ori)
            self._gate.permit(person, "government_request.record", thing)
            if given.receive_time > self._clock.now():
                raise_violations([FieldViolation("government_request.receive_time", "must not be ahead")])
        made = replace(given, request_id=name, agency_ori=thing.agency)
        act = Act("government_request.record", thing, _details(made), {"purpose": made.purpose})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.record(intent, made))
        return await self._store.by_id(name)

    async def decide(self, call: Call, request_id: str, given: Decided) -> GovernmentRequest:
        """The request with the decision.

        Raises:
            RecordNotFoundError: There is no such request.
            NotPermittedError: It would be granted for a use that the law forbids.
            WrongStateError: It has been decided on.
        """
        attempt = Attempt("", "government_request.decide", resource=request_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            # Who may decide on none is not told which there are.
            own = person.account.profile.agency_ori
            self._gate.permit(person, "government_request.decide", Thing(request_id, agency=own))
            found = await self._store.by_id(request_id)
            thing = Thing(request_id, agency=found.agency_ori)
            self._gate.permit(person, "government_request.decide", thing)
            if given.decision is RequestDecision.GRANTED:
                self._check_grant(found, given)
        by = person.account.account_id
        details = {
            "decision": given.decision.value,
            "reason": given.reason,
            "valid_until": rfc3339(given.valid_until) if given.valid_until else "none",
            "document_sha256": found.document_sha256.hex(),
        }
        act = Act("government_request.decide", thing, details)
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.decide(intent, request_id, by, given)
        )
        return await self._store.by_id(request_id)

    async def page(self, call: Call, before: tuple[datetime, str], limit: int) -> list[GovernmentRequest]:
        """Up to `limit` requests to the caller's agency, newest first."""
        person = await self._actor.signed_in(call, "government_request.list", Thing())
        return await self._store.page(person.account.profile.agency_ori, before, limit)

    def _check_grant(self, found: GovernmentRequest, given: Decided) -> None:
        now = self._clock.now()
        if given.valid_until is None or not now < given.valid_until <= now + LONGEST_GRANT:
            text = f"must be ahead, by {LONGEST_GRANT.days} days at most"
            raise_violations([FieldViolation("valid_until", text)])
        about = prohibition(Justification("", "", found.entity, found.purpose, ""), self._rules)
        if about:
            msg = f"625 ILCS 5/2-130 forbids the use of plate readers for {about}"
            raise NotPermittedError(msg, metadata={"clauses": "IV.A.1", "law": "625 ILCS 5/2-130"})


def _details(one: GovernmentRequest) -> Mapping[str, str]:
    return {
        "entity": one.entity,
        "entity_type": one.entity_type,
        "person": one.person,
        "document_sha256": one.document_sha256.hex(),
        "receive_time": rfc3339(one.receive_time),
    }
