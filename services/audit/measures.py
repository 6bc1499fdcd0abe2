"""What the database alone knows of the log and its witnesses, as gauges."""

from __future__ import annotations

from typing import Final

from services.audit.metrics import LOG_CLOSED, LOG_SIZE, WITNESSED, WITNESSED_SIZE, WITNESSES
from services.common.pg import Pool, connection, measure_cluster

_LOG: Final = """
    SELECT size, EXISTS (SELECT FROM audit.log_closed) AS closed,
           (SELECT count(*) FROM audit.log_witnessed) AS witnesses,
           (SELECT coalesce(max(size), 0) FROM audit.log_witnessed) AS witnessed,
           (SELECT max(added_at) FROM audit.log_witnessed) AS witnessed_at
    FROM audit.log_head
"""


class AuditMeasures:
    """Takes the gauges from the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self) -> None:
        """Returns when the gauges are as the database is. Raises StorageUnavailableError."""
        async with connection(self._pool) as held:
            row = await held.fetchrow(_LOG)
        if row is None:
            return
        LOG_SIZE.set(row["size"])
        LOG_CLOSED.set(row["closed"])
        WITNESSES.set(row["witnesses"])
        WITNESSED_SIZE.set(row["witnessed"])
        if row["witnessed_at"] is not None:
            WITNESSED.set(row["witnessed_at"].timestamp())
        await measure_cluster(self._pool, "records")
