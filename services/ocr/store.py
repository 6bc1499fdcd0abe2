"""The images of reads at rest: by day of capture, each sealed with its own key (ADR-0008)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.config import ConfigError
from services.common.errors import AuditUnavailableError, NotFoundError, StorageUnavailableError
from services.common.imagecrypt import (
    SealError,
    image_key,
    new_day_key,
    seal_image,
    unwrap_day_key,
    wrap_day_key,
)
from services.common.objects import ObjectStore

log = structlog.get_logger()

_ROOT: Final = "days"
_MOST_KEYS_AT_HAND: Final = 8
_FORGET_EVERY_SECONDS: Final = 60.0


class ImageVault:
    """Puts images into the object store. Search removes them with their day; its key is forgotten here.

    Args:
        objects: Where they lie, `days/<day>/<sha256>`, beside the wrapped key of the day, `days/<day>/key`.
        kek: Key-encryption key, 32 bytes.
        clock: Tells which days are over.
        retention_days: Gives the days that an image is kept after its day, as they are set now; raises
            AuditUnavailableError while they are not known.
    """

    def __init__(
        self, objects: ObjectStore, kek: bytes, clock: Clock, *, retention_days: Callable[[], int]
    ) -> None:
        self._objects = objects
        self._kek = kek
        self._clock = clock
        self._retention_days = retention_days
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
        """Whether images of `day` are still kept.

        Raises:
            AuditUnavailableError: Nobody has said yet how long.
        """
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

    def forget_old_keys(self) -> int:
        """The number of keys of days that are over, which are no more in this process (ENF-051 IV.E.1)."""
        over = [day for day in self._day_keys if not self.keeps(day)]
        for day in over:
            del self._day_keys[day]
        return len(over)

    async def keep_forgetting(self) -> None:
        """Forgets keys of days that are over, for ever; never returns."""
        while True:
            await asyncio.sleep(_FORGET_EVERY_SECONDS)
            try:
                if forgotten := self.forget_old_keys():
                    log.info("day_keys_forgotten", keys=forgotten)
            except AuditUnavailableError:
                continue

    def _oldest(self) -> date:
        return self._clock.now().date() - timedelta(days=self._retention_days())

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
