"""Servicer of alpr.audit.v1: vendors under escort."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from alpr.audit.v1 import escort_service_pb2 as pb
from alpr.audit.v1 import escort_service_pb2_grpc as rpc
from services.audit import wire, wire_escorts
from services.audit.app_escorts import Escorts
from services.audit.callers import call_of
from services.audit.live_settings import LiveSettings
from services.audit.server_streams import until_stopping
from services.common.identity import Context


class EscortServicer(rpc.EscortServiceServicer):
    """Escorts."""

    def __init__(self, escorts: Escorts, settings: LiveSettings) -> None:
        self._escorts = escorts
        self._settings = settings

    async def EscortVendor(
        self, request: pb.EscortVendorRequest, context: Context
    ) -> AsyncIterator[pb.EscortVendorResponse]:
        """See escort_service.proto."""
        most = self._settings.value("escort_most_minutes")
        call, plan = call_of(context, request.request_id), wire_escorts.parse_plan(request, most)
        if isinstance(plan, str):
            held = await self._escorts.go_on(call, plan)
        else:
            held = await self._escorts.begin(call, plan)
        async with aclosing(self._escorts.watch(call, held.escort_id)) as events:
            async for one in until_stopping(events, context):
                yield wire_escorts.event(one)

    async def CutEscort(self, request: pb.CutEscortRequest, context: Context) -> pb.CutEscortResponse:
        """See escort_service.proto."""
        call = call_of(context, request.request_id)
        ended = await self._escorts.cut(call, wire_escorts.parse_cut(request))
        return pb.CutEscortResponse(escort=wire_escorts.escort(ended))

    async def ListEscorts(self, request: pb.ListEscortsRequest, context: Context) -> pb.ListEscortsResponse:
        """See escort_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        before = wire_escorts.parse_page_token(request.page_token)
        found = await self._escorts.page(call_of(context), before, size + 1)
        more = len(found) > size
        return pb.ListEscortsResponse(
            escorts=map(wire_escorts.escort, found[:size]),
            next_page_token=wire_escorts.page_token(found[size - 1]) if more else "",
        )
