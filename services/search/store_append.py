"""Writing reads: the search_append and search_mcs_append logins may execute append_reads and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from services.common.pg import Pool, connection
from services.search.core.reads import AppendResult, JudgedRead, NewRead, content_digest

_REASONS: Final = {"CONFLICT": "another read with this id is stored"}
# One array a parameter, in the order of archive.append_reads (sql/0003_append.sql), which takes two more.
_COLUMNS: Final[tuple[Callable[[NewRead], Any], ...]] = (
    lambda read: read.read_id,
    lambda read: read.capture_time,
    lambda read: read.receive_time,
    lambda read: read.plate,
    lambda read: read.state,
    lambda read: read.sensor_id,
    lambda read: read.agency_ori,
    lambda read: read.sensor_group,
    lambda read: read.provenance,
    lambda read: read.latitude,
    lambda read: read.longitude,
    lambda read: read.place,
    lambda read: read.confidence,
    lambda read: read.recognition,
    lambda read: read.model_version,
    lambda read: read.sender_read_id,
    lambda read: read.image.sha256 if read.image else None,
    lambda read: read.image.day if read.image else None,
    lambda read: read.image.media_type if read.image else None,
    lambda read: read.image.size_bytes if read.image else None,
    lambda read: read.image.key if read.image else None,
    content_digest,
    lambda read: read.match_revision,
)
_PARAMETERS: Final = ", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 3))
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
        columns = [[column(judged.read) for judged in reads] for column in _COLUMNS]
        shortcomings = [judged.shortcoming for judged in reads]
        originals = [judged.read.original if judged.shortcoming else None for judged in reads]
        async with connection(self._pool) as held:
            rows = await held.fetch(self._append, *columns, shortcomings, originals)
        return [
            AppendResult(
                judged.read.read_id, row["status"], row["status_reason"] or _REASONS.get(row["status"], "")
            )
            for judged, row in zip(reads, rows, strict=True)
        ]
