"""What storing a read costs: archive.append_reads against a plain table with the same three indexes.

Both take reads in batches of 500, in turn, on one connection each, and answer when the batch is on disk. The
plain table has the same columns and begins, as today's partition does, with one day's reads; it has no
dictionary, no checks, no partitions and takes no read twice. The digest that the archive computes for each
read stands ready for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg

from benchmarks._archive_world import SENSORS, lattices
from services.common.canonical import to_microseconds
from services.common.database import Connection
from services.common.pg import open_pool
from services.search.core.reads import Image, JudgedRead, NewRead, content_digest
from services.search.store_append import AppendStore

BATCH: Final = 500
_ROUNDS: Final = 60
_WARM_UP: Final = 5
_LATTICES: Final = 1_000
_COLUMNS: Final = (
    ("read_id", "uuid"), ("capture_time", "timestamptz"), ("receive_time", "timestamptz"), ("plate", "text"),
    ("state", "text"), ("sensor_id", "text"), ("agency_ori", "text"), ("sensor_group", "text"),
    ("provenance", "text"), ("latitude", "double precision"), ("longitude", "double precision"),
    ("place", "text"), ("confidence", "real"), ("recognition", "bytea"), ("model_version", "text"),
    ("sender_read_id", "text"), ("image_sha256", "bytea"), ("image_day", "date"),
    ("image_media_type", "text"), ("image_size", "bigint"), ("image_key", "bytea"),
    ("content_digest", "bytea"), ("match_revision", "bigint"),
)  # fmt: skip
_NAMES: Final = ", ".join(name for name, _ in _COLUMNS)
_ARRAYS: Final = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(_COLUMNS, start=1))
_PLAIN_INSERT: Final = f"INSERT INTO made.plain_insert ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608
_PLAIN_TABLE: Final = """
CREATE TABLE made.plain_insert AS SELECT * FROM archive.read WHERE image_day = $1;
ALTER TABLE made.plain_insert ADD PRIMARY KEY (read_id);
CREATE INDEX ON made.plain_insert (plate, capture_time);
CREATE INDEX ON made.plain_insert (sensor_id, capture_time);
ANALYZE made.plain_insert;"""


async def append(admin_url: str, append_url: str) -> dict[str, Any]:
    """Rows a second of both, by the median batch and over all."""
    source = Source(await _plates(admin_url))
    plain = await asyncpg.connect(admin_url)
    pool = await open_pool(append_url, application_name="bench-append", min_size=1, max_size=1)
    try:
        day = datetime.now(UTC).date()
        await plain.execute(_PLAIN_TABLE.replace("$1", f"date '{day:%Y-%m-%d}'"))
        stores, plains = [], []
        for number in range(_ROUNDS + _WARM_UP):
            stored = await _timed_store(AppendStore(pool), source.batch(BATCH))
            written = await _timed_plain(plain, source.batch(BATCH))
            if number >= _WARM_UP:
                stores.append(stored)
                plains.append(written)
        again = source.batch(BATCH)
        await AppendStore(pool).append(again)
        repeated = [await _timed_store(AppendStore(pool), again, "DUPLICATE") for _ in range(_ROUNDS // 4)]
    finally:
        await pool.close()
        await plain.close()
    return {
        "store_rows_per_s": _rate(stores),
        "plain_insert_rows_per_s": _rate(plains),
        "repeat_rows_per_s": _rate(repeated),
        "insert_ratio": round(_rate(stores) / _rate(plains), 2),
    }


class Source:
    """Reads of known plates by the made cameras, captured just now."""

    def __init__(self, plates: Sequence[str]) -> None:
        self._random = Random(7)  # noqa: S311 - no secret
        self._plates = plates
        self._lattices = lattices(_LATTICES)

    def batch(self, count: int) -> list[JudgedRead]:
        """So many new reads."""
        now = datetime.now(UTC)
        return [JudgedRead(self._read(now - timedelta(microseconds=self._random.randrange(10**6))), None)
                for _ in range(count)]  # fmt: skip

    def _read(self, captured: datetime) -> NewRead:
        camera = self._random.randrange(SENSORS)
        bits = self._random.getrandbits
        milliseconds = to_microseconds(captured) // 1000
        return NewRead(
            read_id=UUID(int=milliseconds << 80 | 7 << 76 | bits(12) << 64 | 2 << 62 | bits(62)),
            capture_time=captured,
            receive_time=captured,
            plate=self._random.choice(self._plates),
            state="IL",
            sensor_id=f"camera-{camera:03d}",
            agency_ori="ILISP0000",
            sensor_group=f"group-{camera % 8}",
            provenance="OWN",
            latitude=41.6 + 0.5 * camera / SENSORS,
            longitude=-88.3 + 0.7 * camera / SENSORS,
            place=f"Road {camera % 90} at mile {camera}",
            confidence=0.93,
            recognition=self._random.choice(self._lattices),
            model_version="made",
            sender_read_id=str(bits(40)),
            image=Image(self._random.randbytes(32), captured.date(), "image/jpeg", 54321, b"K" * 32),
            match_revision=1,
            original=b"",
        )


async def _plates(admin_url: str) -> list[str]:
    """Plates as the next day would have them: of reads, so that busy ones are there more often."""
    connection = await asyncpg.connect(admin_url)
    try:
        day = datetime.now(UTC).date() - timedelta(days=1)
        rows = await connection.fetch("SELECT plate FROM archive.read WHERE image_day = $1", day)
    finally:
        await connection.close()
    return [row["plate"] for row in rows]


async def _timed_store(store: AppendStore, reads: list[JudgedRead], expected: str = "STORED") -> float:
    start = time.perf_counter()
    results = await store.append(reads)
    took = time.perf_counter() - start
    if any(result.status != expected for result in results):
        raise SystemExit(f"not every read was {expected}")
    return took


async def _timed_plain(connection: Connection, judged: list[JudgedRead]) -> float:
    reads = [one.read for one in judged]
    digests = [content_digest(read) for read in reads]
    start = time.perf_counter()
    await connection.execute(_PLAIN_INSERT, *_columns(reads, digests))
    return time.perf_counter() - start


def _columns(reads: list[NewRead], digests: list[bytes]) -> list[list[Any]]:
    plain = [name for name, _ in _COLUMNS if not name.startswith("image_") and name != "content_digest"]
    columns: dict[str, list[Any]] = {name: [getattr(read, name) for read in reads] for name in plain}
    images = [read.image for read in reads if read.image]
    columns["image_sha256"] = [image.sha256 for image in images]
    columns["image_day"] = [image.day for image in images]
    columns["image_media_type"] = [image.media_type for image in images]
    columns["image_size"] = [image.size_bytes for image in images]
    columns["image_key"] = [image.key for image in images]
    columns["content_digest"] = list(digests)
    return [columns[name] for name, _ in _COLUMNS]


def _rate(seconds: list[float]) -> int:
    return round(BATCH * len(seconds) / sum(seconds))
