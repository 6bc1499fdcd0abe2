"""Builds the archive, a plain table and a DuckDB file with the same reads.

Rows go in without indexes and the indexes are made afterwards, as one restores a backup: a tenth of the time
that appending them would take. What appending costs is measured by itself (`_archive_append.py`).

The peers have no lattices, hashes, keys and digests: what nobody asks for does not slow them down. The plain
table has a primary key and indexes on plate and time, sensor and time, and time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import duckdb

from benchmarks._archive_world import DAYS, READS_A_VEHICLE, make_schema
from services.common.database import Connection

SERVER: Final = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "max_locks_per_transaction": "256",
}
"""What docs/operations/README.md recommends for an archive of this size; the rest is PostgreSQL's default."""
BUILDING: Final = {
    **SERVER,
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "synchronous_commit": "off",
    "autovacuum": "off",
}
_WORKERS: Final = 2
_ASKED: Final = """read_id, capture_time, plate, state, sensor_id, agency_ori, sensor_group, provenance,
    latitude, longitude, place, confidence"""
_PLAIN_INDEXES: Final = (
    "ALTER TABLE made.plain ADD PRIMARY KEY (read_id)",
    "CREATE INDEX ON made.plain (plate, capture_time)",
    "CREATE INDEX ON made.plain (sensor_id, capture_time)",
    "CREATE INDEX ON made.plain (capture_time)",
)
_PARENT_INDEXES: Final = """
SELECT c.oid::regclass::text AS name, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') AS definition
  FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid
 WHERE i.indrelid = $1::regclass AND NOT i.indisprimary"""
_PARTITION_INDEXES: Final = """
SELECT c.oid::regclass::text AS name, pg_get_indexdef(c.oid) AS definition
  FROM pg_inherits AS h
  JOIN pg_index AS i ON i.indrelid = h.inhrelid
  JOIN pg_class AS c ON c.oid = i.indexrelid
 WHERE h.inhparent = $1::regclass AND NOT c.relispartition"""
_DAY: Final = "(p.capture_time AT TIME ZONE 'UTC')::date AS day"
_DICTIONARY: Final = f"""
INSERT INTO archive.plate_seen (plate, first_day, days)
SELECT s.plate, min(s.day), array_agg(s.day ORDER BY s.day)
  FROM (SELECT DISTINCT p.plate, {_DAY} FROM made.plain AS p) AS s
 GROUP BY s.plate;
INSERT INTO archive.place_seen (cell_latitude, cell_longitude, sensor_id, sensor_group, first_day, days)
SELECT s.cell_latitude, s.cell_longitude, s.sensor_id, s.sensor_group, min(s.day),
       array_agg(s.day ORDER BY s.day)
  FROM (SELECT DISTINCT archive.cell(p.latitude) AS cell_latitude,
               archive.cell(p.longitude) AS cell_longitude, p.sensor_id, p.sensor_group, {_DAY}
          FROM made.plain AS p) AS s
 GROUP BY s.cell_latitude, s.cell_longitude, s.sensor_id, s.sensor_group;"""  # noqa: S608 - text of our own


def first_day() -> date:
    """The day of the oldest reads; the newest are of today."""
    return datetime.now(UTC).date() - timedelta(days=DAYS - 1)


async def build(admin_url: str, reads: int) -> None:
    """Fills the migrated archive of `admin_url`, which has its partitions, with so many reads.

    Makes `made.plain` too: the same reads as a table of everybody's.
    """
    async with _connections(admin_url) as connections:
        first = connections[0]
        await make_schema(first)
        async with _without_indexes(connections, "archive.read", "archive.plate_seen"):
            with step("rows of the archive"):
                await _fill(connections, reads)
            with step("rows of the plain table"):
                await first.execute(f"CREATE TABLE made.plain AS SELECT {_ASKED} FROM archive.read")  # noqa: S608
            with step("dictionary"):
                await first.execute("SET work_mem = '1GB'; SET default_statistics_target = 20")
                await first.execute(_DICTIONARY)
        with step("indexes of the plain table"):
            await _share(connections, _PLAIN_INDEXES, lambda connection, one: connection.execute(one))
        with step("statistics"):
            for table in ("archive.read", "archive.plate_seen", "archive.place_seen", "made.plain"):
                await first.execute(f"VACUUM ANALYZE {table}")


async def build_duckdb(admin_url: str, file: Path) -> None:
    """Makes the DuckDB file with table `plain`."""
    rows = file.with_suffix(".csv")
    with step("rows for DuckDB"):
        connection = await asyncpg.connect(admin_url)
        try:
            await connection.copy_from_table("plain", schema_name="made", output=rows, format="csv")
        finally:
            await connection.close()
    with step("DuckDB"):
        await asyncio.to_thread(_load_duckdb, file, rows)
    rows.unlink()


def _load_duckdb(file: Path, rows: Path) -> None:
    with duckdb.connect(file) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(
            """CREATE TABLE plain (read_id UUID, capture_time TIMESTAMPTZ, plate VARCHAR, state VARCHAR,
               sensor_id VARCHAR, agency_ori VARCHAR, sensor_group VARCHAR, provenance VARCHAR,
               latitude DOUBLE, longitude DOUBLE, place VARCHAR, confidence REAL)"""
        )
        database.execute("COPY plain FROM $1 (FORMAT csv, HEADER false)", [str(rows)])


async def _fill(connections: list[Connection], reads: int) -> None:
    vehicles = reads // READS_A_VEHICLE
    days = [
        (first_day() + timedelta(days=n), (n + 1) * reads // DAYS - n * reads // DAYS) for n in range(DAYS)
    ]
    await _share(
        connections,
        days,
        lambda connection, day: connection.execute("SELECT made.fill($1, $2, $3)", *day, vehicles),
    )


@asynccontextmanager
async def _without_indexes(connections: list[Connection], *tables: str) -> AsyncIterator[None]:
    """Takes the indexes of tables and partitions away, and makes the same ones anew at the end."""
    taken = [
        row
        for table in tables
        for statement in (_PARTITION_INDEXES, _PARENT_INDEXES)
        for row in await connections[0].fetch(statement, table)
    ]
    for row in taken:
        await connections[0].execute(f"DROP INDEX {row['name']}")
    yield
    with step("indexes of the archive"):
        await _share(connections, taken, lambda connection, row: connection.execute(row["definition"]))


async def _share(
    connections: list[Connection],
    work: Iterable[Any],
    do: Callable[[Connection, Any], Awaitable[Any]],
) -> None:
    """Does each piece of work on whichever connection is free, in order."""
    pieces = iter(list(work))

    async def worker(connection: Connection) -> None:
        for piece in pieces:
            await do(connection, piece)

    await asyncio.gather(*(worker(connection) for connection in connections))


@asynccontextmanager
async def _connections(url: str) -> AsyncIterator[list[Connection]]:
    made = [await asyncpg.connect(url, command_timeout=None) for _ in range(_WORKERS)]
    try:
        yield made
    finally:
        for connection in made:
            await connection.close()


@contextmanager
def step(name: str) -> Iterator[None]:
    """Says on standard error how long the block took."""
    start = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
