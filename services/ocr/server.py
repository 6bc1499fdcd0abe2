"""The servicer: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import structlog

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceServicer
from services.common.clock import Clock
from services.common.errors import (
    AlprError,
    InternalError,
    StoppingError,
)
from services.common.identity import Context
from services.common.sensor_calls import require_sensor, while_certified
from services.common.sensors import SensorRegistry
from services.common.stopping import Stopping, stopping_of
from services.common.wire import to_timestamp
from services.ocr import wire, wire_video
from services.ocr.app import FrameIntake
from services.ocr.app_models import ModelRollOut
from services.ocr.frames import Looked
from services.ocr.metrics import FRAMES
from services.ocr.passages import HeldBytes
from services.ocr.pipeline import in_order
from services.ocr.server_models import ModelRpcs
from services.ocr.status import StatusRelay
from services.ocr.video import Taken, VideoSettings, VideoStream

log = structlog.get_logger()

SERVICE: Final = "alpr.ocr.v1.OcrService"


class OcrServicer(ModelRpcs, OcrServiceServicer):
    """See ocr_service.proto."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a sensor meets here
        self,
        sensors: SensorRegistry,
        intake: FrameIntake,
        statuses: StatusRelay,
        roll_out: ModelRollOut,
        clock: Clock,
        video: VideoSettings,
    ) -> None:
        super().__init__(roll_out)
        self._sensors = sensors
        self._intake = intake
        self._statuses = statuses
        self._clock = clock
        self._video = video
        self._held = HeldBytes(video.held_bytes)

    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:
        """See ocr_service.proto."""
        sensor_id = require_sensor(context, self._sensors)
        try:
            frame = wire.parse_frame(request.frame, self._clock.now())
            answer = await self._intake.take(frame, sensor_id, context.time_remaining())
        except AlprError:
            FRAMES.labels("failed").inc()
            raise
        return pb.RecognizeResponse(
            plates=wire.to_recognized_plates(answer.reads),
            recognition_time=wire.to_duration(answer.seconds),
            unreadable_count=len(answer.unreadable),
            notice=wire.NOTICE,
        )

    async def ReportSensorStatus(
        self, request: pb.ReportSensorStatusRequest, context: Context
    ) -> pb.ReportSensorStatusResponse:
        """See ocr_service.proto."""
        received = await self._statuses.report(request.status, require_sensor(context, self._sensors))
        return pb.ReportSensorStatusResponse(receive_time=to_timestamp(received))

    async def RecognizeStream(
        self, requests: AsyncIterator[pb.RecognizeStreamRequest], context: Context
    ) -> AsyncIterator[pb.RecognizeStreamResponse]:
        """See ocr_service.proto."""
        sensor_id = require_sensor(context, self._sensors)
        recognized = self._recognized(requests, sensor_id, context)
        async with (
            aclosing(recognized),
            aclosing(while_certified(recognized, context, self._sensors)) as given,
        ):
            async for answer in given:
                yield answer
        if stopping_of(context).is_set():
            raise StoppingError("the service is stopping; open the stream again")

    async def _recognized(
        self, requests: AsyncIterator[pb.RecognizeStreamRequest], sensor_id: str, context: Context
    ) -> AsyncGenerator[pb.RecognizeStreamResponse]:
        stopping = stopping_of(context)
        requests, options = await wire_video.begun(requests, stopping)
        if options is None:
            answers = self._single_frames(requests, sensor_id, context, stopping)
        else:
            answers = self._video_frames(requests, sensor_id, context, options)
        async with aclosing(answers):
            async for answer in answers:
                yield answer

    def _single_frames(
        self,
        requests: AsyncIterator[pb.RecognizeStreamRequest],
        sensor_id: str,
        context: Context,
        stopping: Stopping,
    ) -> AsyncGenerator[pb.RecognizeStreamResponse]:
        async def work(request: pb.RecognizeStreamRequest) -> pb.RecognizeStreamResponse:
            return await self._answer(request.frame, sensor_id, context.time_remaining())

        return in_order(requests, work, most=self._video.in_flight, stopping=stopping)

    async def _video_frames(
        self,
        requests: AsyncIterator[pb.RecognizeStreamRequest],
        sensor_id: str,
        context: Context,
        options: wire_video.VideoOptions,
    ) -> AsyncGenerator[pb.RecognizeStreamResponse]:
        async def look(request: pb.RecognizeStreamRequest) -> Taken:
            looked = await self._look(request.frame, sensor_id, context.time_remaining())
            return request.frame.frame_id, looked

        stream = VideoStream(
            self._intake,
            sensor_id,
            self._video,
            self._held,
            frames_kept=options.frames_kept,
            open_passages=options.open_passages,
        )
        async with aclosing(stream.answers(requests, look, stopping_of(context))) as answers:
            async for answer in answers:
                if answer.error:
                    FRAMES.labels("failed").inc()
                yield wire_video.to_stream_answer(answer)

    async def _look(self, frame: pb.Frame, sensor_id: str, seconds_left: float | None) -> Looked | AlprError:
        """What is in a frame of a video, or why it failed."""
        try:
            parsed = wire.parse_frame(frame, self._clock.now())
            return await self._intake.look(parsed, sensor_id, seconds_left)
        except AlprError as error:
            return error
        except Exception:
            log.exception("frame_failed")
            return InternalError("the frame failed for a reason of ours")

    async def _answer(
        self, frame: pb.Frame, sensor_id: str, seconds_left: float | None
    ) -> pb.RecognizeStreamResponse:
        """The answer for one frame of a stream. What is wrong with it never ends the stream."""
        try:
            parsed = wire.parse_frame(frame, self._clock.now())
            answer = await self._intake.take(parsed, sensor_id, seconds_left)
        except AlprError as error:
            return _failed(frame.frame_id, error)
        except Exception:
            log.exception("frame_failed")
            return _failed(frame.frame_id, InternalError("the frame failed for a reason of ours"))
        return pb.RecognizeStreamResponse(
            frame_id=frame.frame_id,
            plates=wire.to_recognized_plates(answer.reads),
            recognition_time=wire.to_duration(answer.seconds),
            unreadable_count=len(answer.unreadable),
            sightings=wire_video.to_sightings(answer),
            notice=wire.NOTICE,
        )


def _failed(frame_id: str, error: AlprError) -> pb.RecognizeStreamResponse:
    FRAMES.labels("failed").inc()
    return pb.RecognizeStreamResponse(frame_id=frame_id, error=wire.to_frame_error(error))
