"""Servicer of DisseminationService: decode, call, encode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1.dissemination_service_pb2_grpc import DisseminationServiceServicer
from services.common.clock import Clock
from services.common.identity import Context
from services.search import wire_dissemination as wire
from services.search.app_notices import NoticeDesk
from services.search.app_register import RegisterBook
from services.search.server_search import token_of
from services.search.wire_sensor_health import parse_partition

_OfHouse = (
    pb.RecordDisseminationRequest
    | pb.ListDisseminationsRequest
    | pb.RecordDeletionRequest
    | pb.RecordCorrectionRequest
    | pb.ListRecipientNoticesRequest
    | pb.RecordToldRequest
    | pb.ResendNoticeRequest
)


@dataclass(frozen=True, slots=True)
class Desks:
    """The register of a data set, and how its notices fare."""

    book: RegisterBook
    notices: NoticeDesk


class DisseminationServer(DisseminationServiceServicer):
    """See dissemination_service.proto."""

    def __init__(self, desks: Mapping[bool, Desks], home_state: str, clock: Clock) -> None:
        """`desks` are those of the archive as False, of the Motor Carrier Safety data set as True."""
        self._desks = desks
        self._home_state = home_state
        self._clock = clock

    def _of(self, request: _OfHouse) -> Desks:
        return self._desks[parse_partition(request.partition)]

    async def RecordDissemination(
        self, request: pb.RecordDisseminationRequest, context: Context
    ) -> pb.RecordDisseminationResponse:
        """See dissemination_service.proto."""
        wish = wire.parse_hand_on(request, token_of(context), self._home_state, self._clock.now())
        entry, receipt = await self._of(request).book.hand_on(wish)
        return pb.RecordDisseminationResponse(dissemination=wire.entry_message(entry), receipt=receipt)

    async def ListDisseminations(
        self, request: pb.ListDisseminationsRequest, context: Context
    ) -> pb.ListDisseminationsResponse:
        """See dissemination_service.proto."""
        wanted, listing = wire.parse_listing(request, token_of(context))
        entries = await self._of(request).book.entries(wanted, listing)
        return pb.ListDisseminationsResponse(
            disseminations=map(wire.entry_message, entries),
            next_page_token=wire.next_page([one.entry_number for one in entries], wanted),
        )

    async def RecordDeletion(
        self, request: pb.RecordDeletionRequest, context: Context
    ) -> pb.RecordDeletionResponse:
        """See dissemination_service.proto."""
        statement = wire.parse_statement(request, "dissemination_id", token_of(context))
        entry = await self._of(request).book.deleted(statement)
        return pb.RecordDeletionResponse(dissemination=wire.entry_message(entry))

    async def RecordCorrection(
        self, request: pb.RecordCorrectionRequest, context: Context
    ) -> pb.RecordCorrectionResponse:
        """See dissemination_service.proto."""
        statement = wire.parse_statement(request, "read_id", token_of(context))
        count, receipt = await self._of(request).book.corrected(statement)
        return pb.RecordCorrectionResponse(notice_count=count, receipt=receipt)

    async def ListRecipientNotices(
        self, request: pb.ListRecipientNoticesRequest, context: Context
    ) -> pb.ListRecipientNoticesResponse:
        """See dissemination_service.proto."""
        filters = {"with_told": str(request.with_told).lower()}
        wanted = wire.parse_wanted(request, token_of(context), [], filters)
        notices = await self._of(request).book.notices(wanted, with_told=request.with_told)
        return pb.ListRecipientNoticesResponse(
            notices=map(wire.notice_message, await self._of(request).notices.followed(notices)),
            next_page_token=wire.next_page([one.notice_number for one in notices], wanted),
        )

    async def RecordTold(self, request: pb.RecordToldRequest, context: Context) -> pb.RecordToldResponse:
        """See dissemination_service.proto."""
        statement = wire.parse_statement(request, "notice_id", token_of(context))
        (followed,) = await self._of(request).notices.followed([await self._of(request).book.told(statement)])
        return pb.RecordToldResponse(notice=wire.notice_message(followed))

    async def ResendNotice(
        self, request: pb.ResendNoticeRequest, context: Context
    ) -> pb.ResendNoticeResponse:
        """See dissemination_service.proto."""
        followed = await self._of(request).notices.resend(wire.parse_resend(request, token_of(context)))
        return pb.ResendNoticeResponse(notice=wire.notice_message(followed))
