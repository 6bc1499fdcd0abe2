"""Images of a day, and what there is in the image store."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Final

from services.common.errors import NotFoundError
from services.common.objects import ObjectStore, Usage
from services.search.core.houses import MOTOR_CARRIER

DAYS: Final = "days"


class DayImages:
    """`days/<day>/` as ocr fills it, those of the Motor Carrier Safety system below it."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

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
        for name in (f"{prefix}/key", f"{prefix}/{MOTOR_CARRIER.days}/key"):
            with suppress(NotFoundError):
                keys.append(await self._objects.get(name))
        return Usage(used.objects - len(keys), used.size_bytes - sum(map(len, keys))), bool(keys)

    async def remove(self, day: date) -> None:
        """Returns when images and key of the day are gone for good."""
        await self._objects.delete_prefix(f"{DAYS}/{day.isoformat()}")

    async def names(self, prefix: str) -> list[str]:
        """The names below `prefix`; below "" all that there is in the image store."""
        return list(await self._objects.children(prefix))

    async def usage_below(self, prefix: str) -> Usage:
        """What lies below `prefix`, keys included."""
        return await self._objects.usage(prefix)
