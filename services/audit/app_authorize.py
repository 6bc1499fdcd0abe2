"""Deciding and recording questions, acts, outcomes and events (ENF-051 IV.C.5, IV.C.6, IV.E.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.audit.app_gate import Attempt, Gate, Person
from services.audit.app_justification import check_justification, reasons
from services.audit.app_log import Draft, Log, Receipt
from services.audit.core.actions import may_record, needs_justification
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.justification import Justification, PurposeCode, Rules
from services.audit.core.person import Role
from services.audit.core.policy import Decision, Thing
from services.audit.core.question import AskedQuestion, Window, action_of, asked_text, window_of, within
from services.audit.core.question_kinds import MOTOR_CARRIER_KINDS
from services.audit.errors import EntryNotFoundError
from services.audit.store_log import StoredEntry
from services.audit.store_settings import SettingStore
from services.common.canonical import canonical_text
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError
from services.common.permit import Permit, permit_text

PERMIT_LIFE = timedelta(seconds=60)
_ANSWERED = frozenset({EntryKind.QUERY.value, EntryKind.INTENT.value})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks or acts."""

    account_id: str
    agency_ori: str
    roles: frozenset[Role]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to authorize a question; `problems` are what is wrong with its shape."""

    service: str
    request_id: str
    token: str
    justification: Justification
    question: AskedQuestion | None
    first_authorization_id: str
    problems: tuple[FieldViolation, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """An allowed question, on record, and the permit made from what was recorded."""

    authorization_id: str
    permit: str = field(repr=False)
    actor: Actor
    agency_oris: tuple[str, ...]
    window: Window
    expires_at: datetime


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


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms questions are allowed: settings, rules for justifications, the keys of permits."""

    settings: SettingStore
    rules: Rules
    permit_key: bytes = field(repr=False)
    mcs_permit_key: bytes = field(repr=False)

    def key_of(self, kind: str) -> bytes:
        """The key that signs permits of the kind: the Motor Carrier Safety data set has its own (III.E.5)."""
        return self.mcs_permit_key if kind in MOTOR_CARRIER_KINDS else self.permit_key


class Authorizer:
    """Decides questions: request shape, then token, then account and policy, then justification."""

    def __init__(self, journal: Log, gate: Gate, terms: Terms, clock: Clock) -> None:
        self._log = journal
        self._gate = gate
        self._settings = terms.settings
        self._rules = terms.rules
        self._clock = clock
        self._terms = terms

    def catalogue(self) -> Sequence[PurposeCode]:
        """The codes that a purpose may name, by code."""
        return tuple(self._rules.codes.values())

    async def authorize(self, asked: Asked) -> Authorization:
        """The authorization, on disk; the same one for a request that came before.

        Raises:
            InvalidFieldError, CaseNumberRequiredError, PurposeRequiredError: The request must change.
            UnauthenticatedError, NotPermittedError: The person may not ask this.
            RequestIdReusedError: The request id came before with other content.
            WrongStateError: The request came before, and its permit has ended.
            AuditUnavailableError: The decision could not be recorded.
        """
        attempt = Attempt(
            asked.service, "question", request_id=asked.request_id, **reasons(asked.justification)
        )
        async with self._gate.recording(attempt):
            if asked.problems or asked.question is None:
                raise InvalidFieldError("the question is not complete", violations=asked.problems)
            attempt.note(action=action_of(asked.question), question=asked_text(asked.question))
            person = await self._gate.person(asked.token, attempt)
            ori = person.account.profile.agency_ori
            decision = self._gate.permit(person, action_of(asked.question), Thing(agency=ori))
            check_justification(asked.justification, self._rules)
            await self._check_first(asked, person)
            window = await self._window(asked.question)
        content = {"asked": asked_text(asked.question), "first": asked.first_authorization_id}
        values = {
            **attempt.values(),
            "question": canonical_text(within(asked.question, window)),
            "window": f"{rfc3339(window.start)}/{rfc3339(window.end)}",
            "agency": ori,
            "subject": asked.first_authorization_id,
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            REQUEST_DIGEST: digest_of({**content, **reasons(asked.justification)}),
        }
        key = f"authorize/{asked.service}/{person.account.account_id}/{asked.request_id}"
        stored = await self._log.append(Draft(EntryKind.QUERY, key, values))
        return authorization_of(stored, actor_of(person), self._terms, self._clock.now())

    async def _check_first(self, asked: Asked, person: Person) -> None:
        """A further page cites a question of the same person through the same service."""
        if not asked.first_authorization_id:
            return
        first = await self._log.find(asked.first_authorization_id)
        owner = (EntryKind.QUERY.value, person.account.account_id, asked.service)
        found = first and tuple(first.entry.value(name) for name in ("kind", "actor", "service"))
        if found != owner:
            text = "This is not an authorization of yours; ask the question anew."
            violation = FieldViolation("first_authorization_id", text)
            raise InvalidFieldError("the first authorization is not known", violations=[violation])

    async def _window(self, question: AskedQuestion) -> Window:
        retention = await self._settings.retention()
        window = window_of(question, self._clock.now(), retention)
        if window.start >= window.end:
            text = f"Reads are kept {retention.days} days; choose an end after {rfc3339(window.start)}."
            raise InvalidFieldError("nothing is kept that long", violations=[FieldViolation("to", text)])
        return window


class Recorder:
    """Records acts, outcomes and events."""

    def __init__(self, journal: Log, gate: Gate, rules: Rules) -> None:
        self._log = journal
        self._gate = gate
        self._rules = rules

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
            return actor_of(person), self._gate.permit(person, intended.action, thing)
        attempt.note(actor=intended.service)
        decision = self._gate.permit_service(intended.service, intended.action, thing)
        return Actor(intended.service, "", frozenset()), decision

    def _check_justification(self, intended: Intended) -> None:
        """A reason that came is good enough, and came where the act needs one."""
        if intended.justification:
            check_justification(intended.justification, self._rules)
        elif needs_justification(intended.action):
            check_justification(Justification("", "", "", "", ""), self._rules)

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


def authorization_of(stored: StoredEntry, actor: Actor, terms: Terms, now: datetime) -> Authorization:
    """The authorization as its entry says, for the first request and for one that comes again alike.

    Raises:
        WrongStateError: Its permit has ended.
    """
    entry = stored.entry
    expires_at = stored.record_time + PERMIT_LIFE
    if expires_at <= now:
        msg = "this authorization has ended; ask again with a new request id"
        raise WrongStateError(msg, metadata={"state": "ENDED"})
    start, end = (datetime.fromisoformat(one) for one in entry.value("window").split("/"))
    text = entry.value("question")
    permit = Permit(
        permit_id=UUID(entry.entry_id),
        account_id=UUID(entry.value("actor")),
        kind=_kind_of(text),
        question_digest=sha256(text.encode()).digest(),
        agency_oris=tuple(entry.value("agency").split(",")),
        sensor_groups=(),
        from_time=start,
        to_time=end,
        expires_at=expires_at,
    )
    return Authorization(
        authorization_id=entry.entry_id,
        permit=permit_text(permit, terms.key_of(permit.kind)),
        actor=actor,
        agency_oris=permit.agency_oris,
        window=Window(start, end),
        expires_at=expires_at,
    )


def actor_of(person: Person) -> Actor:
    """The person as an actor."""
    account = person.account
    profile = account.profile
    return Actor(account.account_id, profile.agency_ori, account.roles, profile.unit)


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


def _kind_of(canonical: str) -> str:
    """The kind of a question, from the first line of its canonical text, "kind:5:plate"."""
    return canonical.partition("\n")[0].rpartition(":")[2]


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
