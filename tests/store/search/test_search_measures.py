"""Gauges of purges and sensors, as the database has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.search.core.sensor_health import Kind
from services.search.measures import SearchMeasures
from services.search.store_sensor_health import NewNotice, SensorHealthStore
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import ORI
from tests.support.search_retention import Rig, day_ago, purging, reads_of


@pytest_asyncio.fixture
async def rig(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]], tmp_path: Path
) -> AsyncIterator[Rig]:
    database = await migrated_database("search")
    async with purging(database, tmp_path) as made:
        yield made
    await database.drop()


def gauge(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"platewarden_{name}", labels)
    assert value is not None, name
    return value


@pytest.mark.clause("IV.E.1")
async def test_days_past_the_retention_period_are_a_gauge_until_they_are_purged(rig: Rig) -> None:
    async with asyncpg.create_pool(rig.database.url("search_health"), min_size=1) as pool:
        measures = SearchMeasures(rig.store, SensorHealthStore(pool), rig.pools["search_question"])
        for days in (92, 95):
            await rig.plant(reads_of(day_ago(days), 2))
        await measures.take()
        over = gauge("search_days_over"), gauge("search_purge_due")

        await rig.purger.run_if_due()
        await measures.take()

    assert over == (2, 1)
    assert (gauge("search_days_over"), gauge("search_purge_due"), gauge("search_purges_open")) == (0, 0, 0)
    assert abs(gauge("search_purged_timestamp_seconds") - datetime.now(UTC).timestamp()) < 60
    assert gauge("database_size_bytes", cluster="reads") > 1_000_000


@pytest.mark.clause("III.B.2.c")
async def test_sensors_with_an_open_notice_are_counted_by_kind(rig: Rig) -> None:
    async with asyncpg.create_pool(rig.database.url("search_health"), min_size=1) as pool:
        sensors = SensorHealthStore(pool)
        measures = SearchMeasures(rig.store, sensors, rig.pools["search_question"])
        opened = [
            NewNotice(name, "expressway", ORI, motor_carrier=False, kind=kind, description="Since noon.")
            for name, kind in (("cam-1", Kind.SILENT), ("cam-2", Kind.SILENT), ("cam-2", Kind.MOVED))
        ]
        await sensors.change(opened, [], datetime.now(UTC))
        await measures.take()
        before = [gauge("search_maintenance", kind=kind) for kind in ("silent", "moved", "backlog")]

        await sensors.change([], [("cam-1", Kind.SILENT)], datetime.now(UTC))
        await measures.take()

    assert before == [2, 1, 0]
    assert gauge("search_maintenance", kind="silent") == 1
