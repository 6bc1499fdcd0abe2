"""The servicers of the matcher: decode, call, encode."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator

from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as lists_grpc
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1 import match_service_pb2_grpc as match_grpc
from services.common import tracing
from services.common.clock import Clock
from services.common.errors import NotPermittedError, StoppingError
from services.common.identity import AccessToken, Context, PeerKind, caller_of, require_service, require_token
from services.common.sensor_calls import require_sensor, while_certified
from services.common.sensors import SensorRegistry
from services.common.stopping import stopping_of
from services.common.wire import to_timestamp
from services.matcher import wire_history, wire_lists, wire_reads
from services.matcher.app_history import History
from services.matcher.app_index import IndexFollower
from services.matcher.app_lists import HotLists
from services.matcher.app_reads import ReadIntake
from services.matcher.app_status import SensorStatuses
from services.matcher.app_uploads import Uploads
from services.matcher.pipeline import Pipeline


class HotListServicer(lists_grpc.HotListServiceServicer):
    """See hot_list_service.proto."""

    def __init__(self, hot_lists: HotLists, uploads: Uploads, history: History) -> None:
        self._hot_lists = hot_lists
        self._uploads = uploads
        self._history = history

    async def CreateHotList(
        self, request: lists_pb.CreateHotListRequest, context: Context
    ) -> lists_pb.CreateHotListResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        made = await self._hot_lists.create(*wire_lists.parse_create(request), token)
        return lists_pb.CreateHotListResponse(hot_list=wire_lists.to_hot_list(made))

    async def UploadHotListVersion(
        self, request_iterator: AsyncIterator[lists_pb.UploadHotListVersionRequest], context: Context
    ) -> lists_pb.UploadHotListVersionResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        header = wire_lists.parse_header(await anext(request_iterator, None))
        chunks = wire_lists.parse_chunks(request_iterator)
        summary = await self._uploads.upload(header, chunks, token)
        needed = self._uploads.needs_approval(summary.removal)
        return wire_lists.to_upload_response(summary, approval_needed=needed)

    async def ApproveHotListVersion(
        self, request: lists_pb.ApproveHotListVersionRequest, context: Context
    ) -> lists_pb.ApproveHotListVersionResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        removal = await self._hot_lists.approve(*wire_lists.parse_version(request), token)
        return lists_pb.ApproveHotListVersionResponse(
            compared_version=removal.compared_version, removed_count=removal.removed
        )

    async def ActivateHotListVersion(
        self, request: lists_pb.ActivateHotListVersionRequest, context: Context
    ) -> lists_pb.ActivateHotListVersionResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        active, revision = await self._hot_lists.activate(*wire_lists.parse_version(request), token)
        hot_list = wire_lists.to_hot_list(active)
        return lists_pb.ActivateHotListVersionResponse(hot_list=hot_list, match_revision=revision)

    async def DeactivateHotList(
        self, request: lists_pb.DeactivateHotListRequest, context: Context
    ) -> lists_pb.DeactivateHotListResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        idle, revision = await self._hot_lists.deactivate(*wire_lists.parse_reasoned(request), token)
        hot_list = wire_lists.to_hot_list(idle)
        return lists_pb.DeactivateHotListResponse(hot_list=hot_list, match_revision=revision)

    async def SetImmigrationFile(
        self, request: lists_pb.SetImmigrationFileRequest, context: Context
    ) -> lists_pb.SetImmigrationFileResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        asked = wire_lists.parse_reasoned(request)
        changed = await self._hot_lists.set_immigration_file(*asked, token, allowed=request.allowed)
        return lists_pb.SetImmigrationFileResponse(hot_list=wire_lists.to_hot_list(changed))

    async def ListHotListVersions(
        self, request: lists_pb.ListHotListVersionsRequest, context: Context
    ) -> lists_pb.ListHotListVersionsResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        versions, more = await self._history.versions(*wire_history.parse_versions(request), token)
        needed = [(one, self._history.needs_approval(one.removal)) for one in versions]
        return wire_history.to_versions_response(needed, more=more)

    async def DiffHotListVersions(
        self, request: lists_pb.DiffHotListVersionsRequest, context: Context
    ) -> lists_pb.DiffHotListVersionsResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        asked = wire_history.parse_difference(request)
        difference, changes, more = await self._history.difference(asked, token)
        return wire_history.to_difference_response(difference, changes, more=more)

    async def ListQuarantinedUploads(
        self, request: lists_pb.ListQuarantinedUploadsRequest, context: Context
    ) -> lists_pb.ListQuarantinedUploadsResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        uploads, more = await self._history.quarantined(*wire_history.parse_quarantined(request), token)
        return wire_history.to_quarantined_response(uploads, more=more)

    async def GetQuarantinedUpload(
        self, request: lists_pb.GetQuarantinedUploadRequest, context: Context
    ) -> lists_pb.GetQuarantinedUploadResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        upload_id, after, size = wire_history.parse_report(request)
        upload, findings, more = await self._history.report(upload_id, after, size, token)
        return wire_history.to_report_response(upload, findings, after, more=more)

    async def ListHotLists(
        self, request: lists_pb.ListHotListsRequest, context: Context
    ) -> lists_pb.ListHotListsResponse:
        """See hot_list_service.proto."""
        token = _token(context)
        after, size = wire_lists.parse_list(request)
        lists, more = await self._hot_lists.page(uuid.uuid4(), after, size, token)
        return wire_lists.to_list_response(lists, more=more)


class MatchServicer(match_grpc.MatchServiceServicer):
    """See match_service.proto."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a read and a sensor meet here
        self,
        sensors: SensorRegistry,
        intake: ReadIntake,
        statuses: SensorStatuses,
        index: IndexFollower,
        hot_lists: HotLists,
        clock: Clock,
        depth: int,
    ) -> None:
        self._sensors = sensors
        self._intake = intake
        self._statuses = statuses
        self._index = index
        self._hot_lists = hot_lists
        self._clock = clock
        self._depth = depth

    async def SubmitReads(
        self, request_iterator: AsyncIterator[match_pb.SubmitReadsRequest], context: Context
    ) -> AsyncIterator[match_pb.SubmitReadsResponse]:
        """See match_service.proto."""
        sensor_id = self._sending_sensor(context)
        stopping = stopping_of(context)

        async def answer(request: match_pb.SubmitReadsRequest) -> match_pb.SubmitReadsResponse:
            if sensor_id and any(one.read.sensor_id != sensor_id for one in request.reads):
                raise NotPermittedError(
                    "a sensor may send its own reads only", metadata={"clauses": "III.B.3.e"}
                )
            sensors = self._intake.admit(wire_reads.captures_of(request))
            reads = wire_reads.parse_batch(request, self._clock.now() if sensor_id else None)
            with _traced(request, from_sensor=bool(sensor_id)):
                answered = await self._intake.submit(reads, sensors)
            return wire_reads.to_response(request.batch_number, answered)

        answers = Pipeline(self._depth, stopping).run(request_iterator, answer)
        async with contextlib.aclosing(answers):
            given = while_certified(answers, context, self._sensors) if sensor_id else answers
            async with contextlib.aclosing(given):
                async for response in given:
                    yield response
        if stopping.is_set():
            raise StoppingError("the service is stopping; send what has no answer to another replica")

    async def ReportSensorStatus(
        self, request: match_pb.ReportSensorStatusRequest, context: Context
    ) -> match_pb.ReportSensorStatusResponse:
        """See match_service.proto."""
        sensor_id = self._sending_sensor(context)
        now = self._clock.now()
        status, received = wire_reads.parse_status(request, None if sensor_id else now)
        if sensor_id and status.sensor_id not in {"", sensor_id}:
            raise NotPermittedError("a sensor speaks for itself only", metadata={"clauses": "III.B.3.e"})
        status.sensor_id = sensor_id or status.sensor_id
        await self._statuses.report(status, received or now)
        return match_pb.ReportSensorStatusResponse(receive_time=to_timestamp(received or now))

    def _sending_sensor(self, context: Context) -> str:
        """The sensor that the certificate names; empty for the ocr service, which sends for many."""
        if caller_of(context).peer.kind is PeerKind.SENSOR:
            return require_sensor(context, self._sensors)
        require_service(context, "ocr")
        return ""

    async def GetMatcherState(
        self, request: match_pb.GetMatcherStateRequest, context: Context
    ) -> match_pb.GetMatcherStateResponse:
        """See match_service.proto."""
        caller = caller_of(context)
        if caller.peer.kind is PeerKind.SERVICE:
            index = self._index.current()
        else:
            index = await self._hot_lists.state(uuid.uuid4(), _token(context))
        return match_pb.GetMatcherStateResponse(
            match_revision=index.revision,
            load_time=to_timestamp(index.load_time),
            entry_count=index.entry_count,
            plate_count=index.plate_count,
        )


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 - that is what require_token promises
    return token


def _traced(request: match_pb.SubmitReadsRequest, *, from_sensor: bool) -> tracing.Traced:
    """The span of a batch: of ocr's trace, or where a sensor sends it, one that may begin here."""
    if from_sensor:
        return tracing.beginning("matcher.batch", reads=len(request.reads))
    return tracing.going_on("matcher.batch", request.traceparent, reads=len(request.reads))
