"""The images of reads at rest: by day of capture, each sealed with its own key (ADR-0008)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.config import ConfigError
from services.common.errors import NotFoundError, StorageUnavailableError
from services.common.imagecrypt import (
    SealError,
    image_key,
    new_day_key,
    seal_image,
    unwrap_day_key,
    wrap_day_key,
)
from services.common.objects import ObjectStore
from services.ocr.metrics import DAYS_REMOVED

log = structlog.get_logger()

_ROOT: Final = "days"
_MOST_KEYS_AT_HAND: Final = 8
_SWEEP_EVERY_SECONDS: Final = 3600.0


class ImageVault:
    """Puts images into the object store.

    Args:
        objects: Where they lie, `days/<day>/<sha256>`, beside the wrapped key of the day, `days/<day>/key`.
        kek: Key-encryption key, 32 bytes.
        clock: Tells which days are over.
        retention_days: Days that an image is kept after its day.
    """

    def __init__(self, objects: ObjectStore, kek: bytes, clock: Clock, *, retention_days: int) -> None:
        self._objects = objects
        self._kek = kek
        self._clock = clock
        self._kept = timedelta(days=retention_days)
        self._day_keys: dict[date, bytes] = {}

    async def check(self) -> None:
        """Returns when images of today can be stored: the store is writable, and the key is the store's own.

        Raises:
            ConfigError: The store cannot be written, or was written with another key-encryption key.
        """
        today = self._clock.now().date()
        try:
            await self._day_key(today)
        except SealError:
            raise ConfigError(
                "PW_IMAGE_KEK_FILE is not the key that this image store was written with"
            ) from None
        except StorageUnavailableError as error:
            raise ConfigError(f"PW_IMAGE_STORE_DIR: {error.message}") from None

    def keeps(self, day: date) -> bool:
        """Whether images of `day` are still kept."""
        return day >= self._oldest()

    async def store(self, day: date, sha256: bytes, image: bytes) -> bytes:
        """The key of the image, 32 bytes, once it is sealed and durably stored; the same again is no error.

        Raises:
            StorageUnavailableError: It is not stored.
        """
        try:
            key = image_key(await self._day_key(day), sha256)
        except SealError:
            log.exception("day_key_unreadable", day=day.isoformat())
            raise StorageUnavailableError("the key of the day's images cannot be opened; try again") from None
        sealed = await asyncio.to_thread(seal_image, key, day, image)
        await self._objects.put(f"{_ROOT}/{day.isoformat()}/{sha256.hex()}", sealed)
        return key

    async def remove_old_days(self) -> int:
        """The number of days whose images and key are gone for good now (ENF-051 IV.E.1)."""
        removed = 0
        for name in await self._objects.children(_ROOT):
            if date.fromisoformat(name) >= self._oldest():
                continue
            objects = await self._objects.delete_prefix(f"{_ROOT}/{name}")
            self._day_keys.pop(date.fromisoformat(name), None)
            log.info("image_day_removed", day=name, objects=objects)
            DAYS_REMOVED.inc()
            removed += 1
        return removed

    async def keep_removing(self) -> None:
        """Removes old days at once and then every hour; never returns."""
        while True:
            try:
                await self.remove_old_days()
            except Exception:
                # What could not be removed now must be removed later.
                log.exception("image_removal_failed")
            await asyncio.sleep(_SWEEP_EVERY_SECONDS)

    def _oldest(self) -> date:
        return self._clock.now().date() - self._kept

    async def _day_key(self, day: date) -> bytes:
        at_hand = self._day_keys.get(day)
        if at_hand is not None:
            return at_hand
        name = f"{_ROOT}/{day.isoformat()}/key"
        try:
            wrapped = await self._objects.get(name)
        except NotFoundError:
            # Of two processes that make the day's key at once, one is first and both use its key.
            wrapped = await self._objects.put_new(name, wrap_day_key(self._kek, day, new_day_key()))
        key = unwrap_day_key(self._kek, day, wrapped)
        if len(self._day_keys) >= _MOST_KEYS_AT_HAND:
            del self._day_keys[min(self._day_keys)]
        self._day_keys[day] = key
        return key
