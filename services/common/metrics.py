"""Prometheus metrics that every service has: of calls by method and code, of the process, of its database.

Labels are names of code: methods, codes, pools, kinds. Nothing of a read, a person or a list is ever one.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import structlog
from cryptography import x509
from prometheus_client import (
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.errors import StorageUnavailableError

log = structlog.get_logger()

_Method = TypeVar("_Method", bound=Callable[..., Awaitable[Any]])

HANDLED: Final = Counter("grpc_server_handled", "Calls that got an answer.", ["method", "code"])
# Apart from the answers: a client that went away says nothing about this server.
CANCELLED: Final = Counter("grpc_server_cancelled", "Calls that their client gave up.", ["method"])
UNDER_WAY: Final = Gauge("grpc_server_under_way", "Calls and streams under way.", ["method"])
SECONDS: Final = Histogram(
    "grpc_server_handling_seconds",
    "Time from the first to the last byte of an answered call; of streams too.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 3600),
)
BUILD: Final = Gauge("platewarden_build_info", "1, for the version that runs.", ["version"])
SERVING: Final = Gauge("platewarden_serving", "1 while the process takes new calls, else 0.")
LOOP_LAG: Final = Histogram(
    "platewarden_event_loop_lag_seconds",
    "How late the event loop comes to what is due: everybody waits so long.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
CERTIFICATE_END: Final = Gauge(
    "platewarden_certificate_not_after_timestamp_seconds",
    "End of the first certificate to end in a file that this process uses.",
    ["use"],
)
MEASURED: Final = Gauge(
    "platewarden_measured_timestamp_seconds",
    "When the gauges of that part were last taken from the database.",
    ["part"],
)
ACQUIRE_SECONDS: Final = Histogram(
    "platewarden_database_acquire_seconds",
    "Time that a statement waited for a free connection.",
    buckets=(0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5),
)
DATABASE_ERRORS: Final = Counter(
    "platewarden_database_errors",
    "Statements that failed because the database was away, full or overloaded, by kind of error.",
    ["kind"],
)
ARCHIVED: Final = Gauge(
    "platewarden_database_archived_timestamp_seconds",
    "When the last piece of the write-ahead log went into the archive; only where there is one.",
    ["cluster"],
)
DATABASE_BYTES: Final = Gauge("platewarden_database_size_bytes", "Size of the database.", ["cluster"])

OBJECT_SECONDS: Final = Histogram(
    "platewarden_object_seconds",
    "Time that the image store took, by what was asked of it.",
    ["operation"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
OBJECT_ERRORS: Final = Counter(
    "platewarden_object_errors", "Times that the image store could not be used.", ["operation"]
)
COMMIT_ITEMS: Final = Counter("platewarden_commit_items", "Items that were flushed together.", ["writer"])
COMMIT_SECONDS: Final = Histogram(
    "platewarden_commit_seconds",
    "Time of a flush: of what commits together, or is sent on together.",
    ["writer"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
COMMIT_WAITING: Final = Gauge(
    "platewarden_commit_waiting", "Items that waited when the last flush began.", ["writer"]
)

_LAG_EVERY_SECONDS: Final = 1.0
MEASURE_EVERY_SECONDS: Final = 15.0
"""How often `keep_measuring` looks; who alerts on a gauge of it must wait for some of these."""


class CountedPool(Protocol):
    """What is asked of a pool of connections; asyncpg's has it."""

    def get_size(self) -> int:
        """Connections that are open."""

    def get_idle_size(self) -> int:
        """Those that nobody has."""

    def get_max_size(self) -> int:
        """The most there may be."""

    def is_closing(self) -> bool:
        """Whether it has been closed."""


class _Pools(Collector):
    """The open pools of the process, counted when somebody asks."""

    def __init__(self) -> None:
        self._pools: list[tuple[str, CountedPool]] = []

    def add(self, name: str, pool: CountedPool) -> None:
        self._pools = [*((known, one) for known, one in self._pools if not one.is_closing()), (name, pool)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = GaugeMetricFamily(
            "platewarden_database_connections",
            "Connections to the database by pool: busy, idle, and the most there may be.",
            labels=["pool", "state"],
        )
        sums: dict[tuple[str, str], int] = {}
        for name, pool in self._pools:
            if pool.is_closing():
                continue
            size, idle = pool.get_size(), pool.get_idle_size()
            for state, count in (("busy", size - idle), ("idle", idle), ("most", pool.get_max_size())):
                sums[name, state] = sums.get((name, state), 0) + count
        for labels, count in sums.items():
            found.add_metric(labels, count)
        yield found


_POOLS: Final = _Pools()
REGISTRY.register(_POOLS)
# When a counter was made says nothing that Prometheus does not notice by itself, and doubles what it stores.
disable_created_metrics()  # type: ignore[no-untyped-call]


def count_pool(name: str, pool: CountedPool) -> None:
    """Has the pool counted under its name for as long as it is open."""
    _POOLS.add(name, pool)


def note_version() -> None:
    """Says which version runs."""
    BUILD.labels(importlib.metadata.version("platewarden")).set(1)


def note_certificates(use: str, file: Path) -> None:
    """Notes when the first of the certificates in the file (PEM) ends; for whoever loads them, each time.

    Raises:
        OSError, ValueError: They cannot be read.
    """
    certificates = x509.load_pem_x509_certificates(file.read_bytes())
    CERTIFICATE_END.labels(use).set(min(one.not_valid_after_utc.timestamp() for one in certificates))


def timed_object(operation: str) -> Callable[[_Method], _Method]:
    """Has calls of a method of an image store timed, and those counted that it could not do."""
    seconds, errors = OBJECT_SECONDS.labels(operation), OBJECT_ERRORS.labels(operation)

    def wrap(method: _Method) -> _Method:
        @functools.wraps(method)
        async def run(*arguments: Any) -> Any:
            with seconds.time():
                try:
                    return await method(*arguments)
                except StorageUnavailableError:
                    errors.inc()
                    raise

        return cast("_Method", run)

    return wrap


async def watch_loop() -> None:
    """Observes the event loop's lag every second, until cancelled."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(_LAG_EVERY_SECONDS)
        LOOP_LAG.observe(max(0.0, time.monotonic() - began - _LAG_EVERY_SECONDS))


async def keep_measuring(part: str, measure: Callable[[], Awaitable[None]]) -> None:
    """Takes a measurement now and every 15 seconds, until cancelled.

    A measurement that fails leaves the gauges as they were: `platewarden_measured_timestamp_seconds` tells.
    """
    while True:
        try:
            await measure()
        except Exception as error:
            log.warning("not_measured", part=part, exc_info=error)
        else:
            MEASURED.labels(part).set_to_current_time()
        await asyncio.sleep(MEASURE_EVERY_SECONDS)


def serve_metrics(host: str, port: int) -> Callable[[], None]:
    """Serves all metrics of the process over HTTP at /metrics; gives the function that ends it.

    Raises:
        OSError: The address cannot be listened on.
    """
    server, thread = start_http_server(port, addr=host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
