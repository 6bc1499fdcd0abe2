"""Servicer of alpr.audit.v1: units and their coordinators."""

from __future__ import annotations

from alpr.audit.v1 import unit_service_pb2 as pb
from alpr.audit.v1 import unit_service_pb2_grpc as rpc
from services.audit import wire, wire_units
from services.audit.app_units import Units
from services.audit.callers import call_of
from services.common.identity import Context


class UnitServicer(rpc.UnitServiceServicer):
    """Units."""

    def __init__(self, units: Units) -> None:
        self._units = units

    async def RegisterUnit(
        self, request: pb.RegisterUnitRequest, context: Context
    ) -> pb.RegisterUnitResponse:
        """See unit_service.proto."""
        call, given = call_of(context, request.request_id), wire_units.parse_register(request)
        return pb.RegisterUnitResponse(unit=wire_units.unit(await self._units.register(call, given)))

    async def ListUnits(self, request: pb.ListUnitsRequest, context: Context) -> pb.ListUnitsResponse:
        """See unit_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        (after,) = wire.parse_page_token(request.page_token, ("",))
        found = await self._units.page(call_of(context), after, size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListUnitsResponse(
            units=map(wire_units.unit, found[:size]),
            next_page_token=wire.page_token(last.code) if last else "",
        )

    async def AppointCoordinator(
        self, request: pb.AppointCoordinatorRequest, context: Context
    ) -> pb.AppointCoordinatorResponse:
        """See unit_service.proto."""
        call, (ori, code, given) = call_of(context, request.request_id), wire_units.parse_appoint(request)
        done = await self._units.appoint(call, ori, code, given)
        return pb.AppointCoordinatorResponse(unit=wire_units.unit(done))

    async def EndAppointment(
        self, request: pb.EndAppointmentRequest, context: Context
    ) -> pb.EndAppointmentResponse:
        """See unit_service.proto."""
        call, (ori, code, reason) = call_of(context, request.request_id), wire_units.parse_end(request)
        done = await self._units.end(call, ori, code, reason)
        return pb.EndAppointmentResponse(unit=wire_units.unit(done))
