"""Servicer of alpr.audit.v1: rosters of the personnel office, and who has left."""

from __future__ import annotations

from alpr.audit.v1 import roster_service_pb2 as pb
from alpr.audit.v1 import roster_service_pb2_grpc as rpc
from services.audit import wire_rosters
from services.audit.app_rosters import Rosters
from services.audit.callers import call_of
from services.common.identity import Context


class RosterServicer(rpc.RosterServiceServicer):
    """Rosters."""

    def __init__(self, rosters: Rosters) -> None:
        self._rosters = rosters

    async def SubmitRoster(
        self, request: pb.SubmitRosterRequest, context: Context
    ) -> pb.SubmitRosterResponse:
        """See roster_service.proto."""
        call, roster = call_of(context, request.request_id), wire_rosters.parse_submit(request)
        found = await self._rosters.submit(call, roster)
        return pb.SubmitRosterResponse(leavers=map(wire_rosters.leaver, found))

    async def EndLeavers(self, request: pb.EndLeaversRequest, context: Context) -> pb.EndLeaversResponse:
        """See roster_service.proto."""
        call, number = call_of(context, request.request_id), wire_rosters.parse_end(request)
        done = await self._rosters.end(call, number)
        left = map(wire_rosters.leaver, done.left_open)
        return pb.EndLeaversResponse(ended_account_ids=done.account_ids, left_open=left)

    async def ListLeavers(self, request: pb.ListLeaversRequest, context: Context) -> pb.ListLeaversResponse:
        """See roster_service.proto."""
        found = await self._rosters.leavers(call_of(context))
        return pb.ListLeaversResponse(leavers=map(wire_rosters.leaver, found))
