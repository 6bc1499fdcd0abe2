"""The pictures of hits: kept for ever, sealed under keys of this service's own (ENF-051 IV.E.2)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.alerts.core.model import Sighting
from services.common import imagecrypt
from services.common.errors import NotFoundError, StorageUnavailableError
from services.common.objects import ObjectStore

# Apart from the images of reads, which end after the retention period.
_PREFIX = "alerts/days"
# Hits are of today, and of yesterday around midnight; a look at an old one reads its key again.
_MOST_DAY_KEYS = 16


@dataclass(frozen=True, slots=True)
class PictureKeys:
    """Where the two pictures of a hit lie; empty for one that did not come."""

    crop: str
    overview: str


class Pictures:
    """Puts pictures away and finds them again."""

    def __init__(self, objects: ObjectStore, kek: bytes) -> None:
        """`kek` is the key-encryption key of this service, 32 bytes."""
        self._objects = objects
        self._kek = kek
        self._day_keys: dict[date, bytes] = {}

    async def keep(self, capture_time: datetime, crop: bytes, overview: bytes) -> PictureKeys:
        """Where the pictures lie, once they are sealed and on disk. Keeping them again changes nothing.

        Raises:
            StorageUnavailableError: The store is full or cannot be written.
        """
        day = capture_time.astimezone(UTC).date()
        return PictureKeys(await self._keep(day, crop), await self._keep(day, overview))

    async def load(self, sighting: Sighting) -> tuple[bytes, bytes]:
        """Crop and overview of `sighting`; empty for one that did not come.

        Raises:
            StorageUnavailableError: A picture cannot be read or opened.
        """
        return await self.open(sighting.crop_key), await self.open(sighting.overview_key)

    async def _keep(self, day: date, image: bytes) -> str:
        if not image:
            return ""
        digest = hashlib.sha256(image).digest()
        key = imagecrypt.image_key(await self._day_key(day), digest)
        name = f"{_PREFIX}/{day.isoformat()}/{digest.hex()}"
        await self._objects.put(name, imagecrypt.seal_image(key, day, image))
        return name

    async def open(self, name: str) -> bytes:
        """The picture that lies under `name`; empty when that is empty.

        Raises:
            StorageUnavailableError: It cannot be read or opened.
        """
        if not name:
            return b""
        _, day_text, digest_text = name.rsplit("/", 2)
        day, digest = date.fromisoformat(day_text), bytes.fromhex(digest_text)
        try:
            sealed = await self._objects.get(name)
            key = imagecrypt.image_key(await self._day_key(day), digest)
            return imagecrypt.open_image(key, day, digest, sealed)
        except (NotFoundError, imagecrypt.SealError) as error:
            raise StorageUnavailableError("a picture of the alert cannot be read") from error

    async def _day_key(self, day: date) -> bytes:
        known = self._day_keys.get(day)
        if known is not None:
            return known
        mine = imagecrypt.wrap_day_key(self._kek, day, imagecrypt.new_day_key())
        # Of several replicas one makes the key of a day; the others get its.
        wrapped = await self._objects.put_new(f"{_PREFIX}/{day.isoformat()}/key", mine)
        try:
            key = imagecrypt.unwrap_day_key(self._kek, day, wrapped)
        except imagecrypt.SealError as error:
            raise StorageUnavailableError("the key of the day is sealed for another service") from error
        while len(self._day_keys) >= _MOST_DAY_KEYS:
            self._day_keys.pop(next(iter(self._day_keys)))
        self._day_keys[day] = key
        return key
