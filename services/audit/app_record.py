"""Recording acts, outcomes and events (ENF-051 IV.C.5, IV.C.6, IV.E.2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.app_authorize import Actor, actor_of
from services.audit.app_gate import Attempt, Gate
from services.audit.app_justification import check_justification, reasons
from services.audit.app_log import Draft, Log, Receipt
from services.audit.core.actions import may_record, needs_justification
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.government_request import LEAVING
from services.audit.core.justification import Justification, Rules
from services.audit.core.policy import Decision, Thing
from services.audit.errors import EntryNotFoundError
from services.audit.store_government import GovernmentStore
from services.audit.store_log import StoredEntry
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ANSWERED = frozenset({EntryKind.QUERY.value, EntryKind.INTENT.value})


@dataclass(frozen=True, slots=True)
class Intended:
    """A request to record an intent; `token` is "" when the service acts by itself.

    `person` and `unit` are whose the resource is; `justification` is None when none came.
    """

    service: str
    request_id: str
    token: str
    action: str
    resource: str
    resource_agency_ori: str
    details: Mapping[str, str]
    problems: tuple[FieldViolation, ...]
    justification: Justification | None = None
    person: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A request to record an outcome."""

    service: str
    request_id: str
    subject_id: str
    result: str
    row_count: int
    rows_digest: bytes
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that has happened in a service."""

    service: str
    event_id: str
    action: str
    resource: str
    agency_ori: str
    event_time: datetime
    details: Mapping[str, str]


class Recorder:
    """Records acts, outcomes and events."""

    def __init__(self, journal: Log, gate: Gate, rules: Rules, government: GovernmentStore) -> None:
        self._log = journal
        self._gate = gate
        self._rules = rules
        self._government = government

    async def intent(self, intended: Intended) -> tuple[StoredEntry, Actor]:
        """The intent, on disk, and who acts; the same one for a request that came before.

        Raises:
            InvalidFieldError, CaseNumberRequiredError, PurposeRequiredError: The request must change.
            UnauthenticatedError, NotPermittedError: The act is not allowed.
            RequestIdReusedError: The request id came before with other content.
            AuditUnavailableError: It could not be recorded.
        """
        named = {"resource": intended.resource, "agency": intended.resource_agency_ori}
        why = reasons(intended.justification) if intended.justification else {}
        attempt = Attempt(intended.service, intended.action, request_id=intended.request_id, **named, **why)
        async with self._gate.recording(attempt):
            actor, decision = await self._decide(intended, attempt)
            self._check_justification(intended)
            await self._check_granted(intended, actor)
        content = {"action": intended.action, **named, **why, **_details(intended.details)}
        values = {
            **attempt.values(),
            **_details(intended.details),
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            REQUEST_DIGEST: digest_of(content),
        }
        key = f"intent/{intended.service}/{actor.account_id}/{intended.request_id}"
        return await self._log.append(Draft(EntryKind.INTENT, key, values)), actor

    async def _decide(self, intended: Intended, attempt: Attempt) -> tuple[Actor, Decision]:
        """Who acts, person or service, and the decision that allows it."""
        if intended.problems:
            raise InvalidFieldError("the intent is not complete", violations=intended.problems)
        if not may_record(intended.service, intended.action):
            text = "This service has no such action; audit's README lists those there are."
            raise InvalidFieldError("there is no such action", violations=[FieldViolation("action", text)])
        thing = Thing(
            name=intended.resource,
            agency=intended.resource_agency_ori,
            unit=intended.unit,
            person=intended.person,
        )
        if intended.token:
            person = await self._gate.person(intended.token, attempt)
            decision = self._gate.permit(person, intended.action, thing)
            if intended.justification:
                self._gate.check_offence(person, intended.justification.offence_code)
            return actor_of(person), decision
        attempt.note(actor=intended.service)
        decision = self._gate.permit_service(intended.service, intended.action, thing)
        return Actor(intended.service, "", frozenset()), decision

    def _check_justification(self, intended: Intended) -> None:
        """A reason that came is good enough, and came where the act needs one."""
        if intended.justification:
            check_justification(intended.justification, self._rules)
        elif needs_justification(intended.action):
            check_justification(Justification("", "", "", "", ""), self._rules)

    async def _check_granted(self, intended: Intended, actor: Actor) -> None:
        """What goes to a government entity answers a granted request (IV.B.3). Raises WrongStateError."""
        if intended.action not in LEAVING:
            return
        digest = intended.details.get("request_sha256", "")
        document = bytes.fromhex(digest) if _SHA256.fullmatch(digest) else b""
        if not await self._government.is_granted(actor.agency_ori, document):
            msg = (
                "No granted request with this document is on record. Have the request recorded and decided "
                "on first: platewarden request record, platewarden request decide (IV.B.3)."
            )
            raise WrongStateError(msg, metadata={"state": "NOT_GRANTED", "clauses": "IV.B.3"})

    async def outcome(self, ended: Ended) -> tuple[Receipt, Receipt]:
        """Receipts of subject and outcome, once the outcome is on disk.

        Raises:
            EntryNotFoundError: The calling service has no such authorization or intent.
            RequestIdReusedError: The request id came before with other content.
            AuditUnavailableError: It could not be recorded.
        """
        subject = await self._log.find(ended.subject_id)
        if (
            subject is None
            or subject.entry.value("service") != ended.service
            or subject.entry.value("kind") not in _ANSWERED
        ):
            raise EntryNotFoundError("there is no such authorization or intent", resource=ended.subject_id)
        outcome = await self._log.append(outcome_of(subject, ended))
        return await self._log.receipt(subject), await self._log.receipt(outcome)

    async def events(self, happened: Sequence[Happened]) -> int:
        """The log's size after all events are on disk, in their order.

        Raises:
            RequestIdReusedError: An event id came before with other content.
            AuditUnavailableError: They could not all be recorded; send them again.
        """
        await asyncio.gather(*(self._log.append(_event(one)) for one in happened))
        return (await self._log.checkpoint()).size


def outcome_of(subject: StoredEntry, ended: Ended) -> Draft:
    """The entry that says how `subject` ended."""
    content = {
        "subject": ended.subject_id,
        "result": ended.result,
        "row_count": str(ended.row_count) if subject.entry.value("kind") == EntryKind.QUERY else "",
        "rows_digest": ended.rows_digest.hex(),
        **_details(ended.details),
    }
    named = {
        name: subject.entry.value(name) for name in ("actor", "actor_agency", "action", "resource", "agency")
    }
    values = {
        **named,
        **content,
        "request_id": ended.request_id,
        "service": ended.service,
        REQUEST_DIGEST: digest_of(content),
    }
    return Draft(EntryKind.OUTCOME, f"outcome/{ended.service}/{ended.request_id}", values)


def _event(one: Happened) -> Draft:
    content = {
        "action": one.action,
        "resource": one.resource,
        "agency": one.agency_ori,
        "detail.event_time": rfc3339(one.event_time),
        **_details(one.details),
    }
    values = {
        **content,
        "request_id": one.event_id,
        "service": one.service,
        "actor": one.service,
        REQUEST_DIGEST: digest_of(content),
    }
    return Draft(EntryKind.EVENT, f"event/{one.service}/{one.event_id}", values)


def _details(details: Mapping[str, str]) -> dict[str, str]:
    return {f"detail.{name}": value for name, value in details.items()}
