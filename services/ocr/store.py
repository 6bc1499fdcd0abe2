"""The images of reads at rest: by day of capture, each sealed with its own key (ADR-0008)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class ImageKeks:
    """Key-encryption keys, 32 bytes each: the Motor Carrier Safety system has its own (ENF-051 III.E.5)."""

    general: bytes = field(repr=False)
    motor_carrier: bytes = field(repr=False)


class ImageVault:
    """Puts images into the object store. Search removes them with their day; its keys are forgotten here.

    Args:
        objects: Where they lie, `days/<day>/<sha256>`, beside the wrapped key of the day, `days/<day>/key`;
            those of the Motor Carrier Safety system with a key of their own below `days/<day>/mcs`.
        keks: Key-encryption keys.
        clock: Tells which days are over.
        retention_days: Gives the days that an image is kept after its day, as they are set now; raises
            AuditUnavailableError while they are not known.
    """

    def __init__(
        self, objects: ObjectStore, keks: ImageKeks, clock: Clock, *, retention_days: Callable[[], int]
    ) -> None:
        self._objects = objects
        self._keks = {False: keks.general, True: keks.motor_carrier}
        self._clock = clock
        self._retention_days = retention_days
        self._day_keys: dict[tuple[date, bool], bytes] = {}

    async def check(self) -> None:
        """Returns when images of today can be stored: the store is writable, and the keys are its own.

        Raises:
            ConfigError: The store cannot be written, or was written with another key-encryption key.
        """
        today = self._clock.now().date()
        for motor_carrier, variable in ((False, "PW_IMAGE_KEK_FILE"), (True, "PW_MCS_IMAGE_KEK_FILE")):
            try:
                await self._day_key(today, motor_carrier)
            except SealError:
                raise ConfigError(
                    f"{variable} is not the key that this image store was written with"
                ) from None
            except StorageUnavailableError as error:
                raise ConfigError(f"the image store: {error.message}") from None

    def keeps(self, day: date) -> bool:
        """Whether images of `day` are still kept.

        Raises:
            AuditUnavailableError: Nobody has said yet how long.
        """
        return day >= self._oldest()

    async def store(self, day: date, sha256: bytes, image: bytes, *, motor_carrier: bool) -> bytes:
        """The key of the image, 32 bytes, once it is sealed and durably stored; the same again is no error.

        Raises:
            StorageUnavailableError: It is not stored.
        """
        try:
            key = image_key(await self._day_key(day, motor_carrier), sha256)
        except SealError:
            log.exception("day_key_unreadable", day=day.isoformat())
            raise StorageUnavailableError("the key of the day's images cannot be opened; try again") from None
        sealed = await asyncio.to_thread(seal_image, key, day, image)
        await self._objects.put(f"{_folder(day, motor_carrier)}/{sha256.hex()}", sealed)
        return key

    def forget_old_keys(self) -> int:
        """The number of keys of days that are over, which are no more in this process (ENF-051 IV.E.1)."""
        over = [one for one in self._day_keys if not self.keeps(one[0])]
        for one in over:
            del self._day_keys[one]
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

    async def _day_key(self, day: date, motor_carrier: bool) -> bytes:
        at_hand = self._day_keys.get((day, motor_carrier))
        if at_hand is not None:
            return at_hand
        name, kek = f"{_folder(day, motor_carrier)}/key", self._keks[motor_carrier]
        try:
            wrapped = await self._objects.get(name)
        except NotFoundError:
            # Of two processes that make the day's key at once, one is first and both use its key.
            wrapped = await self._objects.put_new(name, wrap_day_key(kek, day, new_day_key()))
        key = unwrap_day_key(kek, day, wrapped)
        if len(self._day_keys) >= _MOST_KEYS_AT_HAND:
            del self._day_keys[min(self._day_keys)]
        self._day_keys[day, motor_carrier] = key
        return key


def _folder(day: date, motor_carrier: bool) -> str:
    # Below the day's own, so that all of it ends with the day.
    return f"{_ROOT}/{day.isoformat()}" + ("/mcs" if motor_carrier else "")
