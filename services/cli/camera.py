"""A camera for the ocr service: sends frames as a registered sensor, and loses none when a stream breaks."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as rpc
from alpr.type.v1 import read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.frames import Picture
from services.cli.session import PATIENCE_SECONDS
from services.common.errors import AlprError, from_rpc_error

# Frames and bytes that are kept without an answer. Of a video the frames of some seconds: those of a passage
# are answered when its read is on disk.
_PHOTOS_KEPT = 4
_FRAMES_KEPT = 128
_BYTES_KEPT = 128 << 20
_PAUSE_SECONDS = 0.5
# An approval is known to every service within about a second; a camera that comes sooner waits for it.
_APPROVAL_SECONDS = 5.0
_NOT_APPROVED = ErrorReason.Name(ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED)
_NOT_VALID = ErrorReason.ERROR_REASON_CERTIFICATE_NOT_VALID
_NOT_YET = {ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED, _NOT_VALID}
_COME_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
# What the transport says of a stream whose process was killed, or was just ending as it began; a service that
# says it adds its reason.
_BROKEN_OFF = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED}
_REASON = "grpc-status-details-bin"

Sent = tuple[pb.Frame, pb.RecognizeStreamResponse]


class Camera:
    """Sends pictures on a channel whose certificate names the sensor.

    Args:
        channel: To the ocr service.
        place: Of a mobile or portable sensor.
        on_wait: Is told why it takes longer.
        video: The pictures follow one another, and passages are wanted.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        place: read_pb2.Place | None,
        *,
        on_wait: Callable[[str], None],
        video: bool = False,
    ) -> None:
        self._stub = rpc.OcrServiceStub(channel)
        self._place = place
        self._on_wait = on_wait
        self._video = video
        self._most_kept = _FRAMES_KEPT if video else _PHOTOS_KEPT
        self._open_passages: Sequence[pb.OpenPassage] = ()
        self._approved_by = 0.0

    async def send(self, pictures: Iterable[Picture] | AsyncIterator[Picture]) -> AsyncIterator[Sent]:
        """Each frame with its answer, in order.

        A frame without a final answer is sent again, with the same capture time and so the same read ids,
        until it has one or the service was away for `PATIENCE_SECONDS`.

        Raises:
            AlprError: The stream ended with an error that sending again does not mend.
        """
        kept = _Kept(_each_of(pictures), self._most_kept)
        self._approved_by = time.monotonic() + _APPROVAL_SECONDS
        give_up = time.monotonic() + PATIENCE_SECONDS
        try:
            while True:
                try:
                    async for sent in self._one_stream(kept):
                        give_up = time.monotonic() + PATIENCE_SECONDS
                        yield sent
                except grpc.aio.AioRpcError as error:
                    typed = from_rpc_error(error)
                    if not (_comes_again(error) or self._is_unheard(typed)) or time.monotonic() > give_up:
                        raise typed from None
                    self._on_wait("The ocr service cannot take frames just now; sending again")
                else:
                    if kept.empty:
                        return
                    self._on_wait("A frame could not be stored yet; sending it again")
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            kept.close()

    async def _one_stream(self, kept: "_Kept") -> AsyncIterator[Sent]:
        """Answers of one stream; what is kept after it has no final answer."""
        call = self._stub.RecognizeStream()
        writing = asyncio.create_task(self._write(call, kept))
        try:
            while True:
                answer = await call.read()
                if not isinstance(answer, pb.RecognizeStreamResponse):
                    break
                if self._is_passing(answer.error):
                    return
                self._open_passages = answer.open_passages
                yield kept.answered(), answer
            if kept.error is not None:
                raise kept.error
        finally:
            writing.cancel()
            call.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, call: Any, kept: "_Kept") -> None:
        if self._video:
            options = pb.StreamOptions(
                video=True, open_passages=self._open_passages, frames_kept=self._most_kept
            )
            await call.write(pb.RecognizeStreamRequest(options=options))
        for frame in list(kept.frames):
            await call.write(pb.RecognizeStreamRequest(frame=frame))
        while (picture := await kept.next_picture()) is not None:
            frame = self._frame(picture)
            kept.keep(frame)
            await call.write(pb.RecognizeStreamRequest(frame=frame))
        await call.done_writing()

    def _is_unheard(self, error: AlprError) -> bool:
        """Whether the service may not have heard of the sensor or its certificate yet."""
        known = error.reason == _NOT_VALID and error.metadata.get("state") != "UNKNOWN"
        return error.reason in _NOT_YET and not known and time.monotonic() < self._approved_by

    def _is_passing(self, error: pb.FrameError) -> bool:
        young = time.monotonic() < self._approved_by
        return error.retryable or (error.reason == _NOT_APPROVED and young)

    def _frame(self, picture: Picture) -> pb.Frame:
        frame = pb.Frame(frame_id=picture.name, image=picture.image, place=self._place)
        frame.capture_time.FromDatetime(picture.capture_time or datetime.now(UTC))
        return frame


@dataclass
class _Kept:
    """Frames without an answer, and where further ones come from."""

    source: AsyncIterator[Picture]
    most: int
    frames: deque[pb.Frame] = field(default_factory=deque)
    error: Exception | None = None
    _bytes: int = 0
    _over: bool = False
    _coming: asyncio.Task[Picture | None] | None = None
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def empty(self) -> bool:
        return self._over and not self.frames

    async def next_picture(self) -> Picture | None:
        """The next picture once there is room for it; None after the last.

        What a broken stream did not take is given to the next one.
        """
        while len(self.frames) >= self.most or (self._bytes > _BYTES_KEPT and self.frames):
            self._room.clear()
            await self._room.wait()
        if self._over:
            return None
        if self._coming is None:
            self._coming = asyncio.create_task(_next(self.source))
        try:
            picture = await asyncio.shield(self._coming)
        except Exception as error:
            # Raised when all that was sent before is answered.
            self.error, picture = error, None
        self._coming, self._over = None, picture is None
        return picture

    def keep(self, frame: pb.Frame) -> None:
        self.frames.append(frame)
        self._bytes += len(frame.image)

    def answered(self) -> pb.Frame:
        """The oldest frame; it is kept no longer."""
        frame = self.frames.popleft()
        self._bytes -= len(frame.image)
        self._room.set()
        return frame

    def close(self) -> None:
        if self._coming is not None:
            self._coming.cancel()


async def _next(source: AsyncIterator[Picture]) -> Picture | None:
    return await anext(source, None)


async def _each_of(pictures: Iterable[Picture] | AsyncIterator[Picture]) -> AsyncIterator[Picture]:
    if isinstance(pictures, AsyncIterator):
        async for picture in pictures:
            yield picture
    else:
        for picture in pictures:
            yield picture


def _comes_again(error: grpc.aio.AioRpcError) -> bool:
    if error.code() in _BROKEN_OFF:
        return all(key != _REASON for key, _ in error.trailing_metadata() or ())
    return error.code() in _COME_AGAIN
