"""Acts of people on this service's own records: intent, change with the intent's id, outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from services.audit.app_gate import Attempt, Gate, Person
from services.audit.app_log import Draft, Log
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of
from services.audit.core.policy import Thing
from services.common.errors import AlprError, StorageUnavailableError

DONE = "DONE"
FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Call:
    """A person's call: the token that came with it and, for a change, the request id."""

    token: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What a person is about to do, allowed already.

    Args:
        action: The action's name.
        thing: What it is done to.
        details: What else must be known to understand it later.
        words: What else makes it this act and no other, and is kept out of the log: people's own words.
        found: What stood there before. It is in the log, and no part of what makes it this act: sent again,
            it finds what it has changed itself.
    """

    action: str
    thing: Thing
    details: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)


class Actor:
    """Carries out acts so that none happens without its record."""

    def __init__(self, journal: Log, gate: Gate) -> None:
        self._log = journal
        self._gate = gate

    async def signed_in(self, call: Call, action: str, thing: Thing) -> Person:
        """The person, who may do `action`; a refusal is recorded first. For calls that change nothing."""
        attempt = Attempt("", action, resource=thing.name, agency=thing.agency)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, action, thing)
        return person

    async def carry_out(
        self, act: Act, call: Call, attempt: Attempt, change: Callable[[str], Awaitable[None]]
    ) -> None:
        """Records the intent, makes the change, records the outcome.

        Args:
            act: What is done; the caller has asked the policies.
            call: The person's call.
            attempt: Who does it.
            change: Makes the change in one transaction with the intent's id, once for each id.

        Raises:
            RequestIdReusedError: The request id came before with other content.
            AuditUnavailableError: It could not be recorded; try again with the same request id.
        """
        details, found = _named(act.details), _named(act.found)
        content = {"action": act.action, "resource": act.thing.name, "agency": act.thing.agency, **details}
        attempt.note(**content)
        values = {
            **attempt.values(),
            **found,
            "decision": "allowed",
            REQUEST_DIGEST: digest_of({**content, **act.words}),
        }
        key = f"act/{values['actor']}/{call.request_id}"
        intent = await self._log.append(Draft(EntryKind.INTENT, key, values))
        intent_id = intent.entry.entry_id
        try:
            await change(intent_id)
        except StorageUnavailableError:
            raise
        except AlprError:
            await self._log.append(_outcome(intent_id, values, FAILED))
            raise
        await self._log.append(_outcome(intent_id, values, DONE))


def _named(details: Mapping[str, str]) -> dict[str, str]:
    return {f"detail.{name}": value for name, value in details.items()}


def _outcome(intent_id: str, intent: Mapping[str, str], result: str) -> Draft:
    named = {name: intent.get(name, "") for name in ("actor", "actor_agency", "action", "resource", "agency")}
    values = {**named, "subject": intent_id, "result": result}
    return Draft(EntryKind.OUTCOME, f"outcome-of/{intent_id}/{result}", values)
