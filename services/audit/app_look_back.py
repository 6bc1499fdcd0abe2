"""Look-back over the archive in the name of a person whose recorded act brought new entries (ENF-051 II.D).

There is no token: a list of millions is compared long after its owner's token has ended. What stands for the
person is the intent of the act, which audit allowed and which the matcher cannot make up.
"""

from __future__ import annotations

from datetime import timedelta

from services.audit.app_authorize import Actor, Asked, Authorization, Terms, authorization_of
from services.audit.app_gate import Attempt, Gate
from services.audit.app_log import Draft, Log
from services.audit.core.actions import allows_look_back
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.policy import Decision, Thing
from services.audit.core.question import (
    AskedLookBack,
    AskedLookBackPictures,
    Window,
    action_of,
    asked_text,
    window_of,
    within,
)
from services.audit.errors import EntryNotFoundError
from services.audit.store_agreements import AgreementStore
from services.audit.store_log import StoredEntry
from services.common.canonical import canonical_text
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError

# A week is longer than any look-back, and short enough that an old act is no key to the archive.
_ACT_COUNTS = timedelta(days=7)
_FARTHEST = timedelta(days=7)
_REASONS = ("case_number_kind", "case_number", "outside_agency", "purpose", "offence_code")


_Question = AskedLookBack | AskedLookBackPictures


class LookBacks:
    """Decides look-backs and makes their permits."""

    def __init__(
        self, journal: Log, gate: Gate, terms: Terms, agreements: AgreementStore, clock: Clock
    ) -> None:
        self._log = journal
        self._gate = gate
        self._terms = terms
        self._agreements = agreements
        self._clock = clock

    async def authorize(self, asked: Asked) -> Authorization:
        """The authorization, on disk, in the name of who did the act; for a repeated request the same.

        Reads of the list's agency may be answered, and of agencies that share theirs with it at this moment.

        Raises:
            InvalidFieldError: The request must change.
            UnauthenticatedError: This service may not look back.
            EntryNotFoundError: There is no such act on record, or it was too long ago.
            RequestIdReusedError, WrongStateError, AuditUnavailableError: As for every question.
        """
        attempt = Attempt(asked.service, "look_back.run", request_id=asked.request_id)
        async with self._gate.recording(attempt):
            question = _question(asked)
            resource = str(question.changed_id)
            attempt.note(question=asked_text(question), resource=resource)
            decision = self._gate.permit_service(asked.service, action_of(question), Thing(name=resource))
            act = await self._act(question)
            window = await self._window(question, act)
        actor = Actor(act.entry.value("actor"), act.entry.value("actor_agency"), frozenset())
        values = {**attempt.values(), **await self._values(question, act, window, decision)}
        key = f"authorize/{asked.service}/{actor.account_id}/{asked.request_id}"
        stored = await self._log.append(Draft(EntryKind.QUERY, key, values))
        return authorization_of(stored, actor, self._terms, self._clock.now())

    async def _act(self, question: _Question) -> StoredEntry:
        """The recorded act that changed what the question says."""
        act = await self._log.find(str(question.intent_id))
        if (
            act is None
            or act.entry.value("kind") != EntryKind.INTENT.value
            or not allows_look_back(act.entry.value("service"), act.entry.value("action"))
            or act.entry.value("resource") != str(question.changed_id)
            or self._clock.now() - act.record_time > _ACT_COUNTS
        ):
            raise EntryNotFoundError(
                "no act of the last days that changed this is on record",
                resource=str(question.intent_id),
            )
        return act

    async def _window(self, question: _Question, act: StoredEntry) -> Window:
        retention = await self._terms.settings.retention()
        window = window_of(question, self._clock.now(), retention)
        window = Window(max(window.start, act.record_time - _FARTHEST), window.end)
        if window.start >= window.end:
            violation = FieldViolation("question.look_back.to", f"must be after {rfc3339(window.start)}")
            raise InvalidFieldError("nothing is looked at that far back", violations=[violation])
        return window

    async def _values(
        self, question: _Question, act: StoredEntry, window: Window, decision: Decision
    ) -> dict[str, str]:
        """The entry: the person's, with the act's case number, or the standing authority of the list."""
        entry = act.entry
        owner = entry.value("agency") or entry.value("actor_agency")
        providers = await self._agreements.providers(owner, self._clock.now())
        reasons = {name: entry.value(name) for name in _REASONS}
        standing = (
            "" if reasons["case_number"] else f"standing authority of the hot list ({entry.value('action')})"
        )
        return {
            **reasons,
            "actor": entry.value("actor"),
            "actor_agency": entry.value("actor_agency"),
            "question": canonical_text(within(question, window)),
            "window": f"{rfc3339(window.start)}/{rfc3339(window.end)}",
            "agency": ",".join([owner, *(one for one in providers if one != owner)]),
            "subject": entry.entry_id,
            "detail.authority": standing,
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            REQUEST_DIGEST: digest_of({"asked": asked_text(question)}),
        }


def _question(asked: Asked) -> _Question:
    problems = list(asked.problems)
    if asked.token:
        problems.append(FieldViolation("access_token", "must be empty: the act stands for the person"))
    if asked.first_authorization_id:
        problems.append(FieldViolation("first_authorization_id", "must be empty: each page cites the act"))
    if problems or not isinstance(asked.question, _Question):
        raise InvalidFieldError("the question is not complete", violations=problems)
    return asked.question
