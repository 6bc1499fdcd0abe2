"""Use cases: what was purged, purging now, looking for what should be gone (ENF-051 IV.E.1, III.B.3.n)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from services.common.identity import AccessToken
from services.common.retention import RetentionFollower
from services.search.acts import ActPlan, Acts
from services.search.core.holds import OlderData, OlderReason, reason_of
from services.search.day_images import DAYS
from services.search.purge import HeldHouse, Keeping, Purger
from services.search.store_purge import EndedPurge, PurgeStore

log = structlog.get_logger()

# Less than the longest call (services.common.config).
_PATIENCE_SECONDS: Final = 20.0
# What has no end by day: pictures of hits (IV.E.2), the history of models.
_FOR_EVER: Final = frozenset({"alerts", "models"})
_AFTER_ALL: Final = datetime(2200, 1, 1, tzinfo=UTC)
_NO_PURGE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Position:
    """After which purge a page begins, in the order of the list."""

    ended_at: datetime = _AFTER_ALL
    purge_id: UUID = _NO_PURGE


@dataclass(frozen=True, slots=True)
class Findings:
    """What is older than the retention period, by places."""

    found: tuple[OlderData, ...]
    first_kept: date
    days: int


class RetentionOffice:
    """Shows purges, purges, and looks. Each is an act on record."""

    def __init__(
        self,
        acts: Acts,
        store: PurgeStore,
        purger: Purger,
        keeping: Keeping,
        retention: RetentionFollower,
    ) -> None:
        self._acts = acts
        self._store = store
        self._purger = purger
        self._images = keeping.images
        self._houses = keeping.houses
        self._retention = retention
        self._running: set[asyncio.Task[int | None]] = set()

    async def purges(self, token: AccessToken, after: Position, most: int) -> list[EndedPurge]:
        """Up to `most` purges that ended, newest first, after a position."""
        intent = await self._acts.begin(ActPlan(uuid4(), "purge.list", "purges", {}, token))
        found = await self._store.page(after.ended_at, after.purge_id, most)
        await self._acts.done(intent.intent_id, {"rows": str(len(found))})
        return found

    async def purge(self, request_id: UUID, token: AccessToken) -> int | None:
        """The number of days purged now, None when a purge is under way that the call cannot wait for.

        Each day has an intent of its own besides the person's.
        """
        intent = await self._acts.begin(ActPlan(request_id, "purge.run", "days", {}, token))
        running = asyncio.create_task(self._purger.run())
        self._running.add(running)
        running.add_done_callback(self._ended)
        await asyncio.wait({running}, timeout=_PATIENCE_SECONDS)
        days = running.result() if running.done() else None
        said = "under way" if days is None else str(days)
        await self._acts.done(intent.intent_id, {"days": said})
        return days

    async def close(self) -> None:
        """Ends what is under way; it is taken up at the next start."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, running: asyncio.Task[int | None]) -> None:
        self._running.discard(running)
        if not running.cancelled() and running.exception() is not None:
            # Whoever waited has heard it; what has begun is taken up by the daily run.
            log.warning("purge_put_off", error=type(running.exception()).__name__)

    async def check(self, request_id: UUID, token: AccessToken) -> Findings:
        """What there is that is older than the retention period."""
        intent = await self._acts.begin(ActPlan(request_id, "retention.check", "archive", {}, token))
        last_over = await self._store.last_day_over()
        first_kept = last_over + timedelta(days=1)
        rows = [
            OlderData(one.place, one.row_count, one.oldest, reason_of(one.why, one.oldest, first_kept))
            for one in await self._store.older()
        ]
        found = (*rows, *await self._older_images(first_kept), *await self._kept_apart())
        await self._acts.done(intent.intent_id, {"places": str(len(found))})
        return Findings(found, first_kept, self._retention.current.days)

    async def _older_images(self, first_kept: date) -> list[OlderData]:
        found = []
        for day in await self._images.days():
            if day < first_kept:
                used, key = await self._images.usage(day)
                place = f"images {DAYS}/{day.isoformat()}"
                found.append(OlderData(place, used.objects + key, day, reason_of("OLDER", day, first_kept)))
        known = {day.isoformat() for day in await self._images.days()}
        for name in await self._images.names(DAYS):
            if name not in known:
                found.append(OlderData(f"images {DAYS}/{name}", None, None, OlderReason.UNKNOWN))
        return found

    async def _kept_apart(self) -> list[OlderData]:
        found = [one for house in self._houses for one in await self._held(house)]
        evidence = {house.names.evidence for house in self._houses}
        known = {DAYS, *_FOR_EVER, *(house.names.holds for house in self._houses)}
        for name in await self._images.names(""):
            if name in evidence:
                used = await self._images.usage_below(name)
                found.append(OlderData(f"images {name}", used.objects, None, OlderReason.EVIDENCE))
            elif name not in known:
                found.append(OlderData(f"images {name}", None, None, OlderReason.UNKNOWN))
        return found

    async def _held(self, house: HeldHouse) -> list[OlderData]:
        in_force = set(map(str, await house.store.holds_in_force()))
        found = []
        for name in await house.images.holds():
            place = f"{house.names.holds}/{name}"
            used = await self._images.usage_below(place)
            reason = OlderReason.HOLD if name in in_force else OlderReason.OVERDUE
            found.append(OlderData(f"images {place}", used.objects, None, reason))
        return found
