"""Use cases: put a governed question, store reads."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import structlog

from alpr.type.v1.justification_pb2 import Justification
from services.common.canonical import to_microseconds
from services.common.errors import AlprError, AuditUnavailableError, StorageUnavailableError
from services.common.identity import AccessToken
from services.search.audit_gateway import AuthorizationRequest, Receipts
from services.search.core.answer import AnswerSummary, Authorization, FoundRead, PlateQuestion, rows_digest
from services.search.core.moments import from_microseconds
from services.search.core.pages import AskedQuestion, PagePosition, PageTokenError, open_token, seal
from services.search.errors import BadPageTokenError, PermitRefusedError

log = structlog.get_logger()


class Audit(Protocol):
    """Where questions are authorized and their ends recorded (services.search.audit_gateway)."""

    async def authorize(self, request: AuthorizationRequest) -> Authorization:
        """Audit's permission for the question."""

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        """Receipts, once it is in the log that these rows leave."""

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when it is in the log that the question failed."""


class Questions(Protocol):
    """Where questions are put (services.search.store_question)."""

    async def put(self, authorization: Authorization, question: PlateQuestion) -> AnswerSummary:
        """The summary of the answer, once the use of the permit is on disk."""

    async def take(self, authorization: Authorization) -> list[FoundRead]:
        """The reads of the answer."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as it was asked; times in UTC, None where left out."""

    request_id: str
    token: AccessToken
    justification: Justification
    question: PlateQuestion
    page_token: str


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Rows with the proof that question and outcome stand in the log."""

    reads: tuple[FoundRead, ...]
    next_page_token: str
    receipts: Receipts
    authorization: Authorization


class Search:
    """The question road: audit first, then the archive, then audit again, then the officer."""

    def __init__(self, audit: Audit, questions: Questions, token_key: bytes) -> None:
        self._audit = audit
        self._questions = questions
        self._token_key = token_key
        self._reports: set[asyncio.Task[None]] = set()

    async def reads_of_plate(self, request: SearchRequest) -> SearchAnswer:
        """One page of a plate's reads; audit has recorded question and outcome (ENF-051 IV.C.5, IV.C.6).

        Raises:
            BadPageTokenError: The page token is not of this person and question.
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: Audit did not record the question or its outcome, or gave a permit that the
                database refuses. Nothing was shown.
            StorageUnavailableError: The archive did not answer. Nothing was shown.
        """
        asked = _asked(request.question)
        position = self._opened(asked, request.page_token)
        question = _page(request.question, position)
        authorization = await self._audit.authorize(
            AuthorizationRequest(
                request_id=request.request_id,
                token=request.token,
                justification=request.justification,
                question=question,
                first_authorization_id=position.first_authorization_id if position else "",
            )
        )
        try:
            answer = await self._put(authorization, question, position)
            receipts = await self._audit.record_outcome(authorization, answer)
        except BaseException:
            # Also when the caller goes away. The question stands in the log; its end shall too.
            self._in_background(self._report_failure(authorization))
            raise
        reads = await self._take(authorization, answer)
        return SearchAnswer(
            reads=tuple(reads),
            next_page_token=self._next_token(asked, position, authorization, reads)
            if answer.has_more
            else "",
            receipts=receipts,
            authorization=authorization,
        )

    async def close(self) -> None:
        """Returns when audit has been told of the failures that are still on their way to it."""
        await asyncio.gather(*self._reports)

    async def _put(
        self, authorization: Authorization, question: PlateQuestion, position: PagePosition | None
    ) -> AnswerSummary:
        if position and position.account_id != authorization.account_id:
            raise BadPageTokenError("page_token is of another person")
        try:
            return await self._questions.put(authorization, question)
        except PermitRefusedError as error:
            # Keys that differ, or a permit for another question: somebody must look at this.
            log.exception("permit_refused", authorization_id=authorization.authorization_id)
            raise AuditUnavailableError(
                "the archive does not accept the audit service's permit, so nothing was asked; try again"
            ) from error

    async def _take(self, authorization: Authorization, answer: AnswerSummary) -> list[FoundRead]:
        """The rows, if they are exactly those that were recorded as leaving."""
        reads = await self._questions.take(authorization)
        if rows_digest(read.read_id for read in reads) != answer.rows_digest:
            raise StorageUnavailableError("the answer changed while it was being given; ask again")
        return reads

    def _opened(self, asked: AskedQuestion, page_token: str) -> PagePosition | None:
        if not page_token:
            return None
        try:
            return open_token(self._token_key, asked, page_token)
        except PageTokenError as error:
            raise BadPageTokenError("page_token is not of this question") from error

    def _next_token(
        self,
        asked: AskedQuestion,
        position: PagePosition | None,
        authorization: Authorization,
        reads: list[FoundRead],
    ) -> str:
        last = reads[-1]
        following = PagePosition(
            account_id=authorization.account_id,
            first_authorization_id=(
                position.first_authorization_id if position else authorization.authorization_id
            ),
            from_us=position.from_us if position else to_microseconds(authorization.from_time),
            to_us=position.to_us if position else to_microseconds(authorization.to_time),
            before_us=to_microseconds(last.capture_time),
            before_read_id=str(last.read_id),
        )
        return seal(self._token_key, asked, following)

    def _in_background(self, report: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(report)
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report_failure(self, authorization: Authorization) -> None:
        try:
            await self._audit.record_failure(authorization)
        except AlprError:
            log.warning("failure_not_recorded", authorization_id=authorization.authorization_id)


def _asked(question: PlateQuestion) -> AskedQuestion:
    return AskedQuestion(
        plate=question.plate,
        from_us=to_microseconds(question.from_time) if question.from_time else None,
        to_us=to_microseconds(question.to_time) if question.to_time else None,
    )


def _page(question: PlateQuestion, position: PagePosition | None) -> PlateQuestion:
    """The question for one page; a further page keeps the window of the first, whatever the time is."""
    if position is None:
        return question
    return replace(
        question,
        from_time=from_microseconds(position.from_us),
        to_time=from_microseconds(position.to_us),
        before_time=from_microseconds(position.before_us),
        before_read_id=UUID(position.before_read_id),
    )
