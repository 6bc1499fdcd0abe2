"""Use cases: the register of what left, and what recipients are to be told (ENF-051 III.B.3.m, III.B.3.n)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import NotFoundError, WrongStateError
from services.common.identity import AccessToken
from services.search.acts import ActPlan, Intent
from services.search.audit_gateway import Receipts
from services.search.core.dissemination import facts_of
from services.search.departures import ForWhom, judged
from services.search.store_register import (
    Entry,
    KeptEvidence,
    Listing,
    NewEntry,
    RecipientNotice,
    RegisterStore,
)


class Acts(Protocol):
    """Where acts are recorded (services.search.acts)."""

    async def begin(self, plan: ActPlan) -> Intent:
        """The intent once it is in the log and allowed."""

    async def done(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        """Receipts of intent and outcome, once it is in the log that the act is done."""

    async def failed(self, intent_id: UUID) -> None:
        """Tells the log that nothing was changed."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a person; `justification` where the act needs one."""

    request_id: UUID
    token: AccessToken
    justification: Justification | None = None


@dataclass(frozen=True, slots=True)
class HandOn:
    """An exported file that goes to somebody else, too."""

    call: Call
    justification: Justification
    export_id: UUID
    for_whom: ForWhom
    due_to_delete: datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says of an entry, a notice or a read."""

    call: Call
    subject_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list: position of the page before (0 for the first page), and most rows.

    `filters` go into the log beside it, by name.
    """

    call: Call
    position: int
    most: int
    filters: Mapping[str, str] = field(default_factory=dict)


