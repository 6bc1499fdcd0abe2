"""How much the entries of local lists match; one that matches too much suspends itself (ENF-051 II.D)."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.errors import AlprError
from services.matcher.app_acts import Acts, Plan
from services.matcher.core.hot_list import Act
from services.matcher.core.index import ListHeader
from services.matcher.core.local import FEWEST_MATCHES, EndReason, LocalEntry, matches_too_much
from services.matcher.core.match import Match
from services.matcher.metrics import LOCAL_SUSPENDED
from services.matcher.store_local import LocalStore

log = structlog.get_logger()

_FLUSH_EVERY_S: Final = 1.0
_ONE_CAR: Final = timedelta(hours=1)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LocalTally:
    """Counts in memory, adds up in the database, and suspends what matches more than 1 in 10,000 reads.

    The counts of all replicas come together in the database. A replica that dies takes a second's worth of
    its own with it: an entry is judged a moment later, no more.
    """

    def __init__(self, acts: Acts, store: LocalStore, clock: Clock) -> None:
        self._acts = acts
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._reads: Counter[uuid.UUID] = Counter()
        self._matches: Counter[uuid.UUID] = Counter()
        self._seen: dict[tuple[uuid.UUID, str], datetime] = {}

    def note_compared(
        self,
        headers: Sequence[ListHeader],
        allowed: Sequence[frozenset[int]],
        plates: Sequence[str],
        found: Sequence[Sequence[Match]],
    ) -> None:
        """Notes reads that were compared; may be called from any thread.

        Args:
            headers: The lists by number.
            allowed: For each read the numbers of the lists that it was compared with.
            plates: The plate of each read.
            found: For each read what it matched.
        """
        local = frozenset(number for number, header in enumerate(headers) if header.is_local)
        if not local:
            return
        reads: Counter[uuid.UUID] = Counter()
        for numbers, times in Counter(allowed).items():
            for number in numbers & local:
                reads[headers[number].hot_list_id] += times
        matched = [
            (one.entry.entry_id, plate)
            for plate, matches in zip(plates, found, strict=True)
            for one in matches
            if one.header.is_local
        ]
        self._note(reads, Counter(entry_id for entry_id, plate in matched if self._is_new(entry_id, plate)))

    def _is_new(self, entry_id: uuid.UUID, plate: str) -> bool:
        """True for a plate that the entry did not match within the hour.

        A car that ten cameras follow, or that stands before one, is one car, and no sign of a wide entry.
        """
        now = self._clock.now()
        with self._lock:
            is_new = now - self._seen.get((entry_id, plate), _LONG_AGO) >= _ONE_CAR
            if is_new:
                self._seen[entry_id, plate] = now
        return is_new

    def _note(self, reads: Mapping[uuid.UUID, int], matches: Mapping[uuid.UUID, int]) -> None:
        with self._lock:
            self._reads.update(reads)
            self._matches.update(matches)

    def _taken(self) -> tuple[Counter[uuid.UUID], Counter[uuid.UUID]]:
        with self._lock:
            taken = self._reads, self._matches
            self._reads, self._matches = Counter(), Counter()
            oldest = self._clock.now() - _ONE_CAR
            self._seen = {key: moment for key, moment in self._seen.items() if moment > oldest}
        return taken

    async def settle(self) -> int:
        """Stores what was noted, suspends what matches too much, and gives the number of the suspended.

        What cannot be stored is noted again. Raises StorageUnavailableError, AuditUnavailableError.
        """
        reads, matches = self._taken()
        if not reads:
            return 0
        try:
            await self._store.count(reads, matches)
        except AlprError:
            self._note(reads, matches)
            raise
        crowded = await self._store.crowded(self._clock.now(), FEWEST_MATCHES)
        wide = [one for one in crowded if matches_too_much(one.match_count, one.read_count)]
        for entry in wide:
            await self._suspend(entry)
        return len(wide)

    async def keep_settling(self) -> None:
        """Settles for ever; an error is noted and tried again."""
        while True:
            try:
                await self.settle()
            except Exception as error:
                log.warning("local_matches_not_settled", exc_info=error)
            await asyncio.sleep(_FLUSH_EVERY_S)

    async def _suspend(self, entry: LocalEntry) -> None:
        """Suspends `entry`, on record as this service's own act; the same act whichever replica does it."""
        owner = entry.owner
        plan = Plan(
            request_id=uuid.uuid5(entry.entry_id, "suspend"),
            action="local_list.suspend",
            resource=str(entry.entry_id),
            agency_ori=owner.agency_ori,
            details={"because": "it matches more than 1 in 10,000 reads"},
        )
        intent = await self._acts.begin(plan, None)
        act = Act(
            intent_id=intent.intent_id,
            request_id=plan.request_id,
            action=plan.action,
            hot_list_id=owner.hot_list_id,
            account_id=intent.account_id,
            details=plan.details,
            act_time=self._clock.now(),
        )
        _, revision = await self._store.end(act, entry.entry_id, EndReason.SUSPENDED)
        await self._acts.changed(intent.intent_id)
        LOCAL_SUSPENDED.inc()
        log.warning(
            "local_entry_suspended",
            entry_id=str(entry.entry_id),
            revision=revision,
            reads=entry.read_count,
            matches=entry.match_count,
        )
