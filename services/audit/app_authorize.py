"""Deciding and recording questions, acts, outcomes and events (ENF-051 IV.C.5, IV.C.6, IV.E.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.audit.app_gate import Attempt, Gate, Person
from services.audit.app_justification import check_case, check_justification, reasons
from services.audit.app_log import Draft, Log
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.justification import Justification, PurposeCode, Rules
from services.audit.core.person import Account, Role
from services.audit.core.policy import Thing
from services.audit.core.question import (
    AskedAlerts,
    AskedArchive,
    AskedQuestion,
    Window,
    action_of,
    asked_text,
    window_of,
    within,
)
from services.audit.core.question_kinds import MOTOR_CARRIER_KINDS
from services.audit.core.scope import Reach, Scope, scope_in, scope_of, scope_values
from services.audit.errors import RegistryMovedError
from services.audit.remembered import Found, Remembered
from services.audit.store_log import StoredEntry
from services.audit.store_scope import ScopeStore
from services.audit.store_settings import SettingStore
from services.common.canonical import canonical_text
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError
from services.common.permit import Permit, permit_text

PERMIT_LIFE = timedelta(seconds=60)
# While the registry changes again and again, it is read for each question.
_ASSUMING_TRIES = 2


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
    case_check: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An allowed question, on record, and the permit made from what was recorded."""

    authorization_id: str
    permit: str = field(repr=False)
    actor: Actor
    scope: Scope
    window: Window
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms questions are allowed: settings, rules for justifications, the keys of permits."""

    settings: SettingStore
    scopes: ScopeStore
    remembered: Remembered
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
        self._scopes = terms.scopes
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
        for _ in range(_ASSUMING_TRIES):
            try:
                return await self._authorize(asked, assuming=True)
            except RegistryMovedError:
                self._terms.remembered.newest = None
        return await self._authorize(asked, assuming=False)

    async def _authorize(self, asked: Asked, *, assuming: bool) -> Authorization:
        """As `authorize`; a decision that is assumed to be right counts only if the log agrees to that.

        Raises:
            RegistryMovedError: The registry has changed meanwhile; nothing is recorded.
        """
        attempt = Attempt(
            asked.service, "question", request_id=asked.request_id, **reasons(asked.justification)
        )
        attempt.note(**{"detail.case_check": asked.case_check})
        async with self._gate.recording(attempt):
            if asked.problems or asked.question is None:
                raise InvalidFieldError("the question is not complete", violations=asked.problems)
            attempt.note(action=action_of(asked.question), question=asked_text(asked.question))
            person = await self._gate.person(asked.token, attempt, assuming=assuming)
            ori = person.account.profile.agency_ori
            decision = self._gate.permit(person, action_of(asked.question), Thing(agency=ori))
            check_justification(asked.justification, self._rules)
            self._gate.check_offence(person, asked.justification.offence_code)
            check_case(asked.case_check)
            await self._check_first(asked, person)
            window = await self._window(asked.question, person.revision)
            scope = await self._scope(asked, person)
        content = {"asked": asked_text(asked.question), "first": asked.first_authorization_id}
        values = {
            **attempt.values(),
            "question": canonical_text(within(asked.question, window)),
            "window": f"{rfc3339(window.start)}/{rfc3339(window.end)}",
            **scope_values(scope),
            "subject": asked.first_authorization_id,
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            REQUEST_DIGEST: digest_of({**content, **reasons(asked.justification)}),
        }
        key = f"authorize/{asked.service}/{person.account.account_id}/{asked.request_id}"
        stored = await self._log.append(Draft(EntryKind.QUERY, key, values, attempt.assumed))
        return authorization_of(stored, actor_of(person), self._terms, self._clock.now())

    async def _scope(self, asked: Asked, person: Person) -> Scope:
        """Whose reads the question may look at (II.F, III.B.1, III.B.3.f)."""
        account, question, now = person.account, asked.question, self._clock.now()
        own = account.profile.agency_ori
        kind = question.kind if isinstance(question, AskedArchive) else ""
        if isinstance(question, AskedAlerts):
            return Scope((own,))
        own_only = isinstance(question, AskedArchive) and question.own_agency_only
        code = asked.justification.offence_code
        reach = Reach(own, account.may_see_others(now), code, own_only)
        apart = kind in MOTOR_CARRIER_KINDS
        groups = await self._terms.remembered.get(
            ("groups", own, apart),
            person.revision,
            now,
            lambda: self._scopes.groups(own, now, motor_carrier=apart),
        )
        return scope_of(reach, groups)

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

    async def _window(self, question: AskedQuestion, revision: int) -> Window:
        now = self._clock.now()
        retention = await self._terms.remembered.get("retention", revision, now, self._retention)
        window = window_of(question, now, retention)
        if window.start >= window.end:
            raise _nothing_there(window, now, retention)
        return window

    async def _retention(self) -> Found[timedelta]:
        return Found(await self._settings.retention())


def _nothing_there(window: Window, now: datetime, retention: timedelta) -> InvalidFieldError:
    """What to change of a question about a time of which there can be nothing."""
    if window.start >= now:
        wrong = FieldViolation("from", "This time lies ahead; reads are found up to now.")
        return InvalidFieldError("nothing is kept of a time to come", violations=[wrong])
    text = f"Reads are kept {retention.days} days; choose an end after {window.start:%Y-%m-%d %H:%M} UTC."
    return InvalidFieldError("nothing is kept that long", violations=[FieldViolation("to", text)])


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
    scope = scope_in(entry.value)
    text = entry.value("question")
    permit = Permit(
        permit_id=UUID(entry.entry_id),
        account_id=UUID(entry.value("actor")),
        kind=_kind_of(text),
        question_digest=sha256(text.encode()).digest(),
        agency_oris=scope.agency_oris,
        sensor_groups=scope.sensor_groups,
        from_time=start,
        to_time=end,
        expires_at=expires_at,
    )
    return Authorization(
        authorization_id=entry.entry_id,
        permit=permit_text(permit, terms.key_of(permit.kind)),
        actor=actor,
        scope=scope,
        window=Window(start, end),
        expires_at=expires_at,
    )


def actor_of(person: Person) -> Actor:
    """The person as an actor."""
    return actor_of_account(person.account)


def actor_of_account(account: Account) -> Actor:
    """Whoever has the account, as an actor."""
    profile = account.profile
    return Actor(account.account_id, profile.agency_ori, account.roles, profile.unit)


def _kind_of(canonical: str) -> str:
    """The kind of a question, from the first line of its canonical text, "kind:5:plate"."""
    return canonical.partition("\n")[0].rpartition(":")[2]
