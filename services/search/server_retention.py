"""Servicer of RetentionService: decode, call, encode."""

from __future__ import annotations

from collections.abc import Mapping

from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1.retention_service_pb2_grpc import RetentionServiceServicer
from services.common.clock import Clock
from services.common.identity import AccessToken, Context, require_token
from services.search import wire_retention as wire
from services.search.app_holds import Holds
from services.search.app_retention import RetentionOffice
from services.search.wire_sensor_health import parse_partition

_OfHouse = (
    pb.PlaceHoldRequest
    | pb.ReleaseHoldRequest
    | pb.ListHoldsRequest
    | pb.ListHeldReadsRequest
    | pb.GetHeldReadImageRequest
)


class RetentionServer(RetentionServiceServicer):
    """See retention_service.proto."""

    def __init__(self, office: RetentionOffice, holds: Mapping[bool, Holds], clock: Clock) -> None:
        """`holds` are those of the archive as False, of the Motor Carrier Safety data set as True."""
        self._office = office
        self._holds = holds
        self._clock = clock

    def _of(self, request: _OfHouse) -> Holds:
        return self._holds[parse_partition(request.partition)]

    async def PlaceHold(self, request: pb.PlaceHoldRequest, context: Context) -> pb.PlaceHoldResponse:
        """See retention_service.proto."""
        token = _token(context)
        request_id, hold = wire.parse_place(request, self._clock.now())
        return wire.placed(*await self._of(request).place(request_id, token, request.justification, hold))

    async def ReleaseHold(self, request: pb.ReleaseHoldRequest, context: Context) -> pb.ReleaseHoldResponse:
        """See retention_service.proto."""
        token = _token(context)
        request_id, hold_id, reason = wire.parse_release(request)
        return wire.released(*await self._of(request).release(request_id, token, hold_id, reason))

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:
        """See retention_service.proto."""
        token, size = _token(context), wire.parse_page_size(request.page_size)
        after = wire.parse_hold_position(request.page_token)
        found = await self._of(request).page(token, after, size + 1)
        return pb.ListHoldsResponse(
            holds=map(wire.hold, found[:size]),
            next_page_token=wire.hold_token(found[size - 1]) if len(found) > size else "",
        )

    async def ListHeldReads(
        self, request: pb.ListHeldReadsRequest, context: Context
    ) -> pb.ListHeldReadsResponse:
        """See retention_service.proto."""
        asked = wire.parse_held_reads(request, _token(context))
        return wire.held_reads(await self._of(request).reads(asked))

    async def GetHeldReadImage(
        self, request: pb.GetHeldReadImageRequest, context: Context
    ) -> pb.GetHeldReadImageResponse:
        """See retention_service.proto."""
        asked = wire.parse_held_image(request, _token(context))
        return wire.held_image(await self._of(request).image(asked))

    async def ListPurges(self, request: pb.ListPurgesRequest, context: Context) -> pb.ListPurgesResponse:
        """See retention_service.proto."""
        token, size = _token(context), wire.parse_page_size(request.page_size)
        after = wire.parse_purge_position(request.page_token)
        found = await self._office.purges(token, after, size + 1)
        return pb.ListPurgesResponse(
            purges=map(wire.purge, found[:size]),
            next_page_token=wire.purge_token(found[size - 1]) if len(found) > size else "",
        )

    async def RunPurge(self, request: pb.RunPurgeRequest, context: Context) -> pb.RunPurgeResponse:
        """See retention_service.proto."""
        token, request_id = _token(context), wire.parse_request_id(request.request_id)
        days = await self._office.purge(request_id, token)
        return pb.RunPurgeResponse(days=days or 0, under_way=days is None)

    async def CheckRetention(
        self, request: pb.CheckRetentionRequest, context: Context
    ) -> pb.CheckRetentionResponse:
        """See retention_service.proto."""
        token, request_id = _token(context), wire.parse_request_id(request.request_id)
        return wire.findings(await self._office.check(request_id, token))


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 -- that is what require_token promises
    return token
