"""Servicers: decode, call, encode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceServicer
from services.common.identity import Context, require_service
from services.search import wire_append, wire_look_back, wire_look_back_pictures, wire_sensor_health
from services.search.append import DataSets
from services.search.core.reads import NewRead
from services.search.look_back import LookBack
from services.search.look_back_pictures import LookBackPictures
from services.search.store_sensor_health import SensorHealthStore


class ArchiveServer(ArchiveServiceServicer):
    """See archive_service.proto."""

    def __init__(
        self,
        archive: DataSets,
        look_back: LookBack,
        pictures: LookBackPictures,
        sensors: SensorHealthStore,
    ) -> None:
        self._archive = archive
        self._sensors = sensors
        self._look_back = look_back
        self._pictures = pictures
        self._parsing = asyncio.Lock()

    async def AppendReads(
        self, request: archive_pb.AppendReadsRequest, context: Context
    ) -> archive_pb.AppendReadsResponse:
        """See archive_service.proto."""
        require_service(context, "matcher")
        reads: list[NewRead] = []
        # Whoever asks a question waits for a part of one batch at most, not for all batches that are here.
        async with self._parsing:
            for part in wire_append.parse_in_parts(request):
                reads.extend(part)
                await asyncio.sleep(0)
        return wire_append.build_response(await self._archive.append(tuple(reads)))

    async def RecordSensorStatus(
        self, request: archive_pb.RecordSensorStatusRequest, context: Context
    ) -> archive_pb.RecordSensorStatusResponse:
        """See archive_service.proto."""
        require_service(context, "matcher")
        await self._sensors.record(wire_sensor_health.parse_status(request))
        return archive_pb.RecordSensorStatusResponse()

    async def FindForLookBack(
        self, request: archive_pb.FindForLookBackRequest, context: Context
    ) -> AsyncIterator[archive_pb.FindForLookBackResponse]:
        """See archive_service.proto."""
        require_service(context, "matcher")
        request_id, question = wire_look_back.parse_look_back(request)
        answer = await self._look_back.reads_before(request_id, question)
        for part in wire_look_back.build_parts(answer):
            yield part

    async def GetLookBackPictures(
        self, request: archive_pb.GetLookBackPicturesRequest, context: Context
    ) -> AsyncIterator[archive_pb.GetLookBackPicturesResponse]:
        """See archive_service.proto."""
        require_service(context, "matcher")
        asked = wire_look_back_pictures.parse_pictures(request)
        async for one in self._pictures.of_reads(*asked):
            yield wire_look_back_pictures.to_response(one)
