"""Sensors that read plates themselves, and cameras: both keep what has no answer, and send it again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc

from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceStub
from alpr.ocr.v1 import ocr_service_pb2 as ocr_pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from alpr.type.v1 import read_pb2
from services.common.readid import read_id_of_sender
from services.common.wire import to_datetime, to_timestamp
from tests.chaos.answers import KEPT, AnsweredRead, Answers
from tests.chaos.plates import Plates

_PLACE: Final = read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound")
_OVERVIEW: Final = b"overview" * 64
_MOST_WAITING: Final = 6
_PAUSE_SECONDS: Final = 0.4
# A stream that says nothing for so long is given up: the link may have died without a word.
_QUIET_SECONDS: Final = 15.0
_AGAIN_ONE_IN: Final = 30
_AGE: Final = timedelta(milliseconds=500)
_PICTURES: Final = 12


@dataclass
class Sensor:
    """A sensor on a channel of its own."""

    sensor_id: str
    channel: grpc.aio.Channel
    answers: Answers
    plates: Plates
    chance: random.Random
    batch: int
    every_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Sends batches until told to stop, and then until all have their answer."""
        waiting: deque[match_pb.SubmitReadsRequest] = deque()
        maker = asyncio.create_task(self._make(waiting, stop))
        try:
            while not (stop.is_set() and maker.done() and not waiting):
                try:
                    await self._one_stream(waiting, stop, maker)
                except grpc.aio.AioRpcError as error:
                    self.answers.refused("reads", error)
                except asyncio.InvalidStateError:
                    self.answers.refusals["reads: stream ended while a batch was written"] += 1
                except TimeoutError:
                    self.answers.refusals["reads: quiet stream given up"] += 1
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            maker.cancel()

    async def _make(self, waiting: deque[match_pb.SubmitReadsRequest], stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            if len(waiting) < _MOST_WAITING:
                number += 1
                reads = [self._read(f"{number}-{n}") for n in range(self.batch)]
                waiting.append(match_pb.SubmitReadsRequest(batch_number=number, reads=reads))
            await asyncio.sleep(self.every_seconds)

    def _read(self, name: str) -> read_pb2.CapturedRead:
        captured = datetime.now(UTC) - _AGE
        read = read_pb2.Read(
            read_id=str(read_id_of_sender(self.sensor_id, captured, name)),
            sensor_id=self.sensor_id,
            capture_time=to_timestamp(captured),
            sender_read_id=name,
            place=_PLACE,
            plate=self.plates.next(),
            states=[read_pb2.StateProbability(state="IL", probability=0.99)],
            plate_box=read_pb2.Box(x=1, y=2, width=100, height=40),
            model_version="chaos",
            image=read_pb2.ImageRef(
                sha256=hashlib.sha256(_OVERVIEW).digest(),
                day=f"{captured:%Y-%m-%d}",
                media_type="image/jpeg",
                size_bytes=len(_OVERVIEW),
            ),
        )
        return read_pb2.CapturedRead(read=read, crop_image=b"crop" * 32, overview_image=_OVERVIEW)

    async def _one_stream(
        self, waiting: deque[match_pb.SubmitReadsRequest], stop: asyncio.Event, maker: asyncio.Task[None]
    ) -> None:
        """One stream, for as long as it goes; what is in `waiting` after it has no answer."""
        call = MatchServiceStub(self.channel).SubmitReads()
        sent: deque[match_pb.SubmitReadsRequest] = deque()
        again: set[int] = set()
        written = 0
        try:
            while waiting or not (stop.is_set() and maker.done()):
                for request in list(waiting)[written:]:
                    written += 1
                    twice = self.chance.randrange(_AGAIN_ONE_IN) == 0  # as after an answer that was lost
                    again |= {request.batch_number} if twice else set()
                    for one in [request, request] if twice else [request]:
                        await call.write(one)
                        sent.append(one)
                if not sent:
                    await asyncio.sleep(self.every_seconds)
                    continue
                answer = await asyncio.wait_for(call.read(), _QUIET_SECONDS)
                if not isinstance(answer, match_pb.SubmitReadsResponse):
                    await call.code()
                    return
                request = sent.popleft()
                self._answered(request, answer)
                if request.batch_number in again:
                    again.remove(request.batch_number)  # its second answer is still to come
                else:
                    waiting.popleft()
                    written -= 1
            await call.done_writing()
        finally:
            call.cancel()

    def _answered(self, request: match_pb.SubmitReadsRequest, answer: match_pb.SubmitReadsResponse) -> None:
        assert answer.batch_number == request.batch_number
        for one, result in zip(request.reads, answer.results, strict=True):
            assert result.read_id == one.read.read_id
            _note(self.answers, one.read, result)
        self.answers.ok("reads", len(request.reads))


@dataclass
class Camera:
    """A camera that sends pictures, each until it is answered."""

    sensor_id: str
    channel: grpc.aio.Channel
    answers: Answers
    pictures: Sequence[bytes]
    every_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Sends pictures until told to stop."""
        number = 0
        while not stop.is_set():
            number += 1
            frame = ocr_pb.Frame(
                frame_id=f"{self.sensor_id}-{number}", image=self.pictures[number % len(self.pictures)]
            )
            frame.capture_time.FromDatetime(datetime.now(UTC) - _AGE)
            await self._until_answered(frame)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.every_seconds)

    async def _until_answered(self, frame: ocr_pb.Frame) -> None:
        stub: Any = OcrServiceStub(self.channel)
        while True:
            try:
                answer = await stub.Recognize(ocr_pb.RecognizeRequest(frame=frame), timeout=_QUIET_SECONDS)
            except grpc.aio.AioRpcError as error:
                self.answers.refused("frames", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for plate in answer.plates:
                image = plate.read.image.sha256 if plate.status in KEPT else b""
                _note(self.answers, plate.read, match_pb.ReadResult(status=plate.status), image)
            self.answers.ok("frames")
            return


def _note(answers: Answers, read: read_pb2.Read, result: match_pb.ReadResult, image: bytes = b"") -> None:
    answers.read(
        AnsweredRead(
            read_id=read.read_id,
            plate=read.plate,
            sensor_id=read.sensor_id,
            captured=to_datetime(read.capture_time),
            status=result.status,
            reason=result.status_reason,
            revision=result.match_revision,
            answered_at=time.monotonic(),
            image=image,
        )
    )
