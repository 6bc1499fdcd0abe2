"""Use case: reads of plates and places, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from alpr.type.v1.justification_pb2 import Justification
from services.common.canonical import argument_value, to_microseconds
from services.common.identity import AccessToken
from services.search.audit_gateway import Receipts
from services.search.core.answer import Authorization, FoundRead
from services.search.core.moments import from_microseconds
from services.search.core.pages import AskedQuestion, PagePosition, PageTokenError, open_token, seal
from services.search.core.questions import ReadsQuestion
from services.search.errors import BadPageTokenError
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

_KIND = "reads"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as it was asked; `page_token` is "" for a first page."""

    request_id: str
    token: AccessToken
    justification: Justification
    question: ReadsQuestion
    page_token: str
    own_agency_only: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Rows with the proof that question and outcome stand in the log."""

    reads: tuple[FoundRead, ...]
    next_page_token: str
    receipts: Receipts
    authorization: Authorization


class Pages(Protocol):
    """Where it is known how a page of reads ended (services.search.store_reads)."""

    async def resume_before(self, authorization: Authorization) -> datetime | None:
        """The moment before which to go on, None when the page was full."""


class Search:
    """Asks for reads by the question road and seals where the next page begins."""

    def __init__(self, road: QuestionRoad, pages: Pages, token_key: bytes) -> None:
        self._road = road
        self._pages = pages
        self._token_key = token_key

    async def page_of_reads(self, request: SearchRequest) -> SearchAnswer:
        """One page of the reads that are asked for, newest first.

        Raises:
            BadPageTokenError: The page token is not of this person and question.
            AlprError: As `QuestionRoad.ask`.
        """
        asked = _asked(request)
        position = self._opened(asked, request.page_token)
        answered = await self._road.ask(_road_request(request, position))
        reads = await self._road.reads(answered)
        following = await self._following(position, answered, reads) if answered.summary.has_more else None
        return SearchAnswer(
            reads=tuple(reads),
            next_page_token=seal(self._token_key, asked, following) if following else "",
            receipts=answered.receipts,
            authorization=answered.authorization,
        )

    async def _following(
        self, position: PagePosition | None, answered: Answered, reads: list[FoundRead]
    ) -> PagePosition:
        """Where the next page begins: after the last read, or where the archive stopped looking."""
        authorization = answered.authorization
        resume = await self._pages.resume_before(authorization)
        return PagePosition(
            account_id=authorization.account_id,
            first_authorization_id=position.first_authorization_id
            if position
            else authorization.authorization_id,
            from_us=position.from_us if position else to_microseconds(authorization.from_time),
            to_us=position.to_us if position else to_microseconds(authorization.to_time),
            before_us=to_microseconds(resume or reads[-1].capture_time),
            # No read of that very moment is left over: the nil id is before all of them.
            before_read_id=str(UUID(int=0) if resume else reads[-1].read_id),
        )

    def _opened(self, asked: AskedQuestion, page_token: str) -> PagePosition | None:
        if not page_token:
            return None
        try:
            return open_token(self._token_key, asked, page_token)
        except PageTokenError as error:
            raise BadPageTokenError("page_token is not of this question") from error


def _asked(request: SearchRequest) -> AskedQuestion:
    question = request.question
    return AskedQuestion(
        kind=_KIND,
        arguments=(*question.named(), ("own_agency_only", str(request.own_agency_only))),
        from_us=_microseconds(question.from_time),
        to_us=_microseconds(question.to_time),
    )


def _road_request(request: SearchRequest, position: PagePosition | None) -> RoadRequest:
    """The question for one page; a further page keeps the window of the first, whatever the time is."""
    question = request.question
    named = question.named()
    recorded = [(name, argument_value(value)) for name, value in named]
    values = [value for _, value in named]
    before_us = position.before_us if position else None
    before_id = UUID(position.before_read_id) if position else None
    return RoadRequest(
        request_id=request.request_id,
        token=request.token,
        justification=request.justification,
        kind=_KIND,
        arguments=(
            *recorded,
            ("before_us", "" if before_us is None else str(before_us)),
            ("before_read_id", str(before_id or "")),
        ),
        from_time=from_microseconds(position.from_us) if position else question.from_time,
        to_time=from_microseconds(position.to_us) if position else question.to_time,
        page_size=question.page_size,
        first_authorization_id=position.first_authorization_id if position else "",
        put=Put("find_reads", (*values, before_us, before_id)),
        own_account_id=position.account_id if position else "",
        own_agency_only=request.own_agency_only,
    )


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)
