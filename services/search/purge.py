"""Use case: the physical end of days that are over (ENF-051 IV.E.1), each with its certificate (IV.E.3).

Intent, then the change with the intent's id, then the outcome with the certificate. Every step is written
down in its own transaction or can be repeated, so that a purge that was killed anywhere is taken up where it
was, and ends once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from typing import Final

import structlog

from services.common.errors import StorageUnavailableError
from services.common.retention import RetentionFollower
from services.search.acts import ActPlan, Acts
from services.search.core.purge import PurgeTerms, certificate, purge_id
from services.search.day_images import HOLDS, DayImages
from services.search.errors import DayKeptError
from services.search.store_purge import Purge, PurgeStore

log = structlog.get_logger()

_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.5


class Purger:
    """Purges.

    Args:
        store: The database's part.
        images: The image store's part.
        acts: The record.
        retention: Whose records series it is.
        backup_days: How long backups of database and image store are kept.
    """

    def __init__(
        self,
        store: PurgeStore,
        images: DayImages,
        acts: Acts,
        retention: RetentionFollower,
        *,
        backup_days: int,
    ) -> None:
        self._store = store
        self._images = images
        self._acts = acts
        self._retention = retention
        self._backup_days = backup_days

    async def finish(self) -> int | None:
        """The number of purges that had begun and have ended now, None when another run is at it."""
        return await self._run(begin=False)

    async def run_if_due(self) -> int | None:
        """The number of days purged: once each UTC day whatever is over; else only what had begun.

        None when another run is at it.
        """
        return await self._run(begin=await self._store.is_due())

    async def run(self) -> int | None:
        """The number of days purged now: all that are over. None when another run is at it.

        Raises:
            AuditUnavailableError: The log could not be written; what has begun is taken up later.
            StorageUnavailableError: Database or image store did not answer; the same.
        """
        return await self._run(begin=True)

    async def _run(self, *, begin: bool) -> int | None:
        async with self._store.alone() as mine:
            if not mine:
                return None
            under_way = await self._store.under_way()
            for purge in under_way:
                await self._carry_out(purge)
            if not begin:
                return len(under_way)
            await self._remove_ended_holds()
            days = await self._days_over()
            for day in days:
                await self._purge(day)
            await self._store.was_run()
            return len(under_way) + len(days)

    async def _days_over(self) -> list[date]:
        last = await self._store.last_day_over()
        with_images = [day for day in await self._images.days() if day <= last]
        return sorted(await self._store.days_over() | set(with_images))

    async def _purge(self, day: date) -> None:
        own_id = purge_id(day, await self._store.purges_of(day))
        series = self._retention.current.records_series
        plan = ActPlan(own_id, "reads.purge", f"day/{day.isoformat()}", {"records_series": series})
        purge = Purge(own_id, (await self._acts.begin(plan)).intent_id, day)
        try:
            await self._store.begin(purge)
        except DayKeptError:
            # The period has been made longer since; the day ends another time.
            await self._acts.failed(purge.intent_id)
            return
        await self._carry_out(purge)

    async def _carry_out(self, purge: Purge) -> None:
        try:
            await self._drop_day(purge)
        except DayKeptError:
            await self._acts.failed(purge.intent_id)
            await self._store.end(purge, {})
            return
        await self._store.forget_words(purge)
        await self._store.drop_day_apart(purge)
        await self._store.note_evidence(purge)
        await self._part_held_images(purge)
        await self._remove_images(purge)
        written = await self._store.note(purge, "certificate", await self._certificate(purge))
        receipts = await self._acts.done(purge.intent_id, written)
        await self._store.end(purge, written, (receipts.question, receipts.outcome))
        log.info(
            "day_purged", day=purge.day.isoformat(), rows=int(written["reads"]), purge=str(purge.purge_id)
        )

    async def _drop_day(self, purge: Purge) -> None:
        """Returns when the rows are gone; a reader may be in the way for a while."""
        for _ in range(_TRIES):
            with suppress(StorageUnavailableError):
                return await self._store.drop_day(purge)
            await asyncio.sleep(_PAUSE_SECONDS)
        return await self._store.drop_day(purge)

    async def _part_held_images(self, purge: Purge) -> None:
        for hold_id, image_sha256 in await self._store.images_to_part(purge.day):
            if await self._images.part(hold_id, purge.day, image_sha256):
                await self._store.image_parted(hold_id, image_sha256)
            else:
                log.warning("held_image_missing", hold=str(hold_id), day=purge.day.isoformat())
        await self._store.note(purge, "held_images", await self._store.held_images(purge.day))

    async def _remove_images(self, purge: Purge) -> None:
        used, key = await self._images.usage(purge.day)
        found = {"objects": used.objects, "bytes": used.size_bytes, "key": key}
        await self._store.note(purge, "images", found)
        await self._images.remove(purge.day)

    async def _certificate(self, purge: Purge) -> dict[str, str]:
        result = await self._store.result(purge)
        terms = PurgeTerms(
            records_series=self._retention.current.records_series,
            retention_days=result.retention_days,
            setting_revision=result.setting_revision,
            backup_days=self._backup_days,
        )
        return certificate(purge.day, result.begun_at, terms, result.steps)

    async def _remove_ended_holds(self) -> None:
        """What lies under holds that were released: a release that was killed half-way left it there."""
        in_force = set(map(str, await self._store.holds_in_force()))
        for name in await self._images.names(HOLDS):
            if name not in in_force:
                await self._images.remove_hold(name)
                log.info("hold_removed", hold=name)
