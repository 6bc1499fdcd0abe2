"""Servicer of alpr.audit.v1.TransparencyService: decode, call, encode."""

from __future__ import annotations

from alpr.audit.v1 import transparency_service_pb2 as pb
from alpr.audit.v1 import transparency_service_pb2_grpc as rpc
from services.audit import wire
from services.audit import wire_transparency as reports
from services.audit.app_transparency import Transparency
from services.audit.callers import call_of
from services.common.identity import Context


class TransparencyServicer(rpc.TransparencyServiceServicer):
    """Transparency reports."""

    def __init__(self, transparency: Transparency) -> None:
        self._transparency = transparency

    async def PublishReport(
        self, request: pb.PublishReportRequest, context: Context
    ) -> pb.PublishReportResponse:
        """See transparency_service.proto."""
        call, period = call_of(context, request.request_id), reports.parse_period(request)
        found, receipt = await self._transparency.publish(call, period)
        message = reports.report(found, whole=True)
        return pb.PublishReportResponse(report=message, receipt=wire.receipt(receipt))

    async def PreviewReport(
        self, request: pb.PreviewReportRequest, context: Context
    ) -> pb.PreviewReportResponse:
        """See transparency_service.proto."""
        call, period = call_of(context, request.request_id), reports.parse_period(request)
        return pb.PreviewReportResponse(report=(await self._transparency.preview(call, period)).encode())

    async def GetReport(self, request: pb.GetReportRequest, context: Context) -> pb.GetReportResponse:
        """See transparency_service.proto."""
        found, receipt = await self._transparency.one(call_of(context), reports.parse_get(request))
        message = reports.report(found, whole=True)
        return pb.GetReportResponse(report=message, receipt=wire.receipt(receipt))

    async def ListReports(self, request: pb.ListReportsRequest, context: Context) -> pb.ListReportsResponse:
        """See transparency_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        before = reports.parse_page_token(request.page_token)
        found = await self._transparency.page(call_of(context), before, size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListReportsResponse(
            reports=[reports.report(one, whole=False) for one in found[:size]],
            next_page_token=reports.page_token(last) if last else "",
        )