class RegisterBook:
    """Keeps the register: every act is recorded before it is done, every look before anything is shown."""

    def __init__(self, acts: Acts, register: RegisterStore) -> None:
        self._acts = acts
        self._register = register

    async def hand_on(self, wish: HandOn) -> tuple[Entry, AuditReceipt]:
        """The entry, and its proof; only now may the file be handed over.

        Raises:
            NotFoundError: The person's agency exported no such file.
            AlprError: Audit's refusal, unchanged.
        """
        due = wish.due_to_delete or await self._register.usual_due_time()
        facts = facts_of(wish.for_whom.recipient, ())
        # Not the moment that was left out: a retry finds another one, and is the same act.
        asked_due = wish.due_to_delete.isoformat() if wish.due_to_delete else "as long as reads are kept"
        intent = await self._acts.begin(
            ActPlan(
                request_id=wish.call.request_id,
                action=wish.for_whom.recipient.kind.value,
                resource=str(wish.export_id),
                details={**facts, "due_to_delete": asked_due},
                token=wish.call.token,
                justification=judged(wish.justification, wish.for_whom.recipient),
            )
        )
        exported = await self._entry(intent, wish.export_id)
        read_ids = await self._register.reads_of(exported.dissemination_id, intent.agency_ori)
        await self._register.register(_handed_on(wish, intent, exported, read_ids or (), due))
        receipts = await self._acts.done(intent.intent_id, {"sha256": exported.file_sha256.hex()})
        await self._register.outcome_is_recorded(intent.intent_id, receipts.question.SerializeToString())
        return await self._entry(intent, intent.intent_id), receipts.question

    async def deleted(self, statement: Statement) -> Entry:
        """The entry, once it is noted that its recipient has deleted the file.

        Raises:
            NotFoundError: There is no such entry of the person's agency.
            WrongStateError: It is noted already.
        """
        intent = await self._begin(statement, "dissemination.delete")
        noted = await self._register.note_deletion(
            statement.subject_id, intent.agency_ori, intent.intent_id, statement.text
        )
        await self._require(noted, intent, "the deletion of this file is noted already")
        await self._acts.done(intent.intent_id, {})
        return await self._entry(intent, statement.subject_id)

    async def corrected(self, statement: Statement) -> tuple[int, AuditReceipt]:
        """How many recipients are to be told that a read was wrong, and the proof."""
        intent = await self._begin(statement, "dissemination.correct")
        count = await self._register.note_correction(
            statement.subject_id, intent.agency_ori, intent.intent_id, statement.text
        )
        receipts = await self._acts.done(intent.intent_id, {"notices": str(count)})
        return count, receipts.question

    async def told(self, statement: Statement) -> RecipientNotice:
        """The notice, once it is noted that its recipient was told. Raises as `deleted`."""
        intent = await self._begin(statement, "dissemination.tell")
        noted = await self._register.note_told(
            statement.subject_id, intent.agency_ori, intent.intent_id, statement.text
        )
        await self._require(noted, intent, "it is noted already that the recipient was told")
        await self._acts.done(intent.intent_id, {})
        [notice] = await self._register.notices(intent.agency_ori, statement.subject_id, 0, 1, with_told=True)
        return notice

    async def entries(self, wanted: Wanted, listing: Listing) -> list[Entry]:
        """Entries of the person's agency, newest first; `listing` says which, but not whose."""
        intent = await self._look(wanted, "dissemination.list")
        entries = await self._register.entries(
            Listing(
                intent.agency_ori,
                listing.dissemination_id,
                listing.read_id,
                listing.overdue_at,
                listing.before_number,
                wanted.most,
            )
        )
        await self._acts.done(intent.intent_id, {})
        return entries

    async def notices(self, wanted: Wanted, *, with_told: bool) -> list[RecipientNotice]:
        """What recipients of the person's agency are to be told, oldest first."""
        intent = await self._look(wanted, "dissemination.list")
        notices = await self._register.notices(
            intent.agency_ori, None, wanted.position, wanted.most, with_told=with_told
        )
        await self._acts.done(intent.intent_id, {})
        return notices

    async def evidence(self, wanted: Wanted, report_number: str, before: int) -> list[KeptEvidence]:
        """Evidence packages of the person's agency, newest first."""
        intent = await self._look(wanted, "evidence.list")
        kept = await self._register.evidence(intent.agency_ori, report_number, before, wanted.most)
        await self._acts.done(intent.intent_id, {})
        return kept

    async def _begin(self, statement: Statement, action: str) -> Intent:
        call = statement.call
        details = {"statement": statement.text}
        return await self._acts.begin(
            ActPlan(
                call.request_id, action, str(statement.subject_id), details, call.token, call.justification
            )
        )

    async def _look(self, wanted: Wanted, action: str) -> Intent:
        details = {**wanted.filters, "position": str(wanted.position), "page_size": str(wanted.most)}
        return await self._acts.begin(
            ActPlan(wanted.call.request_id, action, "register", details, wanted.call.token)
        )

    async def _entry(self, intent: Intent, dissemination_id: UUID) -> Entry:
        found = await self._register.entries(Listing(intent.agency_ori, dissemination_id))
        if not found:
            await self._acts.failed(intent.intent_id)
            raise NotFoundError("your agency has no such entry", resource=str(dissemination_id))
        return found[0]

    async def _require(self, noted: UUID | None, intent: Intent, otherwise: str) -> None:
        """Returns when the intent is the one that was noted."""
        if noted == intent.intent_id:
            return
        await self._acts.failed(intent.intent_id)
        if noted is None:
            raise NotFoundError("your agency has no such entry")
        raise WrongStateError(otherwise, metadata={"state": "DONE"})


def _handed_on(
    wish: HandOn, intent: Intent, exported: Entry, read_ids: tuple[UUID, ...], due: datetime
) -> NewEntry:
    return NewEntry(
        dissemination_id=intent.intent_id,
        kind="HANDED_ON",
        export_id=exported.dissemination_id,
        account_id=intent.account_id,
        agency_ori=intent.agency_ori,
        question_entry_id=exported.question_entry_id,
        recipient=wish.for_whom.message,
        justification=wish.justification.SerializeToString(),
        redactions=exported.redactions,
        format=exported.format,
        file_sha256=exported.file_sha256,
        file_bytes=exported.file_bytes,
        read_ids=read_ids,
        first_capture=exported.first_capture,
        last_capture=exported.last_capture,
        due_time=due,
    )
