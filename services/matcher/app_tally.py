"""How much the entries of local lists match; one that matches too much suspends itself (ENF-051 II.D)."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.errors import AlprError
from services.matcher.app_acts import Acts, Plan
from services.matcher.core.hot_list import Act
from services.matcher.core.local import FEWEST_MATCHES, EndReason, LocalEntry, matches_too_much
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
        self._reads: Counter[uuid.UUID] = Counter()
        self._matches: Counter[uuid.UUID] = Counter()

    def note(self, reads: Mapping[uuid.UUID, int], matches: Mapping[uuid.UUID, int]) -> None:
        """Notes reads that were compared, by local list, and matches among them, by entry."""
        self._reads.update(reads)
        self._matches.update(matches)

    async def settle(self) -> int:
        """Stores what was noted, suspends what matches too much, and gives the number of the suspended.

        What cannot be stored is noted again. Raises StorageUnavailableError, AuditUnavailableError.
        """
        reads, self._reads = self._reads, Counter()
        matches, self._matches = self._matches, Counter()
        if not reads and not matches:
            return 0
        try:
            await self._store.count(reads, matches)
        except AlprError:
            self.note(reads, matches)
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
