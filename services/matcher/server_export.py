"""The servicer of HotListExportService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alpr.matcher.v1 import export_service_pb2 as pb
from alpr.matcher.v1 import export_service_pb2_grpc as rpc
from services.common.identity import Context, require_token
from services.common.paged_export import NOTICE, parts_of
from services.matcher.app_export import HotListExports
from services.matcher.wire_export import parse_export


class HotListExportServicer(rpc.HotListExportServiceServicer):
    """See export_service.proto."""

    def __init__(self, exports: HotListExports) -> None:
        self._exports = exports

    async def ExportHotLists(
        self, request: pb.ExportHotListsRequest, context: Context
    ) -> AsyncIterator[pb.ExportHotListsResponse]:
        """See export_service.proto."""
        token = require_token(context).access_token
        assert token is not None  # noqa: S101 - that is what require_token promises
        page = await self._exports.page(parse_export(request, token))
        yield pb.ExportHotListsResponse(page=page.description, notice=NOTICE)
        for part in parts_of(page.data):
            yield pb.ExportHotListsResponse(data=part)
