"""Servicer of MotorCarrierService: decode, call, encode."""

from __future__ import annotations

from alpr.search.v1 import motor_carrier_service_pb2 as pb
from alpr.search.v1.motor_carrier_service_pb2_grpc import MotorCarrierServiceServicer
from services.common.identity import Context
from services.search import wire_motor_carrier as wire
from services.search.app_motor_carrier import MotorCarrierSearch
from services.search.app_read import OneRead
from services.search.server_search import token_of
from services.search.wire_read import parse_read


class MotorCarrierServer(MotorCarrierServiceServicer):
    """See motor_carrier_service.proto."""

    def __init__(self, search: MotorCarrierSearch, one_read: OneRead) -> None:
        self._search = search
        self._one_read = one_read

    async def SearchMotorCarrierReads(
        self, request: pb.SearchMotorCarrierReadsRequest, context: Context
    ) -> pb.SearchMotorCarrierReadsResponse:
        """See motor_carrier_service.proto."""
        search = wire.parse_search(request, token_of(context))
        return wire.build_answer(await self._search.page_of_reads(search))

    async def GetMotorCarrierReadImage(
        self, request: pb.GetMotorCarrierReadImageRequest, context: Context
    ) -> pb.GetMotorCarrierReadImageResponse:
        """See motor_carrier_service.proto."""
        answer = await self._one_read.image(parse_read(request, token_of(context)))
        return wire.build_image(answer, with_original=request.with_original)
