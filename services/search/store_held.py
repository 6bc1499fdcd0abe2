"""What holds keep when days end, in the database: the purge login of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID

import asyncpg

from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, connection
from services.search.core.houses import ARCHIVE, HouseNames

# Sealing takes under a millisecond a read, so that a call stays far below the database's patience.
SEALED_AT_ONCE: Final = 2000


class HeldStore:
    """Seals reads of days that are over and notes where their pictures are; no read leaves here."""

    def __init__(self, pool: Pool, names: HouseNames = ARCHIVE) -> None:
        self._pool = pool
        self._schema = names.schema

    async def keys(self, day: date) -> dict[UUID, bytes]:
        """The wrapped keys of holds in force that reach into the day, by hold."""
        statement = f"SELECT hold_id, wrapped_key FROM {self._schema}.hold_keys($1)"  # noqa: S608
        async with connection(self._pool) as held:
            return {row["hold_id"]: row["wrapped_key"] for row in await held.fetch(statement, day)}

    async def seal(self, day: date, keys: Mapping[UUID, bytes]) -> int:
        """How many reads of the day were sealed now; call it until that is 0.

        Raises:
            StorageUnavailableError: A hold came meanwhile; ask for the keys again.
        """
        statement = f"SELECT {self._schema}.seal_day($1, $2, $3, $4)"
        try:
            async with connection(self._pool) as held:
                return int(
                    await held.fetchval(statement, day, list(keys), list(keys.values()), SEALED_AT_ONCE)
                )
        except asyncpg.InvalidParameterValueError as error:
            raise StorageUnavailableError("a hold on this day lacks its key") from error

    async def images_to_part(self, day: date) -> list[tuple[UUID, bytes]]:
        """Holds, each with an image of the day that does not lie with it yet."""
        statement = f"SELECT hold_id, image_sha256 FROM {self._schema}.images_to_part($1)"  # noqa: S608
        async with connection(self._pool) as held:
            rows = await held.fetch(statement, day)
        return [(row["hold_id"], row["image_sha256"]) for row in rows]

    async def image_parted(self, hold_id: UUID, image_sha256: bytes) -> None:
        """Notes that it does."""
        async with connection(self._pool) as held:
            await held.execute(f"SELECT {self._schema}.image_parted($1, $2)", hold_id, image_sha256)

    async def images(self, day: date) -> dict[str, int]:
        """Of the images of a day that holds need: how many lie with them, and how many are missing."""
        statement = f"SELECT parted, missing FROM {self._schema}.held_images($1)"  # noqa: S608
        async with connection(self._pool) as held:
            return dict((await held.fetch(statement, day))[0])

    async def holds_in_force(self) -> set[UUID]:
        """The holds in force."""
        statement = f"SELECT hold_id FROM {self._schema}.holds_in_force() AS t (hold_id)"  # noqa: S608
        async with connection(self._pool) as held:
            return {row["hold_id"] for row in await held.fetch(statement)}

    async def evidence(self, day: date) -> dict[str, str | int]:
        """How many evidence packages outlive the day, and the digest of their ids."""
        statement = f"SELECT packages, digest FROM {self._schema}.evidence_of_day($1)"  # noqa: S608
        async with connection(self._pool) as held:
            packages, digest = (await held.fetch(statement, day))[0]
        return {"packages": packages, "digest": digest.hex()}
