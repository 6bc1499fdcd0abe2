"""Servicer of ExportService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alpr.search.v1 import export_service_pb2 as pb
from alpr.search.v1.export_service_pb2_grpc import ExportServiceServicer
from services.common.identity import Context
from services.search import wire_department as wire
from services.search.app_department import DepartmentExports
from services.search.server_search import token_of
from services.search.wire_report import parts_of
from services.search.wire_sensor_health import parse_partition


class ExportServer(ExportServiceServicer):
    """See export_service.proto."""

    def __init__(self, exports: DepartmentExports) -> None:
        self._exports = exports

    async def ExportHeldReads(
        self, request: pb.ExportHeldReadsRequest, context: Context
    ) -> AsyncIterator[pb.ExportHeldReadsResponse]:
        """See export_service.proto."""
        asked, request_id = wire.parse_held(request, token_of(context))
        page = await self._exports.held_page(
            asked, request_id, motor_carrier=parse_partition(request.partition)
        )
        yield wire.held_description(page)
        for part in parts_of(page.data):
            yield pb.ExportHeldReadsResponse(data=part)

    async def SealExport(self, request: pb.SealExportRequest, context: Context) -> pb.SealExportResponse:
        """See export_service.proto."""
        manifest = wire.parse_seal(request, token_of(context))
        return wire.sealed(
            await self._exports.seal(manifest, motor_carrier=parse_partition(request.partition))
        )
