"""Servicers of alpr.audit.v1 with streams: sensors, entitlements, and the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TypeVar

from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import health_service_pb2_grpc as health_rpc
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_service_pb2_grpc as log_rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensor_rpc
from services.audit import wire, wire_sensors
from services.audit.app_export import Exporter
from services.audit.app_gate import Gate
from services.audit.app_log import Log
from services.audit.app_registry import Sensors
from services.audit.app_watch import Entitlements, Watch
from services.audit.app_witness import Witnesses
from services.audit.callers import SERVICES, call_of, require_somebody
from services.audit.core.registry import Sensor
from services.common.errors import FieldViolation, InvalidFieldError, StoppingError
from services.common.identity import Context, require_service
from services.common.server import stopping_of
from services.common.wire import to_timestamp

_Item = TypeVar("_Item")


async def until_stopping(items: AsyncIterator[_Item], context: Context) -> AsyncIterator[_Item]:
    """The items, until the process is to end.

    Raises:
        StoppingError: The process is to end; the caller goes on at another replica.
    """
    stop = asyncio.ensure_future(stopping_of(context).wait())
    following: asyncio.Future[_Item] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(items))
            await asyncio.wait({following, stop}, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                raise StoppingError("the service is stopping; go on at another replica")
            try:
                item = following.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        stop.cancel()
        if following is not None and not following.done():
            following.cancel()
            # The generator must have left its await before it can be closed.
            with suppress(asyncio.CancelledError, Exception):
                await following


class SensorServicer(sensor_rpc.SensorServiceServicer):
    """Sensors."""

    def __init__(self, sensors: Sensors, watch: Watch[Sensor]) -> None:
        self._sensors = sensors
        self._watch = watch

    async def RegisterSensor(
        self, request: sensor_pb.RegisterSensorRequest, context: Context
    ) -> sensor_pb.RegisterSensorResponse:
        """See sensor_service.proto."""
        call, sensor = call_of(context, request.request_id), wire_sensors.parse_sensor(request)
        registered = await self._sensors.register(call, sensor)
        return sensor_pb.RegisterSensorResponse(sensor=wire_sensors.sensor(registered))

    async def ApproveDeployment(
        self, request: sensor_pb.ApproveDeploymentRequest, context: Context
    ) -> sensor_pb.ApproveDeploymentResponse:
        """See sensor_service.proto."""
        call, approval = call_of(context, request.request_id), wire_sensors.parse_approval(request)
        decided = await self._sensors.decide(call, request.sensor_id, approval)
        return sensor_pb.ApproveDeploymentResponse(sensor=wire_sensors.sensor(decided))

    async def ListSensors(
        self, request: sensor_pb.ListSensorsRequest, context: Context
    ) -> sensor_pb.ListSensorsResponse:
        """See sensor_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        (after,) = wire.parse_page_token(request.page_token, ("",))
        found = await self._sensors.page(call_of(context), after, size + 1)
        return sensor_pb.ListSensorsResponse(
            sensors=map(wire_sensors.sensor, found[:size]),
            next_page_token=wire.page_token(found[size - 1].sensor_id) if len(found) > size else "",
        )

    async def GetSensor(
        self, request: sensor_pb.GetSensorRequest, context: Context
    ) -> sensor_pb.GetSensorResponse:
        """See sensor_service.proto."""
        sensor, acts = await self._sensors.show(call_of(context), wire_sensors.parse_shown(request))
        return sensor_pb.GetSensorResponse(
            sensor=wire_sensors.sensor(sensor), acts=map(wire_sensors.act, acts)
        )

    async def WatchSensors(
        self, request: sensor_pb.WatchSensorsRequest, context: Context
    ) -> AsyncIterator[sensor_pb.WatchSensorsResponse]:
        """See sensor_service.proto."""
        require_service(context, *SERVICES)
        async with aclosing(self._watch.watch()) as news:
            async for one in until_stopping(news, context):
                yield sensor_pb.WatchSensorsResponse(
                    sensors=map(wire_sensors.sensor, one.items),
                    revision=one.revision,
                    snapshot=one.snapshot,
                )


class HealthServicer(health_rpc.HealthServiceServicer):
    """What streams need to know to go on."""

    def __init__(self, entitlements: Entitlements) -> None:
        self._entitlements = entitlements

    async def WatchEntitlements(
        self, request: health_pb.WatchEntitlementsRequest, context: Context
    ) -> AsyncIterator[health_pb.WatchEntitlementsResponse]:
        """See health_service.proto."""
        service = require_service(context, *SERVICES).peer.name
        action = wire.parse_action(request.action)
        if request.intent_id:
            intent_id = wire.parse_standing(request)
            leases = self._entitlements.watch_standing(service, intent_id, action)
        else:
            leases = self._entitlements.watch(service, request.access_token, action)
        async with aclosing(leases):
            async for lease in until_stopping(leases, context):
                yield health_pb.WatchEntitlementsResponse(
                    actor=wire.actor(lease.actor), lease_until=to_timestamp(lease.until)
                )


class LogServicer(log_rpc.LogServiceServicer):
    """The log."""

    def __init__(self, gate: Gate, journal: Log, exporter: Exporter, witnesses: Witnesses) -> None:
        self._gate = gate
        self._log = journal
        self._witnesses = witnesses
        self._exporter = exporter

    async def GetCheckpoint(
        self, request: log_pb.GetCheckpointRequest, context: Context
    ) -> log_pb.GetCheckpointResponse:
        """See log_service.proto."""
        await require_somebody(context, self._gate)
        return log_pb.GetCheckpointResponse(
            checkpoint=(await self._log.checkpoint()).text, witnessed=await self._witnesses.newest()
        )

    async def GetInclusionProof(
        self, request: log_pb.GetInclusionProofRequest, context: Context
    ) -> log_pb.GetInclusionProofResponse:
        """See log_service.proto."""
        await require_somebody(context, self._gate)
        proof, leaf_hash = await self._log.inclusion(request.log_index)
        return log_pb.GetInclusionProofResponse(proof=proof, leaf_hash=leaf_hash)

    async def GetConsistencyProof(
        self, request: log_pb.GetConsistencyProofRequest, context: Context
    ) -> log_pb.GetConsistencyProofResponse:
        """See log_service.proto."""
        await require_somebody(context, self._gate)
        try:
            hashes, checkpoint = await self._log.consistency(request.first_size, request.second_size)
        except ValueError:
            text = "must be at least 1 and not larger than second_size, nor that than the log"
            violation = FieldViolation("first_size", text)
            raise InvalidFieldError("the log has no such sizes", violations=[violation]) from None
        return log_pb.GetConsistencyProofResponse(hashes=hashes, checkpoint=checkpoint.text)

    async def ExportLog(
        self, request: log_pb.ExportLogRequest, context: Context
    ) -> AsyncIterator[log_pb.ExportLogResponse]:
        """See log_service.proto."""
        selection = wire.parse_selection(request, self._exporter.offences)
        export = await self._exporter.begin(call_of(context), request.first_index, selection)
        entries = self._log.export(request.first_index, export.checkpoint.size)
        async with aclosing(entries):
            async for stored in until_stopping(entries, context):
                shown = replace(stored, entry=selection.shown(stored.entry))
                yield log_pb.ExportLogResponse(entry=wire.log_entry(shown))
        await self._exporter.end(export)
        yield log_pb.ExportLogResponse(checkpoint=export.checkpoint.text)
