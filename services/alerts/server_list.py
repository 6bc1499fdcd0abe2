"""The servicer of alpr.alerts.v1.AlertSearchService: decode, call, encode."""

from alpr.alerts.v1 import alert_search_service_pb2 as pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as rpc
from services.alerts.app_list import AlertLists
from services.alerts.callers import token_of
from services.alerts.wire_list import encode_list, parse_list_alerts
from services.common.identity import Context


class AlertSearchServicer(rpc.AlertSearchServiceServicer):
    """See alert_search_service.proto."""

    def __init__(self, lists: AlertLists) -> None:
        self._lists = lists

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:
        """See alert_search_service.proto."""
        page = await self._lists.page(parse_list_alerts(request), token_of(context))
        return encode_list(page.alerts, page.next_page_token, page.receipt)
