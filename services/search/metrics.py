"""What search counts. No label holds anything of a read, question or person."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from prometheus_client import Counter, Gauge, Histogram

from services.common.errors import AlprError
from services.search.core.sensor_health import Kind

READS: Final = Counter(
    "platewarden_search_reads", "Reads that came to be stored, by their answer.", ["status"]
)
QUESTIONS: Final = Counter(
    "platewarden_search_questions", "Questions put, by kind and what came of them.", ["kind", "end"]
)
QUESTION_SECONDS: Final = Histogram(
    "platewarden_search_question_seconds",
    "Time of a question that was answered, until its outcome stands in the log.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DAYS_OVER: Final = Gauge(
    "platewarden_search_days_over", "Days past the retention period that still have tables; 0 once purged."
)
PURGE_DUE: Final = Gauge(
    "platewarden_search_purge_due", "1 while the purge of today (UTC) has not been made."
)
PURGES_OPEN: Final = Gauge("platewarden_search_purges_open", "Purges that have begun and not ended.")
PURGED: Final = Gauge(
    "platewarden_search_purged_timestamp_seconds", "When the last purge of a day ended; only once one has."
)
MAINTENANCE: Final = Gauge(
    "platewarden_search_maintenance", "Sensors with an open notice of that kind: silent, moved, ...", ["kind"]
)

_FAILURES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED}
)


@contextmanager
def counted(kind: str) -> Iterator[None]:
    """Counts the question that is put inside by how it ends: answered, refused, failed, or left."""
    began, end = time.monotonic(), "left"
    try:
        yield
        end = "answered"
        QUESTION_SECONDS.labels(kind).observe(time.monotonic() - began)
    except AlprError as error:
        end = "failed" if error.code in _FAILURES else "refused"
        raise
    except Exception:
        end = "failed"
        raise
    finally:
        QUESTIONS.labels(kind, end).inc()


for _kind in Kind:
    MAINTENANCE.labels(_kind.value.lower()).set(0)
for _status in ("stored", "duplicate", "out_of_retention", "conflict", "quarantined"):
    READS.labels(_status)
