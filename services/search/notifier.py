"""The system tells recipients: a signed notice by e-mail, until it is taken or given up (III.B.3.n)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID, uuid5

import structlog

from alpr.search.v1.dissemination_pb2 import Recipient
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.clock import Clock
from services.common.errors import AlprError
from services.common.receipts import receipt_to_json
from services.search.acts import ActPlan, Intent
from services.search.audit_gateway import Receipts
from services.search.core.evidence import as_json
from services.search.core.notice import Notice, document_of, next_attempt, subject_of, words_of
from services.search.mail import LONGEST_SECONDS, Letter, LetterError
from services.search.store_notices import Attempt, Claim, NoticeStore

log = structlog.get_logger()

# Longer than any attempt takes with audit and database, so that a letter is with one sender at a time.
_LEASE: Final = timedelta(seconds=LONGEST_SECONDS + 60)
_AT_ONCE: Final = 100
_TOLD: Final = "Told by the system: the mail system of the recipient's address has taken the notice."


class Acts(Protocol):
    """Where acts are recorded (services.search.acts)."""

    async def begin(self, plan: ActPlan) -> Intent:
        """The intent once it is in the log and allowed."""

    async def done(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        """Receipts of intent and outcome, once it is in the log that the act is done."""


class Events(Protocol):
    """Where what happened is recorded (services.search.events)."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Returns when all of them are in the log."""


class Mailer(Protocol):
    """What carries letters (services.search.mail)."""

    async def send(self, letter: Letter) -> None:
        """Returns when the letter was taken over."""


class Notifier:
    """Sends what is due, again and again, until it is stopped.

    A notice stands in the log with its SHA-256 before its first letter leaves, each attempt when it ended.
    """

    def __init__(
        self,
        store: NoticeStore,
        audit: tuple[Acts, Events],
        mailer: Mailer,
        clock: Clock,
        first_wait: timedelta,
    ) -> None:
        """`first_wait` is the time after a first attempt that failed; it grows from there."""
        self._store = store
        self._acts, self._events = audit
        self._mailer = mailer
        self._clock = clock
        self._first_wait = first_wait
        self._task: asyncio.Task[None] | None = None

    async def start(self, every_seconds: float) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._keep_up(every_seconds))

    async def stop(self) -> None:
        """Returns when no more is sent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run_once(self) -> int:
        """The number of letters that were tried.

        Raises:
            AlprError: Audit or the database does not answer; what is due stays due.
        """
        for notice_id, recipient in await self._store.to_plan(_AT_ONCE):
            await self._store.plan(notice_id, Recipient.FromString(recipient).email)
        tried = 0
        while claim := await self._store.claim(_LEASE):
            await self._deliver(claim)
            tried += 1
        attempts = await self._store.to_log(_AT_ONCE)
        if attempts:
            await self._events.record(attempts)
        for attempt in attempts:
            await self._store.logged(attempt)
        return tried

    async def _keep_up(self, every_seconds: float) -> None:
        while True:
            try:
                await self.run_once()
            except Exception as error:
                # Whatever it is, the next turn tries again.
                log.warning("notices_not_sent", error=type(error).__name__)
            await asyncio.sleep(every_seconds)

    async def _deliver(self, claim: Claim) -> None:
        notice = _notice(claim)
        try:
            receipt = await self._recorded(claim, notice)
        except AlprError:
            await self._store.put_back(claim, self._clock.now() + self._first_wait)
            raise
        try:
            await self._mailer.send(_letter(claim, notice, receipt))
        except LetterError as error:
            when = (
                None if error.for_good else next_attempt(claim.attempt, self._clock.now(), self._first_wait)
            )
            result = "REFUSED" if when is None else "PUT_OFF"
            await self._store.end(claim, result, error.problem, when, "")
            log.info("notice_not_sent", notice_id=str(claim.notice_id), attempt=claim.attempt, result=result)
            return
        await self._store.end(claim, "SENT", "", None, _TOLD)
        log.info("notice_sent", notice_id=str(claim.notice_id), attempt=claim.attempt)

    async def _recorded(self, claim: Claim, notice: Notice) -> AuditReceipt:
        """The proof that the log has the notice; whoever records it first, it is one entry."""
        if claim.receipt is not None:
            return AuditReceipt.FromString(claim.receipt)
        digest = sha256(document_of(notice)).hexdigest()
        details = {
            "sha256": digest,
            "kind": notice.kind,
            "dissemination": str(notice.dissemination_id),
            "file_sha256": notice.file_sha256.hex(),
        }
        plan = ActPlan(
            uuid5(claim.notice_id, "notify"), "dissemination.notify", str(claim.notice_id), details
        )
        intent = await self._acts.begin(plan)
        receipt = (await self._acts.done(intent.intent_id, {})).question
        await self._store.recorded(claim.notice_id, intent.intent_id, receipt.SerializeToString())
        return receipt


def _notice(claim: Claim) -> Notice:
    recipient = Recipient.FromString(claim.recipient)
    named = (recipient.organisation, recipient.agency_ori, recipient.person)
    return Notice(
        notice_id=claim.notice_id,
        kind=claim.kind,
        statement=claim.statement,
        notice_time=claim.notice_time,
        dissemination_id=claim.dissemination_id,
        agency_ori=claim.agency_ori,
        file_format=claim.format,
        file_sha256=claim.file_sha256,
        left_time=claim.made_time,
        due_time=claim.due_time,
        recipient=", ".join(name for name in named if name),
    )


def _letter(claim: Claim, notice: Notice, receipt: AuditReceipt) -> Letter:
    return Letter(
        message_id=f"<{claim.notice_id}@notices.platewarden.invalid>",
        address=claim.address,
        subject=subject_of(notice),
        text=words_of(notice),
        attachments=(
            ("notice.json", document_of(notice)),
            ("receipt.json", as_json(receipt_to_json(receipt))),
        ),
    )
