"""The question road: audit first, then the archive, then audit again, then the officer."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol, TypeVar

import structlog

from alpr.type.v1.justification_pb2 import Justification
from services.common import tracing
from services.common.canonical import ArchiveQuestion
from services.common.errors import AuditUnavailableError, StorageUnavailableError
from services.common.identity import AccessToken
from services.search.audit_gateway import Receipts
from services.search.case_directory import CaseDirectory, NoCaseDirectory
from services.search.core.answer import AnswerSummary, Authorization, FoundRead, rows_digest
from services.search.core.case_check import CaseCheck
from services.search.core.houses import ARCHIVE, HouseNames
from services.search.errors import BadPageTokenError, PermitRefusedError
from services.search.failure_reports import FailureReports
from services.search.metrics import counted

log = structlog.get_logger()

_Answer = TypeVar("_Answer")
_CHANGED: Final = "the answer changed while it was being given; ask again"


@dataclass(frozen=True, slots=True)
class Put:
    """How the archive is asked: `archive.<function>(permit, from_us, to_us, page_size, *arguments)`."""

    function: str
    arguments: tuple[object, ...]

    def __post_init__(self) -> None:
        """Raises ValueError: `function` goes into a statement as it is, so it must be a plain name."""
        if not re.fullmatch(r"find_[a-z_]{1,50}", self.function):
            raise ValueError("the function of a question is named find_...")


@dataclass(frozen=True, slots=True)
class RoadRequest:
    """One question of one person, as it goes to audit; then `put`, with the window that audit gave.

    Attributes:
        justification: Passes through unread.
        kind: One of audit's kinds of questions (services/audit/core/question_kinds.py).
        arguments: Names and values as they are recorded and as the archive recomputes them, in its order; a
            long value as `services.common.canonical.argument_value` gives it.
        from_time: UTC, or None for the start of the retention period.
        to_time: UTC and exclusive, or None for now.
        page_size: Most rows.
        first_authorization_id: For a further page; "" for a first.
        own_account_id: Whose a page token is; somebody else gets nothing. "" without a token.
        own_agency_only: Leaves out what other agencies share.
        case_check: What a case directory said; the road sets it.
    """

    request_id: str
    token: AccessToken
    justification: Justification
    kind: str
    arguments: tuple[tuple[str, str], ...]
    from_time: datetime | None
    to_time: datetime | None
    page_size: int
    first_authorization_id: str
    put: Put
    own_account_id: str = ""
    own_agency_only: bool = False
    case_check: CaseCheck = CaseCheck.NONE


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that was put, and whose outcome stands in the log. Now its answer may be taken."""

    kind: str
    authorization: Authorization
    summary: AnswerSummary
    receipts: Receipts


class Audit(Protocol):
    """Where questions are authorized and their ends recorded (services.search.audit_gateway)."""

    async def authorize(self, request: RoadRequest) -> Authorization:
        """Audit's permission for the question."""

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        """Receipts, once it is in the log that this answer leaves."""

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when it is in the log that the question failed."""


class Questions(Protocol):
    """Where questions are put (services.search.store_question)."""

    async def put(self, authorization: Authorization, question: ArchiveQuestion, put: Put) -> AnswerSummary:
        """The summary of the answer, once the use of the permit is on disk."""

    async def reads(self, authorization: Authorization, kind: str) -> list[FoundRead]:
        """The reads of the answer."""

    async def computed(self, authorization: Authorization, kind: str) -> str | None:
        """The text of the answer, None when it is not there any more."""


class QuestionRoad:
    """Puts questions to one data set. Nothing is shown before audit has recorded that it leaves.

    Args:
        audit: Where questions are authorized.
        questions: Where they are put.
        cases: Where case numbers are checked first; nowhere by default.
        names: How the data set names its kinds of questions; requests name them as the archive does.
    """

    def __init__(
        self,
        audit: Audit,
        questions: Questions,
        cases: CaseDirectory | None = None,
        names: HouseNames = ARCHIVE,
    ) -> None:
        self._audit = audit
        self._names = names
        self._cases = cases or NoCaseDirectory()
        self._questions = questions
        self._failures = FailureReports(audit)

    async def ask(self, request: RoadRequest) -> Answered:
        """The question, put; audit has recorded question and outcome (ENF-051 IV.C.5, IV.C.6).

        Raises:
            BadPageTokenError: The page token is of another person.
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: Audit did not record the question or its outcome, or gave a permit that the
                database refuses. Nothing was shown.
            StorageUnavailableError: The archive did not answer. Nothing was shown.
        """
        request = self._named(request)
        with counted(request.kind):
            return await self._ask(request)

    async def _ask(self, request: RoadRequest) -> Answered:
        checked = await self._cases.check(request.justification)
        authorization = await self._audit.authorize(replace(request, case_check=checked))
        try:
            with tracing.span("search.archive"):
                summary = await self._put(authorization, request)
            receipts = await self._audit.record_outcome(authorization, summary)
        except BaseException:
            # Also when the caller goes away. The question stands in the log; its end shall too.
            self._failures.report(authorization)
            raise
        return Answered(request.kind, authorization, summary, receipts)

    async def reads(self, answered: Answered) -> list[FoundRead]:
        """The reads of the answer, if they are exactly those that were recorded as leaving.

        Raises:
            StorageUnavailableError: The archive did not answer, or not with those, or the permit has ended.
        """
        with tracing.span("search.rows"):
            reads = await taken(self._questions.reads(answered.authorization, answered.kind))
        if rows_digest(read.read_id for read in reads) != answered.summary.rows_digest:
            raise StorageUnavailableError(_CHANGED)
        return reads

    async def computed(self, answered: Answered) -> Any:
        """The JSON value that the archive computed. Errors as for `reads`."""
        with tracing.span("search.rows"):
            text = await taken(self._questions.computed(answered.authorization, answered.kind))
        if text is None or sha256(text.encode()).digest() != answered.summary.rows_digest:
            raise StorageUnavailableError(_CHANGED)
        return json.loads(text)

    async def close(self) -> None:
        """Returns when audit has been told of the failures that are still on their way to it."""
        await self._failures.close()

    def _named(self, request: RoadRequest) -> RoadRequest:
        """The request by the data set's own names."""
        put = replace(request.put, function=self._names.find(request.put.function.removeprefix("find_")))
        return replace(request, kind=self._names.kind(request.kind), put=put)

    async def _put(self, authorization: Authorization, request: RoadRequest) -> AnswerSummary:
        if request.own_account_id not in {"", authorization.account_id}:
            raise BadPageTokenError("page_token is of another person")
        question = ArchiveQuestion(
            request.kind,
            authorization.from_time,
            authorization.to_time,
            request.page_size,
            request.arguments,
        )
        try:
            return await self._questions.put(authorization, question, request.put)
        except PermitRefusedError as error:
            # Keys that differ, or a permit for another question: somebody must look at this.
            log.error("permit_refused", authorization_id=authorization.authorization_id)  # noqa: TRY400
            raise AuditUnavailableError(
                "the archive does not accept the audit service's permit, so nothing was asked; try again"
            ) from error


async def taken(answer: Awaitable[_Answer]) -> _Answer:
    """The answer; a permit that ended while it was on its way is no fault of the officer's."""
    try:
        return await answer
    except PermitRefusedError as error:
        raise StorageUnavailableError("the permit ended before the answer was given; ask again") from error
