"""Subscribers in processes of their own, each with a connection of its own, and what they received when.

What a subscriber does is a function: it is given a seat (whose token, which address) and a record, and
writes down the number of every alert that it gets. Times are of CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
import uvloop

NEW_STREAM: Final = -1
"""Stands among the numbers where a subscriber had to begin a new stream."""
_PROCESSES: Final = 2
_PATIENCE_SECONDS: Final = 120.0

Numbers = npt.NDArray[np.int64]
_Seat = TypeVar("_Seat")


class Record:
    """What one subscriber got."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.times = array("q")
        self.connected = asyncio.Event()
        self.sample = b""

    def note(self, number: int) -> None:
        """Writes down that `number` is here now."""
        self.numbers.append(number)
        self.times.append(time.monotonic_ns())

    def taken(self) -> tuple[bytes, bytes, bytes]:
        """All of it, to be sent to another process; it is empty afterwards."""
        taken = (self.numbers.tobytes(), self.times.tobytes(), self.sample)
        self.numbers, self.times = array("q"), array("q")
        return taken


@dataclass(frozen=True, slots=True)
class Received:
    """The numbers that one subscriber got, in order, when (nanoseconds), and one of the messages."""

    numbers: Numbers
    times: Numbers
    sample: bytes


Follow = Callable[[_Seat, Record], Awaitable[None]]


class Crowd:
    """Subscribers at their seats: `async with Crowd(follow, seats) as crowd`; entered when all are there."""

    def __init__(self, follow: Follow[Any], seats: Sequence[Any]) -> None:
        self._follow = follow
        self._seats = seats
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []

    async def __aenter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        for number in range(_PROCESSES):
            here, there = context.Pipe()
            share = self._seats[number::_PROCESSES]
            process = context.Process(target=_process, args=(self._follow, share, there), daemon=True)
            process.start()
            self._pipes.append(here)
            self._processes.append(process)
        await self._ask("connected", _PATIENCE_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            await asyncio.to_thread(process.join)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return [process.pid for process in self._processes]

    async def count(self) -> int:
        """How many numbers all of them have got since the last `take`."""
        return sum(await self._ask("count"))

    async def take(self, expected: int, seconds: float = _PATIENCE_SECONDS) -> list[Received]:
        """What each got, once they have `expected` numbers together, or when `seconds` are over."""
        end = time.monotonic() + seconds
        while await self.count() < expected and time.monotonic() < end:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.2)
        shares = await self._ask("take")
        return [
            Received(np.frombuffer(numbers, np.int64), np.frombuffer(times, np.int64), sample)
            for share in shares
            for numbers, times, sample in share
        ]

    async def _ask(self, word: str, seconds: float = _PATIENCE_SECONDS) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(word)
        return [await asyncio.to_thread(_answer, pipe, seconds) for pipe in self._pipes]


def _answer(pipe: Connection, seconds: float) -> Any:
    if not pipe.poll(seconds):
        raise SystemExit("the subscribers do not answer")
    answer = pipe.recv()
    if isinstance(answer, Exception):
        raise SystemExit(f"a subscriber gave up: {answer}") from answer
    return answer


def _process(follow: Follow[Any], seats: Sequence[Any], pipe: Connection) -> None:
    uvloop.run(_share(follow, seats, pipe))


async def _share(follow: Follow[Any], seats: Sequence[Any], pipe: Connection) -> None:
    """Runs the subscribers of one process, and answers about them until the process is ended."""
    records = [Record() for _ in seats]
    following = [
        asyncio.ensure_future(follow(seat, record)) for seat, record in zip(seats, records, strict=True)
    ]
    while True:
        word = await asyncio.to_thread(pipe.recv)
        failed = next((str(task.exception() or "it ended") for task in following if task.done()), None)
        if failed:
            pipe.send(RuntimeError(failed))
        elif word == "connected":
            await _all_connected(records, following)
            pipe.send(None)
        elif word == "count":
            pipe.send(sum(len(record.numbers) - record.numbers.count(NEW_STREAM) for record in records))
        else:
            pipe.send([record.taken() for record in records])


async def _all_connected(records: Sequence[Record], following: Sequence[asyncio.Future[None]]) -> None:
    """Returns when all are, or one has given up."""
    for record in records:
        waiting = asyncio.ensure_future(record.connected.wait())
        await asyncio.wait([waiting, *following], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
