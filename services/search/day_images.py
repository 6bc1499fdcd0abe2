"""Images of a day, and those that a legal hold keeps apart when the day ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from typing import Final
from uuid import UUID

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.imagecrypt import SealError, open_image
from services.common.objects import ObjectStore, Usage
from services.search.core.hold_seal import (
    HoldSealError,
    new_hold_key,
    open_held,
    seal_held,
    unwrap_hold_key,
    wrap_hold_key,
)

DAYS: Final = "days"
HOLDS: Final = "holds"
APART: Final = "mcs"
"""Folder of a day's images of the Motor Carrier Safety system (ENF-051 II.H)."""
_UNREADABLE: Final = "what the hold keeps cannot be opened; tell the system administrator"


class DayImages:
    """`days/<day>/` as ocr fills it, and `holds/<hold id>/` for what outlives its day.

    Args:
        objects: The image store.
        kek: Key-encryption key of holds, 32 bytes.
    """

    def __init__(self, objects: ObjectStore, kek: bytes) -> None:
        self._objects = objects
        self._kek = kek

    async def days(self) -> list[date]:
        """The days with images, oldest first; what is no day is not among them."""
        found = []
        for name in await self._objects.children(DAYS):
            try:
                found.append(date.fromisoformat(name))
            except ValueError:
                continue
        return sorted(found)

    async def usage(self, day: date) -> tuple[Usage, bool]:
        """What there is of the day without its keys, and whether one of them is there.

        Images of the Motor Carrier Safety system lie below, with a key of their own.
        """
        prefix = f"{DAYS}/{day.isoformat()}"
        used = await self._objects.usage(prefix)
        keys = []
        for name in (f"{prefix}/key", f"{prefix}/{APART}/key"):
            with suppress(NotFoundError):
                keys.append(await self._objects.get(name))
        return Usage(used.objects - len(keys), used.size_bytes - sum(map(len, keys))), bool(keys)

    async def remove(self, day: date) -> None:
        """Returns when images and key of the day are gone for good."""
        await self._objects.delete_prefix(f"{DAYS}/{day.isoformat()}")

    async def part(self, hold_id: UUID, day: date, image_sha256: bytes) -> bool:
        """True once the image lies with the hold, sealed with its key too; False when there is none."""
        try:
            sealed = await self._objects.get(f"{DAYS}/{day.isoformat()}/{image_sha256.hex()}")
        except NotFoundError:
            return await self._objects.exists(_held(hold_id, image_sha256))
        key = await self._hold_key(hold_id, make=True)
        held = await asyncio.to_thread(seal_held, key, hold_id, image_sha256, sealed)
        with suppress(AlreadyExistsError):  # sealed before, with another nonce
            await self._objects.put(_held(hold_id, image_sha256), held)
        return True

    async def held_image(self, hold_id: UUID, day: date, image_sha256: bytes, image_key: bytes) -> bytes:
        """The image as the sensor sent it.

        Raises:
            StorageUnavailableError: It is not there, or cannot be opened.
        """
        try:
            held = await self._objects.get(_held(hold_id, image_sha256))
            key = await self._hold_key(hold_id, make=False)
            sealed = await asyncio.to_thread(open_held, key, hold_id, image_sha256, held)
            return await asyncio.to_thread(open_image, image_key, day, image_sha256, sealed)
        except (NotFoundError, HoldSealError, SealError) as error:
            raise StorageUnavailableError(_UNREADABLE) from error

    async def names(self, prefix: str) -> list[str]:
        """The names below `prefix`; below "" all that there is in the image store."""
        return list(await self._objects.children(prefix))

    async def usage_below(self, prefix: str) -> Usage:
        """What lies below `prefix`, keys included."""
        return await self._objects.usage(prefix)

    async def remove_hold(self, name: str) -> None:
        """Returns when what the hold kept and its key are gone for good."""
        await self._objects.delete_prefix(f"{HOLDS}/{name}")

    async def _hold_key(self, hold_id: UUID, *, make: bool) -> bytes:
        name = f"{HOLDS}/{hold_id}/key"
        try:
            wrapped = await self._objects.get(name)
        except NotFoundError:
            if not make:
                raise
            # Of two replicas one is first, and both use its key.
            wrapped = await self._objects.put_new(name, wrap_hold_key(self._kek, hold_id, new_hold_key()))
        try:
            return unwrap_hold_key(self._kek, hold_id, wrapped)
        except HoldSealError as error:
            raise StorageUnavailableError(_UNREADABLE) from error


def _held(hold_id: UUID, image_sha256: bytes) -> str:
    return f"{HOLDS}/{hold_id}/{image_sha256.hex()}"
