"""Use case: store reads. Calls that arrive while a commit is under way share the next one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol, TypeAlias

from services.common.clock import Clock
from services.common.errors import StorageUnavailableError
from services.common.groupcommit import GroupCommit
from services.search.core.reads import AppendResult, JudgedRead, NewRead, is_ahead, shortcoming
from services.search.metrics import READS

# Of at most 500 reads each: some 100 ms a commit, so that a call that just missed one does not wait long.
_MOST_CALLS: Final = 8


Note: TypeAlias = Callable[[Sequence[NewRead], Sequence[AppendResult]], None]


class Reads(Protocol):
    """Where reads are stored (services.search.store_append)."""

    async def append(self, reads: Sequence[JudgedRead]) -> list[AppendResult]:
        """What became of each read, once it is on disk."""

    async def now(self) -> datetime:
        """What time it is for all replicas. Raises StorageUnavailableError."""


class Archive:
    """Stores batches of reads; OK means on disk."""

    def __init__(self, reads: Reads, clock: Clock, name: str = "archive") -> None:
        self._reads = reads
        self._clock = clock
        self._commits = GroupCommit(self._flush, most_in_batch=_MOST_CALLS, name=name)

    async def append(self, reads: tuple[NewRead, ...]) -> list[AppendResult]:
        """What became of each read, in order, after COMMIT.

        Raises:
            StorageUnavailableError: Not stored, or not known to be; sending again is safe.
        """
        now = self._clock.now()
        if any(read.capture_time is not None and is_ahead(read.capture_time, now) for read in reads):
            # The camera's clock is wrong, or this one. Set apart is for good: the clock of all decides.
            now = max(now, await self._reads.now())
        return await self._commits.submit(tuple(JudgedRead(read, shortcoming(read, now)) for read in reads))

    async def close(self) -> None:
        """Returns when all calls have their answer; nothing more is taken."""
        await self._commits.close()

    async def _flush(
        self, batches: Sequence[tuple[JudgedRead, ...]]
    ) -> Sequence[list[AppendResult] | Exception]:
        try:
            results = iter(await self._reads.append([read for batch in batches for read in batch]))
        except StorageUnavailableError:
            raise
        except Exception as error:
            # A read that the database refuses must not take the other callers' reads with it.
            if len(batches) == 1:
                return [error]
            return [result for batch in batches for result in await self._flush([batch])]
        return [list(islice(results, len(batch))) for batch in batches]


class DataSets:
    """Two archives that never meet (ENF-051 II.H): each read goes into the one of its sensor.

    Args:
        general: Of all other reads.
        motor_carrier: Of the Motor Carrier Safety system.
        note: Told what became of each read; for counting only.
    """

    def __init__(self, general: Archive, motor_carrier: Archive, note: Note = lambda *_: None) -> None:
        self._archives = (general, motor_carrier)
        self._note = note

    async def append(self, reads: tuple[NewRead, ...]) -> list[AppendResult]:
        """What became of each read, in order, once all are on disk.

        Raises:
            StorageUnavailableError: Not all are known to be stored; sending all again is safe.
        """
        parts = [tuple(read for read in reads if read.motor_carrier is apart) for apart in (False, True)]
        stored = await asyncio.gather(
            *(archive.append(part) for archive, part in zip(self._archives, parts, strict=True) if part),
            return_exceptions=True,
        )
        # After both: a caller that hears of one failure must not send again while the other still writes.
        for one in stored:
            if isinstance(one, BaseException):
                raise one
        answers = iter(stored)
        by_part = [iter(next(answers)) if part else iter(()) for part in parts]  # type: ignore[arg-type]
        results = [next(by_part[read.motor_carrier]) for read in reads]
        self._note(reads, results)
        for status, count in Counter(one.status for one in results).items():
            READS.labels(status.lower()).inc(count)
        return results

    async def close(self) -> None:
        """Returns when all calls have their answer; nothing more is taken."""
        await asyncio.gather(*(archive.close() for archive in self._archives))
