"""Keeping the archive in shape: the search_purge and search_mcs_purge logins."""

from __future__ import annotations

from typing import Final, Literal

from services.common.pg import Pool, connection

_DAYS_AHEAD: Final = 2
_ENSURE_PARTITIONS: Final = "SELECT %s.ensure_partitions($1)"
_FORGET_PERMITS: Final = "SELECT %s.forget_expired_permits()"


class UpkeepStore:
    """Makes partitions of one data set ahead of time and forgets what is over; `schema` is the data set's."""

    def __init__(self, pool: Pool, schema: Literal["archive", "motor_carrier"] = "archive") -> None:
        self._pool = pool
        self._ensure_partitions = _ENSURE_PARTITIONS % schema
        self._forget_permits = _FORGET_PERMITS % schema

    async def ensure_partitions(self) -> int:
        """The number of partitions made: every day of the retention period and two ahead now has its own.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        async with connection(self._pool) as held:
            made: int = await held.fetchval(self._ensure_partitions, _DAYS_AHEAD)
        return made

    async def forget_expired_permits(self) -> int:
        """The number of used permits that ended over an hour ago, which are now gone. Errors as above."""
        async with connection(self._pool) as held:
            forgotten: int = await held.fetchval(self._forget_permits)
        return forgotten
