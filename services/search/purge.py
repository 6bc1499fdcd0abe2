"""Use case: the physical end of days that are over (ENF-051 IV.E.1), each with its certificate (IV.E.3).

Intent, then the change with the intent's id, then the outcome with the certificate. Every step is written
down in its own transaction or can be repeated, so that a purge that was killed anywhere is taken up where it
was, and ends once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import structlog

from services.common.errors import StorageUnavailableError
from services.common.retention import RetentionFollower
from services.search.acts import ActPlan, Acts
from services.search.core.houses import ARCHIVE, HouseNames
from services.search.core.purge import PurgeTerms, certificate, purge_id
from services.search.day_images import DayImages
from services.search.errors import DayKeptError
from services.search.held_images import HeldImages
from services.search.hold_keys import HoldKeys
from services.search.store_held import HeldStore
from services.search.store_purge import Purge, PurgeStore

log = structlog.get_logger()

_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class HeldHouse:
    """What the holds of one data set need when a day ends."""

    names: HouseNames
    store: HeldStore
    images: HeldImages
    keys: HoldKeys

    async def seal(self, day: date) -> dict[UUID, bytes]:
        """The keys of the day's holds, once what they cover is sealed with them.

        Raises:
            StorageUnavailableError: A hold came meanwhile, or its key cannot be opened.
        """
        keys = self.keys.all_opened(await self.store.keys(day))
        while keys and await self.store.seal(day, keys):
            pass
        return keys

    async def part_images(self, day: date) -> dict[str, int]:
        """How many pictures of the day lie with holds now, and how many are missing."""
        keys = self.keys.all_opened(await self.store.keys(day))
        for hold_id, image_sha256 in await self.store.images_to_part(day):
            # A hold that was released meanwhile needs none any more.
            if hold_id in keys and await self.images.part(hold_id, keys[hold_id], day, image_sha256):
                await self.store.image_parted(hold_id, image_sha256)
            else:
                log.warning("held_image_missing", hold=str(hold_id), day=day.isoformat())
        return await self.store.images(day)

    async def remove_ended(self) -> None:
        """Returns when nothing lies under holds that were released; a release that was killed leaves it."""
        in_force = set(map(str, await self.store.holds_in_force()))
        for name in await self.images.holds():
            if name not in in_force:
                await self.images.remove(name)
                log.info("hold_removed", hold=name)


@dataclass(frozen=True, slots=True)
class Keeping:
    """The image store's part, and what holds keep: the archive's house first."""

    images: DayImages
    houses: Sequence[HeldHouse]


class Purger:
    """Purges.

    Args:
        store: The database's part.
        keeping: Images, and what holds keep.
        acts: The record.
        retention: Whose records series it is.
        backup_days: How long backups of database and image store are kept.
    """

    def __init__(
        self,
        store: PurgeStore,
        keeping: Keeping,
        acts: Acts,
        retention: RetentionFollower,
        *,
        backup_days: int,
    ) -> None:
        self._store = store
        self._images = keeping.images
        self._houses = keeping.houses
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
            for house in self._houses:
                await house.remove_ended()
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
            await self._drop_rows(purge)
        except DayKeptError:
            await self._acts.failed(purge.intent_id)
            await self._store.end(purge, {})
            return
        await self._store.forget_words(purge)
        for house in self._houses:
            evidence, images = await house.store.evidence(purge.day), await house.part_images(purge.day)
            await self._store.note(purge, f"{house.names.steps}evidence", evidence)
            await self._store.note(purge, f"{house.names.steps}held_images", images)
        await self._remove_images(purge)
        written = await self._store.note(purge, "certificate", await self._certificate(purge))
        receipts = await self._acts.done(purge.intent_id, written)
        await self._store.end(purge, written, (receipts.question, receipts.outcome))
        log.info(
            "day_purged", day=purge.day.isoformat(), rows=int(written["reads"]), purge=str(purge.purge_id)
        )

    async def _drop_rows(self, purge: Purge) -> None:
        """Returns when the rows of both data sets are gone; a reader may be in the way for a while."""
        for house in self._houses:
            drop = self._store.drop_day if house.names is ARCHIVE else self._store.drop_day_apart
            for _ in range(_TRIES):
                with suppress(StorageUnavailableError):
                    await drop(purge, await house.seal(purge.day))
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                await drop(purge, await house.seal(purge.day))

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
