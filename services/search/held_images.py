"""Pictures that legal holds of one data set keep apart when their day ends (ENF-051 IV.E.3)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from typing import Final
from uuid import UUID

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.imagecrypt import SealError, open_image
from services.common.objects import ObjectStore
from services.search.core.hold_seal import HoldSealError, open_held, seal_held
from services.search.core.houses import HouseNames
from services.search.day_images import DAYS

_UNREADABLE: Final = "what the hold keeps cannot be opened; tell the system administrator"


class HeldImages:
    """`<holds>/<hold id>/<sha256>` for what outlives its day, each sealed with its hold's key."""

    def __init__(self, objects: ObjectStore, names: HouseNames) -> None:
        self._objects = objects
        self._names = names

    async def part(self, hold_id: UUID, key: bytes, day: date, image_sha256: bytes) -> bool:
        """True once the image lies with the hold, sealed with its key too; False when there is none."""
        folder = f"{DAYS}/{day.isoformat()}" + (f"/{self._names.days}" if self._names.days else "")
        try:
            sealed = await self._objects.get(f"{folder}/{image_sha256.hex()}")
        except NotFoundError:
            return await self._objects.exists(self._held(hold_id, image_sha256))
        held = await asyncio.to_thread(seal_held, key, hold_id, image_sha256, sealed)
        with suppress(AlreadyExistsError):  # sealed before, with another nonce
            await self._objects.put(self._held(hold_id, image_sha256), held)
        return True

    async def image(
        self, hold_id: UUID, key: bytes, day: date, image_sha256: bytes, image_key: bytes
    ) -> bytes:
        """The image as the sensor sent it.

        Raises:
            StorageUnavailableError: It is not there, or cannot be opened.
        """
        try:
            held = await self._objects.get(self._held(hold_id, image_sha256))
            sealed = await asyncio.to_thread(open_held, key, hold_id, image_sha256, held)
            return await asyncio.to_thread(open_image, image_key, day, image_sha256, sealed)
        except (NotFoundError, HoldSealError, SealError) as error:
            raise StorageUnavailableError(_UNREADABLE) from error

    async def holds(self) -> list[str]:
        """The names below which pictures lie: ids of holds."""
        return list(await self._objects.children(self._names.holds))

    async def remove(self, name: str) -> None:
        """Returns when the pictures that the hold kept are gone for good."""
        await self._objects.delete_prefix(f"{self._names.holds}/{name}")

    def _held(self, hold_id: UUID, image_sha256: bytes) -> str:
        return f"{self._names.holds}/{hold_id}/{image_sha256.hex()}"
