"""Servicers of alpr.audit.v1: reviews and weekly packets."""

from __future__ import annotations

from alpr.audit.v1 import packet_service_pb2 as packet_pb
from alpr.audit.v1 import packet_service_pb2_grpc as packet_rpc
from alpr.audit.v1 import review_service_pb2 as pb
from alpr.audit.v1 import review_service_pb2_grpc as rpc
from services.audit import wire, wire_records
from services.audit import wire_reviews as reviews
from services.audit.app_packets import Packets
from services.audit.app_reviews import Reviews
from services.audit.callers import call_of
from services.audit.core.review import Review
from services.common.identity import Context


class ReviewServicer(rpc.ReviewServiceServicer):
    """Reviews."""

    def __init__(self, kept: Reviews) -> None:
        self._reviews = kept

    async def OpenReview(self, request: pb.OpenReviewRequest, context: Context) -> pb.OpenReviewResponse:
        """See review_service.proto."""
        call, given = call_of(context, request.request_id), reviews.parse_open(request)
        return pb.OpenReviewResponse(review=self._review(await self._reviews.open(call, *given)))

    async def ListReviews(self, request: pb.ListReviewsRequest, context: Context) -> pb.ListReviewsResponse:
        """See review_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        before = wire_records.parse_page_token(request.page_token)
        found = await self._reviews.page(call_of(context), request.open_only, before, size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListReviewsResponse(
            reviews=map(self._review, found[:size]),
            next_page_token=wire_records.page_token(last.open_time, last.review_id) if last else "",
        )

    async def TakeReview(self, request: pb.TakeReviewRequest, context: Context) -> pb.TakeReviewResponse:
        """See review_service.proto."""
        call = call_of(context, request.request_id)
        taken = await self._reviews.take(call, reviews.parse_review(request))
        return pb.TakeReviewResponse(review=self._review(taken))

    async def CloseReview(self, request: pb.CloseReviewRequest, context: Context) -> pb.CloseReviewResponse:
        """See review_service.proto."""
        call = call_of(context, request.request_id)
        concluded = await self._reviews.conclude(call, *reviews.parse_close(request))
        return pb.CloseReviewResponse(review=self._review(concluded))

    async def SignReview(self, request: pb.SignReviewRequest, context: Context) -> pb.SignReviewResponse:
        """See review_service.proto."""
        call = call_of(context, request.request_id)
        closed = await self._reviews.sign(call, reviews.parse_review(request))
        return pb.SignReviewResponse(review=self._review(closed))

    async def ListOwnReviews(
        self, request: pb.ListOwnReviewsRequest, context: Context
    ) -> pb.ListOwnReviewsResponse:
        """See review_service.proto."""
        del request
        found = await self._reviews.own(call_of(context))
        return pb.ListOwnReviewsResponse(reviews=map(reviews.own_review, found))

    def _review(self, one: Review) -> pb.Review:
        return reviews.review(one, overdue=self._reviews.is_overdue(one))


class PacketServicer(packet_rpc.PacketServiceServicer):
    """Weekly packets."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets

    async def GetWeeklyPacket(
        self, request: packet_pb.GetWeeklyPacketRequest, context: Context
    ) -> packet_pb.GetWeeklyPacketResponse:
        """See packet_service.proto."""
        found = await self._packets.get(call_of(context), *reviews.parse_week(request))
        return packet_pb.GetWeeklyPacketResponse(packet=reviews.packet(found, self._packets.now()))

    async def SignWeeklyPacket(
        self, request: packet_pb.SignWeeklyPacketRequest, context: Context
    ) -> packet_pb.SignWeeklyPacketResponse:
        """See packet_service.proto."""
        call, asked = call_of(context, request.request_id), reviews.parse_week(request)
        signed = await self._packets.sign(call, *asked, request.sha256)
        return packet_pb.SignWeeklyPacketResponse(packet=reviews.packet(signed, self._packets.now()))
