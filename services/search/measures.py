"""What the database alone knows of purges and sensors, as gauges: numbers, never which."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.common.pg import Pool, measure_cluster
from services.search.core.sensor_health import Kind
from services.search.metrics import DAYS_OVER, MAINTENANCE, PURGE_DUE, PURGED, PURGES_OPEN
from services.search.store_purge import PurgeStore
from services.search.store_sensor_health import SensorHealthStore

_LATEST: Final = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=(1 << 128) - 1), 1)


class SearchMeasures:
    """Takes the gauges from the database."""

    def __init__(self, purges: PurgeStore, sensors: SensorHealthStore, pool: Pool) -> None:
        self._purges = purges
        self._sensors = sensors
        self._pool = pool

    async def take(self) -> None:
        """Returns when the gauges are as the database is. Raises StorageUnavailableError."""
        DAYS_OVER.set(len(await self._purges.days_over()))
        PURGE_DUE.set(await self._purges.is_due())
        PURGES_OPEN.set(len(await self._purges.under_way()))
        for ended in await self._purges.page(*_LATEST):
            PURGED.set(ended.ended_at.timestamp())
        open_kinds = (await self._sensors.open_kinds()).values()
        counts = Counter(kind for kinds in open_kinds for kind in kinds)
        for kind in Kind:
            MAINTENANCE.labels(kind.value.lower()).set(counts[kind])
        await measure_cluster(self._pool, "reads")
