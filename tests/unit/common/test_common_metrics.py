"""Metrics that every service has."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from prometheus_client import REGISTRY, generate_latest

from services.common import metrics
from services.common.errors import StorageUnavailableError
from services.common.groupcommit import GroupCommit
from services.dev.pki import DevelopmentAuthority


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"platewarden_{name}", labels) or 0.0


@dataclass
class Pool:
    """Counts of a pool."""

    size: int
    idle: int
    most: int
    closed: bool = False

    def get_size(self) -> int:
        return self.size

    def get_idle_size(self) -> int:
        return self.idle

    def get_max_size(self) -> int:
        return self.most

    def is_closing(self) -> bool:
        return self.closed


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_pools_of_one_name_are_counted_together_until_they_are_closed() -> None:
    pools = Pool(5, 2, 10), Pool(1, 1, 4)
    for pool in pools:
        metrics.count_pool("unit-test", pool)

    def counts() -> list[float]:
        states = ("busy", "idle", "most")
        return [value("database_connections", pool="unit-test", state=state) for state in states]

    both = counts()
    pools[0].closed = True

    assert both == [3, 3, 14]
    assert counts() == [0, 1, 4]


async def test_a_measurement_that_fails_is_tried_again_and_its_age_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "MEASURE_EVERY_SECONDS", 0.01)
    taken = 0

    async def measure() -> None:
        nonlocal taken
        taken += 1
        if taken < 3:
            raise StorageUnavailableError("away")

    task = asyncio.create_task(metrics.keep_measuring("unit-test", measure))
    await asyncio.sleep(0)
    failing = value("measured_timestamp_seconds", part="unit-test")
    async with asyncio.timeout(60):
        while not value("measured_timestamp_seconds", part="unit-test"):  # noqa: ASYNC110 - a gauge sends no event
            await asyncio.sleep(0.01)
    await cancelled(task)

    assert failing == 0
    assert taken >= 3


async def test_how_late_the_event_loop_is_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_LAG_EVERY_SECONDS", 0.01)
    before = value("event_loop_lag_seconds_count")

    task = asyncio.create_task(metrics.watch_loop())
    async with asyncio.timeout(60):
        while value("event_loop_lag_seconds_count") < before + 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    await cancelled(task)

    assert value("event_loop_lag_seconds_sum") >= 0


async def test_what_an_image_store_takes_and_fails_at_is_counted() -> None:
    class Store:
        @metrics.timed_object("unit-test")
        async def get(self, key: str) -> str:
            if key == "away":
                raise StorageUnavailableError("away")
            return key

    store = Store()
    found = await store.get("a")
    with pytest.raises(StorageUnavailableError):
        await store.get("away")

    assert found == "a"
    assert value("object_seconds_count", operation="unit-test") == 2
    assert value("object_errors_total", operation="unit-test") == 1


async def test_commits_are_counted_by_their_writer() -> None:
    async def flush(items: Sequence[int]) -> Sequence[int]:
        return items

    commits = GroupCommit[int, int](flush, name="unit-test")
    await asyncio.gather(*(commits.submit(number) for number in range(7)))

    assert value("commit_items_total", writer="unit-test") == 7
    assert value("commit_seconds_count", writer="unit-test") >= 1
    assert value("commit_waiting", writer="unit-test") == 0


def test_the_end_of_the_first_certificate_to_end_is_a_gauge(tls: DevelopmentAuthority) -> None:
    made = tls.service("audit")

    metrics.note_certificates("unit-test", made.cert_file)
    own = value("certificate_not_after_timestamp_seconds", use="unit-test")
    metrics.note_certificates("unit-test", tls.ca_file)

    assert own < value("certificate_not_after_timestamp_seconds", use="unit-test")


def test_counters_do_not_say_when_they_were_made() -> None:
    assert b"_created" not in generate_latest()


def test_the_version_is_a_label() -> None:
    metrics.note_version()

    (sample,) = metrics.BUILD.collect()[0].samples
    assert sample.labels["version"]
