"""Files leave on record: intent, register, outcome, and only then the first byte (ENF-051 III.B.3.m)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID, uuid5

import structlog

from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.clock import Clock
from services.common.identity import AccessToken
from services.search.acts import ActPlan, Intent
from services.search.audit_gateway import Receipts
from services.search.core.dissemination import Recipient, Redaction, facts_of
from services.search.store_register import NewEntry

log = structlog.get_logger()

# An entry younger than this may still be under way in the call that made it.
_ABANDONED: Final = timedelta(minutes=1)
_SETTLE_EVERY_S: Final = 20.0
_NOTICES_EVERY: Final = 30  # times of settling: ten minutes


class Acts(Protocol):
    """Where acts are recorded (services.search.acts)."""

    async def begin(self, plan: ActPlan) -> Intent:
        """The intent once it is in the log and allowed."""

    async def done(self, intent_id: UUID, details: dict[str, str]) -> Receipts:
        """Receipts of intent and outcome, once it is in the log that the act is done."""


class Register(Protocol):
    """Where entries are kept (services.search.store_register)."""

    async def register(self, entry: NewEntry) -> None:
        """Returns when the entry is on disk."""

    async def outcome_is_recorded(self, dissemination_id: UUID, receipt: bytes) -> None:
        """Returns when it is noted that audit has the outcome."""

    async def without_outcome(self, before: datetime) -> tuple[UUID, ...]:
        """Entries older than `before` whose outcome audit may not have."""

    async def make_notices(self) -> int:
        """The number of notices that had become due."""


@dataclass(frozen=True, slots=True)
class ForWhom:
    """To whom something goes, as it was checked (`recipient`) and as it is kept (`message`)."""

    recipient: Recipient
    message: bytes
    redactions: tuple[Redaction, ...] = ()
    redactions_message: bytes = b""


@dataclass(frozen=True, slots=True)
class Departure:
    """A file that is to leave.

    Attributes:
        request_id: Of the call; with the file's hash it makes the departure one and the same.
        action: Which of audit's actions it is.
        kind: As the register's kinds.
        question_entry_id: The question that the file answers.
        details: More for the log, beside what it says of every file.
    """

    request_id: UUID
    token: AccessToken
    justification: Justification
    for_whom: ForWhom
    action: str
    kind: str
    format: str
    question_entry_id: UUID
    sha256: bytes
    size_bytes: int
    read_ids: tuple[UUID, ...]
    first_capture: datetime | None
    last_capture: datetime | None
    due_time: datetime | None
    details: dict[str, str]
    export_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Departed:
    """The entry of a file that may leave now, and the proof that it stands in the log."""

    dissemination_id: UUID
    receipt: AuditReceipt


class Departures:
    """Lets files leave, and keeps the register's promises in the background."""

    def __init__(self, acts: Acts, register: Register, clock: Clock) -> None:
        self._acts = acts
        self._register = register
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def leave(
        self, departure: Departure, change: Callable[[NewEntry], Awaitable[None]] | None = None
    ) -> Departed:
        """The entry, once log and register both have it; nothing may leave before.

        Args:
            departure: What leaves.
            change: Writes the entry, if more is written with it; idempotent by its id.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError, StorageUnavailableError: It is not certain that all of it is recorded.
        """
        intent = await self._acts.begin(_plan(departure))
        entry = _entry(departure, intent)
        await (change or self._register.register)(entry)
        return await self._end(intent.intent_id)

    async def receipt_of(self, dissemination_id: UUID) -> AuditReceipt:
        """The receipt of an entry that a crash left without one; its outcome is recorded now.

        Raises:
            AuditUnavailableError: It is not certain that it is recorded.
        """
        return (await self._end(dissemination_id)).receipt

    async def _end(self, intent_id: UUID) -> Departed:
        receipts = await self._acts.done(intent_id, {})
        await self._register.outcome_is_recorded(intent_id, receipts.question.SerializeToString())
        return Departed(intent_id, receipts.question)

    async def settle(self) -> int:
        """Records the outcome of departures that a crash left without one; their number."""
        left = await self._register.without_outcome(self._clock.now() - _ABANDONED)
        for intent_id in left:
            await self._end(intent_id)
            log.info("departure_settled", intent_id=str(intent_id))
        return len(left)

    async def start(self) -> None:
        """Begins to settle, and to make the notices that become due."""
        self._task = asyncio.create_task(self._keep_up())

    async def stop(self) -> None:
        """Returns when no more is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_up(self) -> None:
        turn = 0
        while True:
            try:
                if turn % _NOTICES_EVERY == 0 and (made := await self._register.make_notices()):
                    log.info("recipient_notices_made", count=made)
                turn += 1
                await self.settle()
            except Exception as error:
                # Whatever it is, the next turn tries again.
                log.warning("register_not_kept_up", error=type(error).__name__)
            await asyncio.sleep(_SETTLE_EVERY_S)


def _plan(departure: Departure) -> ActPlan:
    for_whom = departure.for_whom
    return ActPlan(
        # Made anew from the same reads a file can differ, as its marks do: then it leaves a second time, and
        # the log shall say so.
        request_id=uuid5(departure.request_id, departure.sha256.hex()),
        action=departure.action,
        resource=departure.sha256.hex(),
        details={
            **departure.details,
            **facts_of(for_whom.recipient, for_whom.redactions),
            "sha256": departure.sha256.hex(),
            "format": departure.format,
            "size_bytes": str(departure.size_bytes),
            "read_count": str(len(departure.read_ids)),
            "question_entry": str(departure.question_entry_id),
            "due_to_delete": departure.due_time.isoformat() if departure.due_time else "",
        },
        token=departure.token,
        justification=judged(departure.justification, for_whom.recipient),
    )


def judged(justification: Justification, recipient: Recipient) -> Justification:
    """What audit judges: the case, and the purpose of who gets it, where that is somebody else's (IV.B.2)."""
    asked = Justification()
    asked.CopyFrom(justification)
    if recipient.purpose:
        asked.purpose = recipient.purpose
    return asked


def _entry(departure: Departure, intent: Intent) -> NewEntry:
    return NewEntry(
        dissemination_id=intent.intent_id,
        kind=departure.kind,
        export_id=departure.export_id,
        account_id=intent.account_id,
        agency_ori=intent.agency_ori,
        question_entry_id=departure.question_entry_id,
        recipient=departure.for_whom.message,
        justification=departure.justification.SerializeToString(),
        redactions=departure.for_whom.redactions_message,
        format=departure.format,
        file_sha256=departure.sha256,
        file_bytes=departure.size_bytes,
        read_ids=departure.read_ids,
        first_capture=departure.first_capture,
        last_capture=departure.last_capture,
        due_time=departure.due_time,
    )
