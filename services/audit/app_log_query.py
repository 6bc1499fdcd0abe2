"""Questions to the log, and what is shown or taken out of entries; each on record first (ENF-051 IV.E.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from services.audit.app_act import Act, Actor, Call
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.app_justification import check_justification, reasons
from services.audit.app_log import Draft, Log, Receipt
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.justification import Justification, Rules
from services.audit.core.log_question import (
    NEVER_REDACTED,
    REDACTION,
    LogFilter,
    agency_of,
    names_of,
    rows_digest,
    showing,
)
from services.audit.core.policy import Decision, Thing
from services.audit.errors import EntryNotFoundError
from services.audit.metrics import UNFINISHED
from services.audit.store_log import StoredEntry
from services.audit.store_log_query import LogQueryStore, Unfinished
from services.audit.store_witness import WitnessStore
from services.common.clock import Clock
from services.common.errors import AlprError, FieldViolation, InvalidFieldError

log = structlog.get_logger()

OWN = "log.own"
# How long a question or act may take before it counts as one without outcome.
GRACE = timedelta(minutes=5)
_LOOK_SECONDS = 60.0
_LONGEST_WINDOW = timedelta(days=31)
MOST_UNFINISHED = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """Entries of a window, where to go on (0: nowhere), and the proof of question and answer."""

    entries: Sequence[StoredEntry]
    next_before: int
    window: tuple[datetime, datetime]
    question: Receipt
    outcome: Receipt


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What is to be shown to somebody outside."""

    entry_id: str
    fields: tuple[str, ...]
    recipient: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is to be taken out, and by what right."""

    entry_id: str
    field: str
    legal_basis: str
    document_sha256: str


class LogQuestions:
    """What people ask of the log and have done to it."""

    def __init__(
        self, journal: Log, gate: Gate, actor: Actor, stores: tuple[LogQueryStore, WitnessStore], rules: Rules
    ) -> None:
        self._log = journal
        self._gate = gate
        self._actor = actor
        self._store, self._witnesses = stores
        self._rules = rules

    async def entries(self, call: Call, why: Justification, asked: LogFilter) -> Answer:
        """The page that is asked for. A question of its own, on record before it is answered.

        Raises:
            InvalidFieldError, CaseNumberRequiredError, PurposeRequiredError: The request must change.
            UnauthenticatedError, NotPermittedError: The person may not ask this.
            AuditUnavailableError: It could not be recorded.
        """
        attempt = Attempt("", "question.log", request_id=call.request_id, **reasons(why))
        attempt.note(question=asked.text())
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account.profile.agency_ori
            decision = self._gate.permit(person, "question.log", Thing(agency=own))
            check_justification(why, self._rules)
        question = await self._record(call, attempt, decision, {"question": asked.text()})
        return await self._page(question, asked, own)

    async def own(self, call: Call, asked: LogFilter) -> Answer:
        """A page of what the person's own account asked and did, on record before it is shown.

        It needs no case number: what is shown is what the person said or did, and no read. Who it is about,
        the token says, whatever `asked` names.

        Raises:
            UnauthenticatedError, NotPermittedError: The person may not see it.
            AuditUnavailableError: It could not be recorded.
        """
        attempt = Attempt("", OWN, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account, agency = person.account.account_id, person.account.profile.agency_ori
            decision = self._gate.permit(person, OWN, Thing(agency=agency, person=account))
        asked = replace(asked, account_id=account)
        question = await self._record(call, attempt, decision, {"question": asked.text(OWN)})
        return await self._page(question, asked, agency)

    async def _page(self, question: StoredEntry, asked: LogFilter, own: str) -> Answer:
        window = asked.window(question.record_time)
        # What came after the question is no part of its answer, however often it is asked.
        before = min(asked.before or question.log_index, question.log_index)
        places = await self._store.find(asked, window, own, before)
        found = await self._log.entries_at(places[: asked.page_size])
        outcome = await self._end(question, found)
        next_before = places[asked.page_size - 1] if len(places) > asked.page_size else 0
        return Answer(found, next_before, window, await self._log.receipt(question), outcome)

    async def disclose(self, call: Call, why: Justification, asked: Disclosure) -> tuple[Receipt, Answer]:
        """The receipt for somebody outside, with the named fields opened and no others.

        Raises:
            EntryNotFoundError: There is no such entry.
            InvalidFieldError: It has no such field; and as `entries`.
        """
        attempt = Attempt(
            "", "log.disclose", request_id=call.request_id, resource=asked.entry_id, **reasons(why)
        )
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            entry, decision = await self._entry(person, "log.disclose", asked.entry_id)
            check_justification(why, self._rules)
            if missing := set(asked.fields) - {one.name for one in entry.entry.fields}:
                text = f"the entry has no field {', '.join(sorted(missing))}, or not any more"
                raise InvalidFieldError("no such field", violations=[FieldViolation("fields", text)])
        more = {
            "agency": agency_of(entry.entry),
            "detail.fields": ",".join(sorted(asked.fields)),
            "detail.recipient": asked.recipient,
        }
        question = await self._record(call, attempt, decision, more)
        outcome = await self._end(question, [entry])
        shown = replace(entry, entry=showing(entry.entry, asked.fields))
        window = (entry.record_time, entry.record_time)
        answer = Answer([shown], 0, window, await self._log.receipt(question), outcome)
        return await self._log.receipt(shown), answer

    async def redact(self, call: Call, asked: Redaction) -> Receipt:
        """Receipt of the act, once the field's value is gone. The commitment stays, and with it every proof.

        Raises:
            EntryNotFoundError: There is no such entry.
            InvalidFieldError: It has no such field, or the field stays always.
            UnauthenticatedError, NotPermittedError: The person may not do this.
        """
        attempt = Attempt("", REDACTION, request_id=call.request_id, resource=asked.entry_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            entry, decision = await self._entry(person, REDACTION, asked.entry_id)
            if asked.field in NEVER_REDACTED or asked.field not in names_of(entry.entry):
                text = "must be a field of the entry; who acted, when and how it ended stays always"
                raise InvalidFieldError(
                    "this field is not redacted", violations=[FieldViolation("field", text)]
                )
        attempt.note(clauses=",".join(decision.clauses))
        details = {
            "field": asked.field,
            "legal_basis": asked.legal_basis,
            "document_sha256": asked.document_sha256,
        }
        thing = Thing(asked.entry_id, agency=agency_of(entry.entry))
        acts: list[str] = []

        async def change(intent_id: str) -> None:
            acts.append(intent_id)
            await self._witnesses.redact(intent_id)

        await self._actor.carry_out(Act(REDACTION, thing, details), call, attempt, change)
        intent = await self._log.find(acts[0])
        if intent is None:
            raise EntryNotFoundError("there is no such act", resource=acts[0])
        return await self._log.receipt(intent)

    async def unfinished(
        self, call: Call, start: datetime, end: datetime
    ) -> tuple[Sequence[Unfinished], bool]:
        """Questions and acts of the window without outcome, and whether there are more.

        Raises:
            InvalidFieldError: The window is empty or longer than 31 days.
            UnauthenticatedError, NotPermittedError: The person may not see this.
        """
        person = await self._actor.signed_in(call, "log.unfinished", Thing())
        if not timedelta(0) < end - start <= _LONGEST_WINDOW:
            violation = FieldViolation("from", "must be before `to`, by at most 31 days")
            raise InvalidFieldError("the window is not allowed", violations=[violation])
        own = person.account.profile.agency_ori
        found = await self._store.unfinished(start, end, own, MOST_UNFINISHED + 1)
        return found[:MOST_UNFINISHED], len(found) > MOST_UNFINISHED

    async def _entry(self, person: Person, action: str, entry_id: str) -> tuple[StoredEntry, Decision]:
        # Who may not do it at all is not told whether there is such an entry.
        self._gate.permit(person, action, Thing(entry_id, agency=person.account.profile.agency_ori))
        entry = await self._log.find(entry_id)
        if entry is None:
            raise EntryNotFoundError("there is no such entry", resource=entry_id)
        thing = Thing(entry_id, agency=agency_of(entry.entry))
        return entry, self._gate.permit(person, action, thing)

    async def _record(
        self, call: Call, attempt: Attempt, decision: Decision, more: Mapping[str, str]
    ) -> StoredEntry:
        values = {**attempt.values(), **more, "decision": "allowed", "clauses": ",".join(decision.clauses)}
        # The token is another one when the request comes again.
        content = {name: value for name, value in values.items() if name != "detail.token_id"}
        values[REQUEST_DIGEST] = digest_of(content)
        key = f"ask/{values['actor']}/{call.request_id}"
        return await self._log.append(Draft(EntryKind.QUERY, key, values))

    async def _end(self, question: StoredEntry, found: Sequence[StoredEntry]) -> Receipt:
        """Records what will leave; it is on disk before it does."""
        entry = question.entry
        content = {
            "subject": entry.entry_id,
            "result": "DONE",
            "row_count": str(len(found)),
            "rows_digest": rows_digest(one.entry for one in found),
        }
        named = {
            name: entry.value(name) for name in ("actor", "actor_agency", "action", "resource", "agency")
        }
        values = {**named, **content, REQUEST_DIGEST: digest_of(content)}
        key = f"outcome-of/{entry.entry_id}/DONE"
        return await self._log.receipt(await self._log.append(Draft(EntryKind.OUTCOME, key, values)))


class Unfinishing:
    """Notes in the log, once each, which questions and acts were begun and have no outcome."""

    def __init__(self, journal: Log, store: LogQueryStore, clock: Clock) -> None:
        self._log = journal
        self._store = store
        self._clock = clock
        self._looked: datetime | None = None

    async def look(self) -> int:
        """How many were found since the last look; at the first one, within a day."""
        end = self._clock.now() - GRACE
        start = self._looked or end - timedelta(days=1)
        found = await self._store.unfinished(start, end, "", MOST_UNFINISHED)
        for one in found:
            await self._log.append(_without_outcome(one))
        # When there are more, the next look goes on after the last one.
        self._looked = found[-1].record_time if len(found) == MOST_UNFINISHED else end
        return len(found)


async def reconcile(unfinishing: Unfinishing) -> None:
    """Looks every minute, until it is cancelled."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            found = await unfinishing.look()
        except AlprError as error:
            log.warning("unfinished_not_looked_for", code=error.code.name)
        else:
            UNFINISHED.inc(found)


def _without_outcome(one: Unfinished) -> Draft:
    content = {
        "action": "log.unfinished",
        "resource": one.entry_id,
        "agency": one.agency,
        "detail.action": one.action,
        "detail.since": rfc3339(one.record_time),
    }
    values = {**content, "actor": "audit", "service": "audit", REQUEST_DIGEST: digest_of(content)}
    return Draft(EntryKind.EVENT, f"unfinished/{one.entry_id}", values)
