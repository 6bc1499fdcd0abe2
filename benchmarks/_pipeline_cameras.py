"""Cameras that read plates themselves, in a process of their own: finished reads, a stream a camera.

A read is a made one (plate, lattice, states; `_match_stream.py`) with an id, a moment and a camera of its
own; its picture is stored where the camera is, and its hash is in the read. What stays the same is encoded
once, so that the cameras take little of the processors that the services run on.

`paced` sends a batch at its moment whatever became of the ones before, and counts from that moment until the
answer. `closed` keeps a number of batches of each camera under way.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import time
from array import array
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, cycle
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import uvloop

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.client import ClientTls, service_channel
from services.common.readid import read_id_of_sender
from services.common.wire import to_timestamp

_METHOD: Final = "/alpr.matcher.v1.MatchService/SubmitReads"
_PATIENCE_SECONDS: Final = 300.0
_READS_TAG: Final = b"\x12"
_READ_TAG: Final = b"\x0a"


@dataclass(frozen=True, slots=True)
class Camera:
    """Who sends, where to and with which certificate; `server` is the name that the other side proves."""

    sensor_id: str
    target: str
    tls: ClientTls
    server: str = "matcher"


@dataclass(frozen=True, slots=True)
class Made:
    """What reads are made from: encoded reads without id, camera and time, and the encoded pictures."""

    passing: Sequence[bytes]
    listed: Sequence[bytes]
    pictures: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent.

    Attributes:
        seconds: For so long.
        per_second: Reads of all cameras together; 0 keeps `window` batches of each camera under way.
        batch: Reads a batch.
        window: Batches under way.
        listed_one_in: Every n-th read is of a listed plate; 0 for none.
    """

    seconds: float
    per_second: float = 0.0
    batch: int = 100
    window: int = 2
    listed_one_in: int = 0


@dataclass
class Report:
    """What became of it.

    Attributes:
        seconds: From the first batch to the last answer.
        statuses: Reads by what they were answered with.
        read_ids: Of the reads that were answered STORED, 16 bytes each, one after the other.
        listed: Reads of listed plates among them.
        batch_seconds: From the moment that each batch was due to its answer.
        cpu_seconds: Processor time of this process.
    """

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    read_ids: bytearray = field(default_factory=bytearray)
    listed: int = 0
    batch_seconds: array[float] = field(default_factory=lambda: array("d"))
    cpu_seconds: float = 0.0

    @property
    def stored(self) -> int:
        """Reads that were answered STORED."""
        return self.statuses["STORED"]


class Cameras:
    """The process of the cameras: `async with Cameras(cameras, made) as cameras`."""

    def __init__(self, cameras: Sequence[Camera], made: Path) -> None:
        self._pipe, there = multiprocessing.get_context("spawn").Pipe()
        arguments = (tuple(cameras), made, there)
        self._process = multiprocessing.get_context("spawn").Process(
            target=_process, args=arguments, daemon=True
        )

    async def __aenter__(self) -> Self:
        self._process.start()
        await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.join)

    async def send(self, order: Order) -> Report:
        """What became of the order, once everything is answered."""
        self._pipe.send(order)
        answer = await self._answer()
        assert isinstance(answer, Report)  # noqa: S101 - that is what is sent for an order
        return answer

    async def _answer(self) -> Any:
        if not await asyncio.to_thread(self._pipe.poll, _PATIENCE_SECONDS):
            raise SystemExit("the cameras do not answer")
        answer = self._pipe.recv()
        if isinstance(answer, str):
            raise SystemExit(f"a camera gave up: {answer}")
        return answer


def write_made(file: Path, reads: Sequence[read_pb2.CapturedRead], listed_one_in: int) -> None:
    """Writes what reads are made from; the first of every `listed_one_in` is of a listed plate."""
    encoded = [_without_moment(one.read) for one in reads]
    pictures = _pictures_of(reads[0])
    listed = encoded[::listed_one_in]
    passing = [one for n, one in enumerate(encoded) if n % listed_one_in]
    file.write_bytes(pickle.dumps(Made(passing, listed, pictures)))


def _pictures_of(captured: read_pb2.CapturedRead) -> bytes:
    """The encoded pictures of `captured`, to be put behind an encoded read."""
    return read_pb2.CapturedRead(
        crop_image=captured.crop_image, overview_image=captured.overview_image
    ).SerializeToString()


def _without_moment(read: read_pb2.Read) -> bytes:
    kept = read_pb2.Read()
    kept.CopyFrom(read)
    for name in ("read_id", "sensor_id", "capture_time", "receive_time", "sender_read_id"):
        kept.ClearField(name)  # type: ignore[arg-type]
    return kept.SerializeToString()


def _process(cameras: tuple[Camera, ...], made: Path, pipe: Connection) -> None:
    uvloop.run(_serve(cameras, pickle.loads(made.read_bytes()), pipe))  # noqa: S301 - our own file


