"""The servicer of alpr.alerts.v1.AlertExportService: decode, call, encode."""

from collections.abc import AsyncIterator

from alpr.alerts.v1 import export_service_pb2 as pb
from alpr.alerts.v1 import export_service_pb2_grpc as rpc
from alpr.type.v1.sensor_pb2 import PARTITION_MOTOR_CARRIER
from services.alerts.app_export import AlertExports
from services.alerts.wire_export import parse_export, picture_description
from services.common.errors import UnauthenticatedError
from services.common.identity import Context, require_token
from services.common.paged_export import NOTICE, parts_of


class AlertExportServicer(rpc.AlertExportServiceServicer):
    """See export_service.proto."""

    def __init__(self, exports: AlertExports) -> None:
        self._exports = exports

    async def ExportAlerts(
        self, request: pb.ExportAlertsRequest, context: Context
    ) -> AsyncIterator[pb.ExportAlertsResponse]:
        """See export_service.proto."""
        token = require_token(context).access_token
        if token is None:
            raise UnauthenticatedError("this call needs an access token")
        page = await self._exports.page(
            parse_export(request, token), motor_carrier=request.partition == PARTITION_MOTOR_CARRIER
        )
        yield pb.ExportAlertsResponse(page=page.page.description, notice=NOTICE)
        for part in parts_of(page.page.data):
            yield pb.ExportAlertsResponse(data=part)
        if request.with_pictures:
            async for key, picture in self._exports.pictures(page):
                yield picture_description(key, picture)
                for part in parts_of(picture):
                    yield pb.ExportAlertsResponse(data=part)
