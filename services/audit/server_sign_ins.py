"""Servicer of alpr.audit.v1: sign-ins."""

from __future__ import annotations

from alpr.audit.v1 import sign_in_service_pb2 as pb
from alpr.audit.v1 import sign_in_service_pb2_grpc as rpc
from services.audit import wire_sign_ins
from services.audit.app_sign_ins import SignIns
from services.audit.callers import call_of
from services.common.identity import Context


class SignInServicer(rpc.SignInServiceServicer):
    """Sign-ins."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins

    async def ListSignIns(self, request: pb.ListSignInsRequest, context: Context) -> pb.ListSignInsResponse:
        """See sign_in_service.proto."""
        found = await self._sign_ins.list_of(call_of(context), wire_sign_ins.parse_list(request))
        return pb.ListSignInsResponse(sign_ins=map(wire_sign_ins.sign_in, found))

    async def EndSignIns(self, request: pb.EndSignInsRequest, context: Context) -> pb.EndSignInsResponse:
        """See sign_in_service.proto."""
        call = call_of(context, request.request_id)
        left = await self._sign_ins.end(call, wire_sign_ins.parse_end(request))
        return pb.EndSignInsResponse(sign_ins=map(wire_sign_ins.sign_in, left))
