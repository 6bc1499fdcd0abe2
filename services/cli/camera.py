"""A camera for the ocr service: sends frames as a registered sensor, and loses none when a stream breaks."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime

import grpc

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as rpc
from alpr.type.v1 import read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.frames import Picture
from services.cli.session import PATIENCE_SECONDS
from services.common.errors import from_rpc_error

_IN_FLIGHT = 4
_PAUSE_SECONDS = 0.5
# An approval is known to every service within about a second; a camera that comes sooner waits for it.
_APPROVAL_SECONDS = 5.0
_NOT_APPROVED = ErrorReason.Name(ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED)


class Camera:
    """Sends pictures on a channel whose certificate names the sensor."""

    def __init__(
        self, channel: grpc.aio.Channel, place: read_pb2.Place | None, *, on_wait: Callable[[str], None]
    ) -> None:
        self._stub = rpc.OcrServiceStub(channel)
        self._place = place
        self._on_wait = on_wait
        self._approved_by = 0.0

    async def send(
        self, pictures: Iterable[Picture]
    ) -> AsyncIterator[tuple[pb.Frame, pb.RecognizeStreamResponse]]:
        """Each frame with its answer, in order.

        A frame without a final answer is sent again, with the same capture time and so the same read ids,
        until it has one or the service was away for `PATIENCE_SECONDS`.

        Raises:
            AlprError: The stream ended with an error that sending again does not mend.
        """
        source, pending = iter(pictures), deque[pb.Frame]()
        self._approved_by = time.monotonic() + _APPROVAL_SECONDS
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                async for frame, answer in self._one_stream(source, pending):
                    give_up = time.monotonic() + PATIENCE_SECONDS
                    yield frame, answer
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > give_up:
                    raise from_rpc_error(error) from None
                self._on_wait("The ocr service is not reachable just now; sending again")
            else:
                if not pending:
                    return
                self._on_wait("A frame could not be stored yet; sending it again")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _one_stream(
        self, source: Iterable[Picture], pending: deque[pb.Frame]
    ) -> AsyncIterator[tuple[pb.Frame, pb.RecognizeStreamResponse]]:
        """Answers of one stream; what is still in `pending` after it has no final answer."""
        call = self._stub.RecognizeStream()
        pictures = iter(source)
        for frame in pending:
            await call.write(pb.RecognizeStreamRequest(frame=frame))
        while True:
            while len(pending) < _IN_FLIGHT and (picture := next(pictures, None)) is not None:
                pending.append(self._frame(picture))
                await call.write(pb.RecognizeStreamRequest(frame=pending[-1]))
            if not pending:
                await call.done_writing()
                return
            answer = await call.read()
            if not isinstance(answer, pb.RecognizeStreamResponse) or self._is_passing(answer.error):
                call.cancel()
                return
            yield pending.popleft(), answer

    def _is_passing(self, error: pb.FrameError) -> bool:
        young = time.monotonic() < self._approved_by
        return error.retryable or (error.reason == _NOT_APPROVED and young)

    def _frame(self, picture: Picture) -> pb.Frame:
        frame = pb.Frame(frame_id=picture.name, image=picture.image, place=self._place)
        frame.capture_time.FromDatetime(picture.capture_time or datetime.now(UTC))
        return frame
