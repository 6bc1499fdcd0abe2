"""Keys of pictures for the hits of a look-back: the search_question login, as for every other question."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.common.pg import Pool
from services.search.core.answer import Authorization, StoredImage
from services.search.store_question import asking

_KEYS: Final = """
SELECT read_id, image_sha256, image_day, image_media_type, image_size, image_key, recognition
  FROM %s($1)"""


class LookBackKeyStore:
    """Exchanges a permit that was used for the keys of its pictures."""

    def __init__(self, pool: Pool, *, motor_carrier: bool = False) -> None:
        self._pool = pool
        function = "motor_carrier.mcslookbackimage_keys" if motor_carrier else "archive.lookbackimage_keys"
        self._keys = _KEYS % function

    async def take(self, authorization: Authorization) -> list[tuple[UUID, StoredImage]]:
        """Read and picture, by read id.

        Raises:
            PermitRefusedError: The permit is for another question, or has ended.
            StorageUnavailableError: The database did not answer.
        """
        async with asking(self._pool) as held:
            rows = await held.fetch(self._keys, authorization.permit)
        return [(read_id, StoredImage(*values)) for read_id, *values in (row.values() for row in rows)]
