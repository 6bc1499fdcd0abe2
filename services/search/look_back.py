"""Use case: the matcher's look-back, governed as a question of a person is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from services.common.errors import AuditUnavailableError, StorageUnavailableError
from services.search.audit_gateway import Receipts
from services.search.core.answer import AnswerSummary, Authorization, rows_digest
from services.search.core.look_back import LookBackQuestion, OlderRead
from services.search.errors import PermitRefusedError
from services.search.failure_reports import FailureReports

log = structlog.get_logger()

# Of all connections that ask; the others are for people, who wait.
_AT_ONCE: Final = 1


class Audit(Protocol):
    """Where look-backs are authorized and their ends recorded (services.search.audit_gateway)."""

    async def authorize_look_back(self, request_id: str, question: LookBackQuestion) -> Authorization:
        """Audit's permission, in the name of who changed the hot list."""

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        """Receipts, once it is in the log that these rows leave."""

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when it is in the log that the question failed."""


class Questions(Protocol):
    """Where look-backs are put (services.search.store_look_back)."""

    async def put(self, authorization: Authorization, question: LookBackQuestion) -> AnswerSummary:
        """The summary of the answer, once the use of the permit is on disk."""

    async def take(self, authorization: Authorization) -> list[OlderRead]:
        """The reads of the answer."""


@dataclass(frozen=True, slots=True)
class LookBackAnswer:
    """One page, and whether there is another."""

    reads: tuple[OlderRead, ...]
    has_more: bool


class LookBack:
    """Audit first, then the archive, then audit again, then the matcher; one page at a time.

    Args:
        audit: Says whether it may be asked.
        questions: Where the archive is asked.
        motor_carrier: Where the Motor Carrier Safety data set is asked (ENF-051 II.H).
    """

    def __init__(self, audit: Audit, questions: Questions, motor_carrier: Questions) -> None:
        self._audit = audit
        self._questions = {False: questions, True: motor_carrier}
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._failures = FailureReports(audit)

    async def reads_before(self, request_id: str, question: LookBackQuestion) -> LookBackAnswer:
        """One page of the reads; audit has recorded question and outcome.

        Raises:
            AlprError: Audit's refusal, unchanged: it knows of no such act.
            AuditUnavailableError: Audit did not record the question or its outcome, or gave a permit that the
                database refuses. Nothing was given out.
            StorageUnavailableError: The archive did not answer. Nothing was given out.
        """
        async with self._free:
            authorization = await self._audit.authorize_look_back(request_id, question)
            try:
                answer = await self._put(authorization, question)
                await self._audit.record_outcome(authorization, answer)
            except BaseException:
                # Also when the matcher goes away. The question stands in the log; its end shall too.
                self._failures.report(authorization)
                raise
            reads = await self._questions[question.motor_carrier].take(authorization)
        if rows_digest(one.read.read_id for one in reads) != answer.rows_digest:
            raise StorageUnavailableError("the answer changed while it was being given; ask again")
        return LookBackAnswer(tuple(reads), answer.has_more)

    async def close(self) -> None:
        """Returns when audit has been told of the failures that are still on their way to it."""
        await self._failures.close()

    async def _put(self, authorization: Authorization, question: LookBackQuestion) -> AnswerSummary:
        try:
            return await self._questions[question.motor_carrier].put(authorization, question)
        except PermitRefusedError as error:
            log.exception("permit_refused", authorization_id=authorization.authorization_id)
            raise AuditUnavailableError(
                "the archive does not accept the audit service's permit, so nothing was asked; try again"
            ) from error
