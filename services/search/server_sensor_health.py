"""Servicer of how sensors do: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.search.v1.sensor_health_service_pb2_grpc import SensorHealthServiceServicer
from alpr.type.v1.sensor_pb2 import Partition
from services.common.identity import Context, require_token
from services.common.stopping import stopping_of
from services.search import wire_sensor_health as wire
from services.search.app_sensor_health import SensorHealth, Viewer


class SensorHealthServer(SensorHealthServiceServicer):
    """See sensor_health_service.proto."""

    def __init__(self, health: SensorHealth) -> None:
        self._health = health

    async def GetSensorHealth(
        self, request: pb.GetSensorHealthRequest, context: Context
    ) -> pb.GetSensorHealthResponse:
        """See sensor_health_service.proto."""
        viewer, size = _viewer(context, request.partition), wire.parse_size(request.page_size)
        sensor_id, after = wire.parse_sensor(request.sensor_id), wire.parse_sensor_after(request.page_token)
        return wire.build_health(await self._health.health(viewer, sensor_id, after, size + 1), size)

    async def CountActiveSensors(
        self, request: pb.CountActiveSensorsRequest, context: Context
    ) -> pb.CountActiveSensorsResponse:
        """See sensor_health_service.proto."""
        viewer, period = _viewer(context, request.partition), wire.parse_period(request)
        return wire.build_count(await self._health.active(viewer, *period), period)

    async def ListMaintenance(
        self, request: pb.ListMaintenanceRequest, context: Context
    ) -> pb.ListMaintenanceResponse:
        """See sensor_health_service.proto."""
        viewer, size = _viewer(context, request.partition), wire.parse_size(request.page_size)
        before = wire.parse_notice_before(request.page_token)
        found = await self._health.notices(viewer, before, size + 1, open_only=request.open_only)
        return wire.build_notices(found, size)

    async def WatchMaintenance(
        self, request: pb.WatchMaintenanceRequest, context: Context
    ) -> AsyncIterator[pb.WatchMaintenanceResponse]:
        """See sensor_health_service.proto."""
        viewer, after = _viewer(context, request.partition), wire.parse_position(request.after_position)
        async with aclosing(self._health.watch(viewer, after, stopping_of(context))) as changes:
            async for one in changes:
                yield wire.build_changes(one)


def _viewer(context: Context, partition: Partition.ValueType) -> Viewer:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 -- that is what require_token promises
    return Viewer(token, wire.parse_partition(partition))
