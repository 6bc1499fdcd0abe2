"""Pictures of reads in the object store: ocr puts them there, sealed; a permit gives the key (ADR-0008)."""

from __future__ import annotations

import asyncio

import structlog

from services.common.errors import NotFoundError, StorageUnavailableError
from services.common.imagecrypt import SealError, open_image
from services.common.objects import ObjectStore
from services.search.core.answer import StoredImage
from services.search.core.houses import MOTOR_CARRIER
from services.search.day_images import DAYS

log = structlog.get_logger()


class ReadImages:
    """Opens pictures; without a key there is nothing to see here.

    Args:
        objects: The image store.
        motor_carrier: Of the Motor Carrier Safety system, whose pictures lie apart (ENF-051 II.H).
    """

    def __init__(self, objects: ObjectStore, *, motor_carrier: bool = False) -> None:
        self._objects = objects
        self._folder = f"/{MOTOR_CARRIER.days}" if motor_carrier else ""

    async def load(self, image: StoredImage) -> bytes:
        """The picture as the sensor sent it, checked against its hash.

        Raises:
            NotFoundError: No key came with the read, or its picture is gone.
            StorageUnavailableError: The store cannot be read, or gives something else.
        """
        if image.key is None:
            raise NotFoundError("no picture is kept with this read")
        name = f"{DAYS}/{image.day.isoformat()}{self._folder}/{image.sha256.hex()}"
        try:
            sealed = await self._objects.get(name)
            return await asyncio.to_thread(open_image, image.key, image.day, image.sha256, sealed)
        except NotFoundError as error:
            # The row is there, so its day is: somebody must look at this.
            log.warning("picture_missing", day=image.day.isoformat())
            raise NotFoundError("the picture of this read is not in the image store") from error
        except SealError as error:
            log.exception("picture_not_opened", day=image.day.isoformat())
            raise StorageUnavailableError("the picture of this read cannot be opened") from error