async def _serve(cameras: tuple[Camera, ...], made: Made, pipe: Connection) -> None:
    maker = _Maker(made)
    pipe.send(None)
    while True:
        order = await asyncio.to_thread(pipe.recv)
        try:
            pipe.send(await _sent(cameras, maker, order))
        except Exception as error:
            pipe.send(f"{type(error).__name__} {error}")


async def _sent(cameras: Sequence[Camera], maker: _Maker, order: Order) -> Report:
    report = Report()
    cpu, start = time.process_time(), time.perf_counter()
    maker.begin(order)
    await asyncio.gather(
        *(_Stream(one, maker, order, report, start, n / len(cameras)).run(len(cameras))
          for n, one in enumerate(cameras))
    )  # fmt: skip
    report.seconds = time.perf_counter() - start
    report.cpu_seconds = time.process_time() - cpu
    return report


class _Maker:
    """Makes encoded batches of new reads."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._passing = cycle(made.passing)
        self._listed = cycle(made.listed)
        self._numbers = count()
        self._one_in = 0

    def begin(self, order: Order) -> None:
        """From now on by `order`."""
        self._one_in = order.listed_one_in

    def batch(self, camera: str, number: int, size: int) -> tuple[bytes, int]:
        """A batch of `size` reads as SubmitReads takes it, and how many of them are of listed plates."""
        now = datetime.now(UTC)
        stamp, day = to_timestamp(now), read_pb2.ImageRef(day=f"{now:%Y-%m-%d}")
        parts, listed = [pb.SubmitReadsRequest(batch_number=number).SerializeToString()], 0
        for _ in range(size):
            one = next(self._numbers)
            is_listed = bool(self._one_in) and one % self._one_in == 0
            listed += is_listed
            name = f"{one}"
            own = read_pb2.Read(
                read_id=str(read_id_of_sender(camera, now, name)),
                sensor_id=camera,
                capture_time=stamp,
                sender_read_id=name,
                image=day,
            ).SerializeToString()
            # Two encoded messages in a row are one message with the fields of both.
            read = _part(_READ_TAG, next(self._listed if is_listed else self._passing) + own)
            parts.append(_part(_READS_TAG, read + self._made.pictures))
        return b"".join(parts), listed


def _part(tag: bytes, payload: bytes) -> bytes:
    """`payload` with tag and length, as Protocol Buffers encode it."""
    length, size = bytearray(), len(payload)
    while size > 0x7F:  # noqa: PLR2004 - seven bits a byte
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return tag + bytes(length) + payload


class _Stream:
    """One camera's stream; `phase` is when in the interval between two batches its own are due, 0 to 1."""

    def __init__(  # noqa: PLR0913, PLR0917 - who, what, and where it is written down
        self, camera: Camera, maker: _Maker, order: Order, report: Report, start: float, phase: float
    ) -> None:
        self._camera = camera
        self._maker = maker
        self._order = order
        self._report = report
        self._start = start
        self._phase = phase
        self._due: deque[float] = deque()
        self._room = asyncio.Semaphore(order.window)

    async def run(self, cameras: int) -> None:
        """Returns when every batch is answered."""
        order, one = self._order, self._camera
        interval = order.batch * cameras / order.per_second if order.per_second else 0.0
        source = self._paced(interval) if interval else self._closed()
        async with service_channel(one.target, one.tls, server_name=one.server) as channel:
            method: Callable[..., Any] = channel.stream_stream(
                _METHOD, response_deserializer=pb.SubmitReadsResponse.FromString
            )
            async for answer in method(source):
                self._note(answer)

    async def _paced(self, interval: float) -> AsyncIterator[bytes]:
        due = self._start + interval * self._phase
        number = 0
        while due < self._start + self._order.seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield self._batch(number, due)
            due += interval
            number += 1

    async def _closed(self) -> AsyncIterator[bytes]:
        number = 0
        while True:
            await self._room.acquire()
            now = time.perf_counter()
            if now > self._start + self._order.seconds:
                return
            yield self._batch(number, now)
            number += 1

    def _batch(self, number: int, due: float) -> bytes:
        batch, listed = self._maker.batch(self._camera.sensor_id, number, self._order.batch)
        self._report.listed += listed
        self._due.append(due)
        return batch

    def _note(self, answer: pb.SubmitReadsResponse) -> None:
        self._room.release()
        self._report.batch_seconds.append(time.perf_counter() - self._due.popleft())
        for one in answer.results:
            status = read_pb2.ReadStatus.Name(one.status).removeprefix("READ_STATUS_")
            self._report.statuses[status] += 1
            if one.status == read_pb2.READ_STATUS_STORED:
                self._report.read_ids += UUID(one.read_id).bytes


def at(camera: Camera, target: str, tls: ClientTls, server: str) -> Camera:
    """The same camera that sends to somebody else."""
    return replace(camera, target=target, tls=tls, server=server)
