"""Probes of effective access: what was shown, and what the log says was agreed on (III.B.1, III.B.3.q)."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.app_act import Call
from services.audit.app_gate import Attempt
from services.audit.app_log import Draft, Log
from services.audit.app_records import Means
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of
from services.audit.core.person import Account
from services.audit.core.policy import Thing
from services.audit.core.probe import DifferenceKind, Shown, differences, expected
from services.audit.errors import EntryNotFoundError
from services.audit.store_log import StoredEntry
from services.audit.store_probe import ProbeStore


@dataclass(frozen=True, slots=True)
class Found:
    """Whose reads should be seen, and what differs from that."""

    expected: tuple[str, ...]
    differences: tuple[tuple[str, DifferenceKind], ...]


class Probes:
    """Compares, and puts what it finds into the log."""

    def __init__(self, means: Means, journal: Log, store: ProbeStore) -> None:
        self._gate = means.gate
        self._log = journal
        self._store = store

    async def report(self, call: Call, question_entry_id: str, shown: Shown) -> Found:
        """What the comparison found, on record; for a report that came before the same.

        Raises:
            EntryNotFoundError: The caller asked no such question.
            RequestIdReusedError: The request id came before with other content.
        """
        attempt = Attempt("", "probe.report", resource=question_entry_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            self._gate.permit(person, "probe.report", Thing(question_entry_id))
            question = await self._question(question_entry_id, person.account)
        account = person.account
        acts = await self._store.acts()
        wanted = expected(account.profile.agency_ori, account.account_id, acts, question.record_time)
        found = tuple(differences(wanted, shown))
        stored = await self._log.append(_event(call, account, question_entry_id, shown, (wanted, found)))
        return _found(stored)

    async def _question(self, entry_id: str, account: Account) -> StoredEntry:
        found = await self._log.find(entry_id)
        wanted = (EntryKind.QUERY.value, account.account_id, "question.summary")
        if found is None or wanted != tuple(found.entry.value(one) for one in ("kind", "actor", "action")):
            raise EntryNotFoundError("you have asked no such question", resource=entry_id)
        return found


def _event(
    call: Call,
    account: Account,
    question: str,
    shown: Shown,
    found: tuple[tuple[str, ...], tuple[tuple[str, DifferenceKind], ...]],
) -> Draft:
    wanted, differing = found
    told = {
        "seen": ",".join(sorted(shown.seen)),
        "with_reads": ",".join(sorted(shown.with_reads)),
        "limited": ",".join(sorted(shown.limited)),
    }
    values = {
        "actor": account.account_id,
        "actor_agency": account.profile.agency_ori,
        "agency": account.profile.agency_ori,
        "action": "probe.differs" if differing else "probe.agrees",
        "subject": question,
        "clauses": "III.B.1,III.B.3.f",
        **{f"detail.{name}": text for name, text in told.items()},
        "detail.expected": ",".join(wanted),
        "detail.differences": ",".join(f"{ori}/{kind.value}" for ori, kind in differing),
        REQUEST_DIGEST: digest_of({"question": question, **told}),
    }
    return Draft(EntryKind.EVENT, f"probe/{account.account_id}/{call.request_id}", values)


def _found(stored: StoredEntry) -> Found:
    """What the entry says, for the first report and for one that comes again alike."""
    value = stored.entry.value
    parts = (one.split("/") for one in value("detail.differences").split(",") if one)
    return Found(
        tuple(value("detail.expected").split(",")),
        tuple((ori, DifferenceKind(kind)) for ori, kind in parts),
    )
