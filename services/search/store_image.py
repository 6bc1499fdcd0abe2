"""Keys of pictures: the search_question login, one key for one permit."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from services.common.pg import Pool
from services.search.core.answer import Authorization, StoredImage
from services.search.store_question import asking

_IMAGE_KEY: Final = """
SELECT image_sha256, image_day, image_media_type, image_size, image_key, recognition
  FROM %s.image_key($1, $2)"""


class ImageKeyStore:
    """Exchanges a permit that was used for the key of its picture; `schema` is that of its data set."""

    def __init__(self, pool: Pool, schema: Literal["archive", "motor_carrier"] = "archive") -> None:
        self._pool = pool
        self._image_key = _IMAGE_KEY % schema

    async def image_of(self, authorization: Authorization, read_id: UUID) -> StoredImage | None:
        """The picture of the read, None when it is not in the permit's scope.

        Raises:
            PermitRefusedError: The permit is for another question, or has ended.
            StorageUnavailableError: The database did not answer.
        """
        async with asking(self._pool) as held:
            rows = await held.fetch(self._image_key, authorization.permit, read_id)
        return StoredImage(*rows[0].values()) if rows else None
