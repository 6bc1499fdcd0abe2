"""How much the entries of local lists match; one that matches too much suspends itself (ENF-051 II.D)."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
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


class LocalTally:
    """Counts in memory, adds up in the database, and suspends what matches more than 1 in 10,000 reads.

    The counts of all replicas come together in the database. A replica that dies takes a second's worth of
    its own with it, and a read that is sent again counts again: an entry is judged a moment later, no more.
    """

    def __init__(self, acts: Acts, store: LocalStore, clock: Clock) -> None:
        self._acts = acts
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._reads: Counter[uuid.UUID] = Counter()
        self._matches: Counter[uuid.UUID] = Counter()

    def note_compared(
        self,
        headers: Sequence[ListHeader],
        allowed: Sequence[frozenset[int]],
        found: Sequence[Sequence[Match]],
    ) -> None:
        """Notes reads that were compared; may be called from any thread.

        Args:
            headers: The lists by number.
            allowed: For each read the numbers of the lists that it was compared with.
            found: For each read what it matched.
        """
        local = frozenset(number for number, header in enumerate(headers) if header.is_local)
        if not local:
            return
        reads: Counter[uuid.UUID] = Counter()
        for numbers, times in Counter(allowed).items():
            for number in numbers & local:
                reads[headers[number].hot_list_id] += times
        ids = ({one.entry.entry_id for one in matches if one.header.is_local} for matches in found)
        self._note(reads, Counter(entry_id for each in ids for entry_id in each))

    def _note(self, reads: Mapping[uuid.UUID, int], matches: Mapping[uuid.UUID, int]) -> None:
        with self._lock:
            self._reads.update(reads)
            self._matches.update(matches)

    def _taken(self) -> tuple[Counter[uuid.UUID], Counter[uuid.UUID]]:
        with self._lock:
            taken = self._reads, self._matches
            self._reads, self._matches = Counter(), Counter()
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
