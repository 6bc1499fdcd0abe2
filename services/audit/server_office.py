"""Servicer of alpr.audit.v1: the office of the statewide coordinator."""

from __future__ import annotations

from alpr.audit.v1 import office_service_pb2 as pb
from alpr.audit.v1 import office_service_pb2_grpc as rpc
from services.audit import wire_office
from services.audit.app_office import Offices
from services.audit.callers import call_of
from services.common.identity import Context


class OfficeServicer(rpc.OfficeServiceServicer):
    """The office."""

    def __init__(self, offices: Offices) -> None:
        self._offices = offices

    async def OfferOffice(self, request: pb.OfferOfficeRequest, context: Context) -> pb.OfferOfficeResponse:
        """See office_service.proto."""
        call, given = call_of(context, request.request_id), wire_office.parse_offer(request)
        return pb.OfferOfficeResponse(offer=wire_office.offer(await self._offices.offer(call, given)))

    async def AcceptOffice(
        self, request: pb.AcceptOfficeRequest, context: Context
    ) -> pb.AcceptOfficeResponse:
        """See office_service.proto."""
        call, offer_id = call_of(context, request.request_id), wire_office.parse_accept(request)
        return pb.AcceptOfficeResponse(office=wire_office.office(await self._offices.accept(call, offer_id)))

    async def GetOffice(self, request: pb.GetOfficeRequest, context: Context) -> pb.GetOfficeResponse:
        """See office_service.proto."""
        return pb.GetOfficeResponse(office=wire_office.office(await self._offices.get(call_of(context))))
