"""The stream to the matcher: one a process, kept open; a sensor is answered after the matcher only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common import tracing
from services.common.errors import (
    AlprError,
    DependencyUnavailableError,
    InternalError,
    from_rpc_error,
)
from services.common.groupcommit import GroupCommit
from services.ocr import wire
from services.ocr.frames import NewRead, Outcome
from services.ocr.metrics import BATCH_READS

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceAsyncStub

log = structlog.get_logger()

# The contract allows 500 reads and 4 MiB a batch.
_MOST_READS: Final = 128
_MOST_BYTES: Final = 3 << 20
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)

_Batch = tuple[read_pb2.CapturedRead, ...]
_Result = Outcome | Exception


class MatcherLink:
    """Sends reads to the matcher. Reads that come while others wait for their answer share the next batch.

    Args:
        stub: Of the matcher's MatchService.
        timeout_seconds: Longest time for a batch, new streams and resending included.
    """

    def __init__(self, stub: MatchServiceAsyncStub, *, timeout_seconds: float) -> None:
        self._stub = stub
        self._timeout = timeout_seconds
        self._numbers = count(1)
        self._stream: Any = None
        self._commit: GroupCommit[read_pb2.CapturedRead, Outcome] = GroupCommit(
            self._flush, most_in_batch=_MOST_READS, name="matcher"
        )

    async def submit(self, reads: Sequence[NewRead]) -> tuple[Outcome, ...]:
        """What became of each of `reads`, once it is final.

        Raises:
            DependencyUnavailableError: The matcher did not answer in time. What became of them is not known;
                sending them again is safe.
            AlprError: The matcher refused a read, for instance of a sensor that is no longer approved.
        """
        return await self.submit_messages([wire.to_captured_read(read) for read in reads])

    async def submit_messages(self, reads: Sequence[read_pb2.CapturedRead]) -> tuple[Outcome, ...]:
        """The same for reads that are messages already."""
        submitted = [self._commit.submit(read) for read in reads]
        results = await asyncio.gather(*submitted, return_exceptions=True)
        outcomes = [one for one in results if isinstance(one, Outcome)]
        for one in results:
            if isinstance(one, BaseException):
                raise one
        return tuple(outcomes)

    async def close(self) -> None:
        """Returns when all that was submitted is answered or failed; ends the stream."""
        await self._commit.close()
        self._drop()

    async def _flush(self, reads: Sequence[read_pb2.CapturedRead]) -> list[_Result]:
        BATCH_READS.observe(len(reads))
        results: list[_Result] = []
        for batch in _batches(reads):
            results += await self._delivered(batch)
        return results

    async def _delivered(self, batch: _Batch) -> list[_Result]:
        try:
            async with asyncio.timeout(self._timeout):
                return list(await self._exchange_until_answered(batch))
        except TimeoutError:
            self._drop()
            unreachable = DependencyUnavailableError(
                "the matcher did not answer in time; send the frame again"
            )
            return [unreachable] * len(batch)
        except AlprError as error:
            return await self._without_the_refused(batch, error)

    async def _without_the_refused(self, batch: _Batch, error: AlprError) -> list[_Result]:
        """The results of a batch that was refused as a whole: halved until the read in question stands alone.

        One sensor that was just suspended must not stop the reads of all others.
        """
        if len(batch) > 1:
            half = len(batch) // 2
            return [*await self._delivered(batch[:half]), *await self._delivered(batch[half:])]
        log.warning("read_refused", code=error.code.name)
        if isinstance(error, InternalError):
            # A fault over there is no verdict on the read: the sensor keeps it and sends it again.
            return [DependencyUnavailableError("the matcher failed; send the frame again")]
        return [error]

    async def _exchange_until_answered(self, batch: _Batch) -> tuple[Outcome, ...]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._exchange(batch)
            except grpc.aio.AioRpcError as error:
                self._drop()
                refusal = from_rpc_error(error)
                if refusal.code not in _AGAIN:
                    raise refusal from None
                log.warning("matcher_stream_lost", code=error.code().name)
            except _StreamEndedError:
                self._drop()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _exchange(self, batch: _Batch) -> tuple[Outcome, ...]:
        number = next(self._numbers)
        if self._stream is None:
            self._stream = self._stub.SubmitReads()
        # Over already since the last batch: reading then tells why.
        with contextlib.suppress(asyncio.InvalidStateError):
            request = pb.SubmitReadsRequest(batch_number=number, reads=batch, traceparent=tracing.header())
            await self._stream.write(request)
        answer = await self._stream.read()
        if answer is grpc.aio.EOF:
            raise _StreamEndedError
        if answer.batch_number != number or len(answer.results) != len(batch):
            self._drop()
            raise InternalError("the matcher answered another batch")
        return tuple(Outcome(one.status, one.status_reason) for one in answer.results)

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()


class _StreamEndedError(Exception):
    """The matcher ended the stream in order, as it does when it stops."""


def _batches(reads: Sequence[read_pb2.CapturedRead]) -> Iterator[_Batch]:
    """`reads` in order, in batches of at most 3 MiB."""
    batch: list[read_pb2.CapturedRead] = []
    size = 0
    for read in reads:
        added = read.ByteSize()
        if batch and size + added > _MOST_BYTES:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(read)
        size += added
    yield tuple(batch)
