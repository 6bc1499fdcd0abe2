"""Use case: questions to the Motor Carrier Safety data set, by a road of its own (ENF-051 II.H)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr.type.v1.justification_pb2 import Justification
from services.common.canonical import to_microseconds
from services.common.identity import AccessToken
from services.search.app import SearchAnswer
from services.search.core.answer import FoundRead
from services.search.core.houses import MOTOR_CARRIER
from services.search.core.moments import from_microseconds
from services.search.core.pages import AskedQuestion, PagePosition, PageTokenError, open_token, seal
from services.search.errors import BadPageTokenError
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

_KIND = "reads"


@dataclass(frozen=True, slots=True)
class ApartSearch:
    """Where was this plate, or what did this sensor see? One of them may be empty.

    Times are UTC, None where the caller left them out; `page_token` is "" for a first page.
    """

    request_id: str
    token: AccessToken
    justification: Justification
    plate: str
    sensor_id: str
    from_time: datetime | None
    to_time: datetime | None
    page_size: int
    page_token: str


class MotorCarrierSearch:
    """Asks by the question road and seals where the next page begins."""

    def __init__(self, road: QuestionRoad, token_key: bytes) -> None:
        self._road = road
        self._token_key = token_key

    async def page_of_reads(self, search: ApartSearch) -> SearchAnswer:
        """One page of the reads, newest first.

        Raises:
            BadPageTokenError: The page token is not of this person and question.
            AlprError: As `QuestionRoad.ask`.
        """
        asked = _asked(search)
        position = self._opened(asked, search.page_token)
        answered = await self._road.ask(_road_request(search, position))
        reads = await self._road.reads(answered)
        following = _following(position, answered, reads[-1]) if answered.summary.has_more else None
        return SearchAnswer(
            reads=tuple(reads),
            next_page_token=seal(self._token_key, asked, following) if following else "",
            receipts=answered.receipts,
            authorization=answered.authorization,
        )

    def _opened(self, asked: AskedQuestion, page_token: str) -> PagePosition | None:
        if not page_token:
            return None
        try:
            return open_token(self._token_key, asked, page_token)
        except PageTokenError as error:
            raise BadPageTokenError("page_token is not of this question") from error


def _asked(search: ApartSearch) -> AskedQuestion:
    bounds = (search.from_time, search.to_time)
    from_us, to_us = (None if moment is None else to_microseconds(moment) for moment in bounds)
    return AskedQuestion(
        MOTOR_CARRIER.kind(_KIND), (("plate", search.plate), ("sensor_id", search.sensor_id)), from_us, to_us
    )


def _road_request(search: ApartSearch, position: PagePosition | None) -> RoadRequest:
    """The question for one page; a further page keeps the window of the first, whatever the time is."""
    before_us = position.before_us if position else None
    before_id = UUID(position.before_read_id) if position else None
    return RoadRequest(
        request_id=search.request_id,
        token=search.token,
        justification=search.justification,
        kind=_KIND,
        arguments=(
            ("plate", search.plate),
            ("sensor_id", search.sensor_id),
            ("before_us", "" if before_us is None else str(before_us)),
            ("before_read_id", str(before_id or "")),
        ),
        from_time=from_microseconds(position.from_us) if position else search.from_time,
        to_time=from_microseconds(position.to_us) if position else search.to_time,
        page_size=search.page_size,
        first_authorization_id=position.first_authorization_id if position else "",
        put=Put("find_reads", (search.plate, search.sensor_id, before_us, before_id)),
        own_account_id=position.account_id if position else "",
    )


def _following(position: PagePosition | None, answered: Answered, last: FoundRead) -> PagePosition:
    """Where the page after `last` begins."""
    given = answered.authorization
    return PagePosition(
        account_id=given.account_id,
        first_authorization_id=position.first_authorization_id if position else given.authorization_id,
        from_us=position.from_us if position else to_microseconds(given.from_time),
        to_us=position.to_us if position else to_microseconds(given.to_time),
        before_us=to_microseconds(last.capture_time),
        before_read_id=str(last.read_id),
    )
