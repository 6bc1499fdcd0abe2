"""Writing reads: the search_append and search_mcs_append logins may execute append_reads and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Literal

from services.common.pg import Pool, connection
from services.search.core.reads import AppendResult, JudgedRead, content_digest

_REASONS: Final = {"CONFLICT": "another read with this id is stored"}
# What a read is stored with, in the order of the parameters of archive.append_reads (sql/0003_append.sql):
# first these, then the image, then content digest and match revision, then shortcoming and original.
_OF_READ: Final = attrgetter(
    "read_id",
    "capture_time",
    "receive_time",
    "plate",
    "state",
    "sensor_id",
    "agency_ori",
    "sensor_group",
    "provenance",
    "latitude",
    "longitude",
    "place",
    "confidence",
    "recognition",
    "model_version",
    "sender_read_id",
)
_OF_IMAGE: Final = attrgetter("sha256", "day", "media_type", "size_bytes", "key")
_NO_IMAGE: Final = (None,) * 5
_COLUMNS: Final = 25
_PARAMETERS: Final = ", ".join(f"${number}" for number in range(1, _COLUMNS + 1))
_APPEND: Final = f"SELECT status, status_reason FROM %s.append_reads({_PARAMETERS})"  # noqa: S608 -- $n only


class AppendStore:
    """Stores reads of one data set for good; `schema` is the data set's (ENF-051 II.H)."""

    def __init__(self, pool: Pool, schema: Literal["archive", "motor_carrier"] = "archive") -> None:
        self._pool = pool
        self._append = _APPEND % schema

    async def append(self, reads: Sequence[JudgedRead]) -> list[AppendResult]:
        """What became of each read, in order, once the transaction is on disk.

        Raises:
            StorageUnavailableError: The database did not answer; whether it committed is unknown, and sending
                the same reads again is safe.
        """
        if not reads:
            return []
        columns = zip(*map(_row, reads), strict=True)
        async with connection(self._pool) as held:
            rows = await held.fetch(self._append, *columns)
        return [
            AppendResult(
                judged.read.read_id, row["status"], row["status_reason"] or _REASONS.get(row["status"], "")
            )
            for judged, row in zip(reads, rows, strict=True)
        ]

    async def now(self) -> datetime:
        """The database's time. Raises StorageUnavailableError."""
        async with connection(self._pool) as held:
            moment: datetime = await held.fetchval("SELECT clock_timestamp()")
        return moment


def _row(judged: JudgedRead) -> tuple[Any, ...]:
    """The read's value for each parameter. A row at a time: three times as fast as a column at a time."""
    read = judged.read
    return (
        *_OF_READ(read),
        *(_OF_IMAGE(read.image) if read.image else _NO_IMAGE),
        content_digest(read),
        read.match_revision,
        judged.shortcoming,
        read.original if judged.shortcoming else None,
    )
