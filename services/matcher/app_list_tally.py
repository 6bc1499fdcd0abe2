"""Counting how many reads a hot list is compared with, and how many match."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from services.common.clock import Clock
from services.common.errors import AlprError
from services.matcher.core.index import ListHeader
from services.matcher.core.match import Grade, Match
from services.matcher.store_tuning import Counted

log = structlog.get_logger()

_FLUSH_EVERY_S: Final = 5.0
_ONE_CAR: Final = timedelta(hours=1)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Tallies(Protocol):
    """Where the counts of all replicas come together (services.matcher.store_tuning)."""

    async def count(self, counted: dict[uuid.UUID, Counted]) -> None:
        """Adds what was counted. Raises StorageUnavailableError."""


class ListTally:
    """Counts in memory and adds up in the database; a replica that dies takes seconds' worth with it.

    Local lists have no budget: what is counted of them stays with `LocalTally`.
    """

    def __init__(self, store: Tallies, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._reads: Counter[uuid.UUID] = Counter()
        self._matches: Counter[tuple[uuid.UUID, Grade]] = Counter()
        self._seen: dict[tuple[uuid.UUID, str], datetime] = {}

    def note_compared(
        self,
        headers: Sequence[ListHeader],
        allowed: Sequence[frozenset[int]],
        plates: Sequence[str],
        found: Sequence[Sequence[Match]],
    ) -> None:
        """Notes reads that were compared, as `LocalTally` does; may be called from any thread."""
        reads = [
            (headers[number].hot_list_id, times)
            for numbers, times in Counter(allowed).items()
            for number in numbers
            if not headers[number].is_local
        ]
        matched = {
            # Of several entries of a list the loudest counts.
            (one.header.hot_list_id, plate): one.grade
            for plate, matches in zip(plates, found, strict=True)
            for one in sorted(matches, key=lambda match: -match.grade)
            if not one.header.is_local
        }
        with self._lock:
            for hot_list_id, times in reads:
                self._reads[hot_list_id] += times
            for (hot_list_id, plate), grade in matched.items():
                self._matches[hot_list_id, grade] += self._is_new(hot_list_id, plate)

    async def settle(self) -> None:
        """Stores what was noted. What cannot be stored is noted again. Raises StorageUnavailableError."""
        reads, matches = self._taken()
        if not reads:
            return
        counted = {
            key: Counted(times, matches[key, Grade.SOUND], matches[key, Grade.CHECK])
            for key, times in reads.items()
        }
        try:
            await self._store.count(counted)
        except AlprError:
            with self._lock:
                self._reads.update(reads)
                self._matches.update(matches)
            raise

    async def keep_settling(self) -> None:
        """Settles for ever; an error is noted and tried again."""
        while True:
            try:
                await self.settle()
            except Exception as error:
                log.warning("list_matches_not_settled", error=type(error).__name__)
            await asyncio.sleep(_FLUSH_EVERY_S)

    def _is_new(self, hot_list_id: uuid.UUID, plate: str) -> bool:
        """True for a plate that the list did not match within the hour: one car raises one alarm."""
        now = self._clock.now()
        is_new = now - self._seen.get((hot_list_id, plate), _LONG_AGO) >= _ONE_CAR
        if is_new:
            self._seen[hot_list_id, plate] = now
        return is_new

    def _taken(self) -> tuple[Counter[uuid.UUID], Counter[tuple[uuid.UUID, Grade]]]:
        with self._lock:
            taken = self._reads, self._matches
            self._reads, self._matches = Counter(), Counter()
            oldest = self._clock.now() - _ONE_CAR
            self._seen = {key: moment for key, moment in self._seen.items() if moment > oldest}
        return taken
