"""Keeping the archive in shape: the search_purge login."""

from __future__ import annotations

from typing import Final

from services.common.pg import Pool, connection

_DAYS_AHEAD: Final = 2
_ENSURE_PARTITIONS: Final = "SELECT archive.ensure_partitions($1)"
_FORGET_PERMITS: Final = "SELECT archive.forget_expired_permits()"


class UpkeepStore:
    """Makes partitions ahead of time and forgets what is over."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ensure_partitions(self) -> int:
        """The number of partitions made: every day of the retention period and two ahead now has its own.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        async with connection(self._pool) as held:
            made: int = await held.fetchval(_ENSURE_PARTITIONS, _DAYS_AHEAD)
        return made

    async def forget_expired_permits(self) -> int:
        """The number of used permits that ended over an hour ago, which are now gone. Errors as above."""
        async with connection(self._pool) as held:
            forgotten: int = await held.fetchval(_FORGET_PERMITS)
        return forgotten
