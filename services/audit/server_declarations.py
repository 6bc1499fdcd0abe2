"""Servicer of alpr.audit.v1: declarations of agencies of other states."""

from __future__ import annotations

from alpr.audit.v1 import declaration_service_pb2 as pb
from alpr.audit.v1 import declaration_service_pb2_grpc as rpc
from services.audit import wire, wire_declarations
from services.audit.app_declarations import Declarations
from services.audit.callers import call_of
from services.audit.core.declaration import Declaration
from services.audit.wire_escorts import parse_page_token
from services.common.clock import Clock
from services.common.identity import Context


class DeclarationServicer(rpc.DeclarationServiceServicer):
    """Declarations."""

    def __init__(self, declarations: Declarations, clock: Clock) -> None:
        self._declarations = declarations
        self._clock = clock

    async def RecordDeclaration(
        self, request: pb.RecordDeclarationRequest, context: Context
    ) -> pb.RecordDeclarationResponse:
        """See declaration_service.proto."""
        call, given = call_of(context, request.request_id), wire_declarations.parse_record(request)
        done = await self._declarations.record(call, given)
        return pb.RecordDeclarationResponse(declaration=self._message(done))

    async def EndDeclaration(
        self, request: pb.EndDeclarationRequest, context: Context
    ) -> pb.EndDeclarationResponse:
        """See declaration_service.proto."""
        call = call_of(context, request.request_id)
        done = await self._declarations.end(call, *wire_declarations.parse_end(request))
        return pb.EndDeclarationResponse(declaration=self._message(done))

    async def ListDeclarations(
        self, request: pb.ListDeclarationsRequest, context: Context
    ) -> pb.ListDeclarationsResponse:
        """See declaration_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        before = parse_page_token(request.page_token)
        found = await self._declarations.page(call_of(context), before, size + 1)
        more = len(found) > size
        return pb.ListDeclarationsResponse(
            declarations=map(self._message, found[:size]),
            next_page_token=wire_declarations.next_token(found[size - 1]) if more else "",
            law=wire_declarations.law_message(self._declarations.law),
        )

    def _message(self, one: Declaration) -> pb.Declaration:
        return wire_declarations.declaration(one, self._declarations.law, self._clock.now())
