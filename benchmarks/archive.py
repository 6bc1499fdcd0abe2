"""The archive on ten million reads: storing, asking, forgetting, and two peers.

`make bench NAME=archive` prints one JSON line; it takes a quarter of an hour and 20 GB of disk. Sizes are
options of this file: `--reads` (10,000,000; or READS in the environment), `--only a,b` takes parts of size,
questions, append, purge, rpc. The reads are made (`_archive_world.py` says how); nobody's plates are in them.

    store_rows_per_s        reads a second through archive.append_reads, in batches of 500 on one connection;
                            plain_insert_...: into a plain table with the same three indexes, in turn;
                            repeat_...: the same reads once more, all DUPLICATE (`_archive_append.py`)
    rpc_rows_per_s          the same through AppendReads, eight calls of 500 under way (`_archive_rpc.py`)
    exact_90d, wildcard, one_off, area_24h, convoy
                            p50_ms and p95_ms of a question to the database (`_archive_questions.py`)
    governed_16             the whole call SearchReads, audit included, with 16 callers
    heap_mb_per_million, index_mb_per_million
                            of reads and dictionary; dictionary_mb_per_million: of the latter alone
    purge_ms                the oldest day: rows, digest, partition, dictionary; purge_worst_reader_ms: the
                            slowest exact question meanwhile, by two readers (`_archive_purge.py`)
    ratio                   p50 of plain_table and of duckdb over the archive's, by question; ..._cpu: their
                            processor time over the archive's; what they took is in peers
    reach                   whether the figures that docs/scale.md names were reached
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks import _archive_append, _archive_build, _archive_purge, _archive_questions, _archive_rpc
from benchmarks._archive_world import DAYS
from services.common.database import create_database, with_database, with_login
from services.common.migrate import migrate
from services.dev.places import Places
from services.dev.postgres import EmbeddedPostgres
from services.dev.supervisor import DATABASE

_LOGINS: Final = ("search_append", "search_question", "search_purge")
_PEERS: Final = ("plain_table", "duckdb")
_SIZES: Final = """
SELECT sum(pg_table_size(c.oid)) FILTER (WHERE c.relkind = 'r') / 1e6 AS heap,
       sum(pg_indexes_size(c.oid)) / 1e6 AS indexes,
       sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE '%\\_seen') / 1e6 AS dictionary
  FROM pg_class AS c
 WHERE c.relnamespace = 'archive'::regnamespace AND c.relkind = 'r'
   AND (c.relname ~ '^read_[0-9]{8}$' OR c.relname IN ('plate_seen', 'place_seen'))"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A built archive and what else the parts need."""

    folder: Path
    reads: int
    admin_url: str
    password: str

    def url(self, login: str) -> str:
        """The archive's database for a login."""
        return with_login(self.admin_url, login, self.password)

    async def plates(self) -> list[str]:
        """Plates to ask for: of the reads of one day, so that busy ones are asked for more often."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            rows = await connection.fetch(
                "SELECT plate FROM archive.read WHERE image_day = $1 ORDER BY read_id LIMIT 20000",
                _archive_build.first_day(),
            )
        finally:
            await connection.close()
        return [row["plate"] for row in rows]


async def size(bench: Bench) -> dict[str, Any]:
    """Megabytes per million reads."""
    connection = await asyncpg.connect(bench.admin_url)
    try:
        row = await connection.fetchrow(_SIZES)
        days = await connection.fetchval("SELECT avg(cardinality(days)) FROM archive.plate_seen")
        plates = await connection.fetchval("SELECT count(*) FROM archive.plate_seen")
    finally:
        await connection.close()
    if row is None:
        raise SystemExit("there is no archive")
    millions = bench.reads / 1e6
    return {
        "heap_mb_per_million": round(float(row["heap"]) / millions, 1),
        "index_mb_per_million": round(float(row["indexes"]) / millions, 1),
        "dictionary_mb_per_million": round(float(row["dictionary"]) / millions, 1),
        "plates": plates,
        "days_per_plate": round(float(days), 2),
    }


async def append(bench: Bench) -> dict[str, Any]:
    """Reads a second."""
    return await _archive_append.append(bench.admin_url, bench.url("search_append"))


async def questions(bench: Bench) -> dict[str, Any]:
    """Milliseconds of the questions, ours and the peers'."""
    file = bench.folder / "peer.duckdb"
    await _archive_build.build_duckdb(bench.admin_url, file)
    connections = [await asyncpg.connect(bench.admin_url) for _ in range(2)]
    columnar = _archive_questions.Columnar(file)
    try:
        await connections[0].execute("CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA public")
        systems: dict[str, _archive_questions.System] = {
            "archive": _archive_questions.Archive(connections[0]),
            "plain_table": _archive_questions.Plain(connections[1]),
            "duckdb": columnar,
        }
        took = await _archive_questions.measured(systems, await bench.plates())
    finally:
        columnar.close()
        for connection in connections:
            await connection.close()
    return {**took["archive"], "ratio": _ratios(took), "peers": {name: took[name] for name in _PEERS}}


def _ratios(took: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    ours = took["archive"]
    return {
        peer + suffix: {kind: round(took[peer][kind][figure] / ours[kind][figure], 2) for kind in ours}
        for suffix, figure in (("", "p50_ms"), ("_cpu", "cpu_ms"))
        for peer in _PEERS
    }


async def purge(bench: Bench) -> dict[str, Any]:
    """Milliseconds of the end of a day."""
    return await _archive_purge.purge(bench.admin_url, bench.url("search_purge"), await bench.plates())


# In this order: what is appended is not in the peers.
_OF_DATABASE: Final = {"size": size, "questions": questions, "append": append, "purge": purge}
PARTS: Final = (*_OF_DATABASE, "rpc")


async def run(reads: int, parts: list[str], folder: Path) -> dict[str, Any]:
    """The line."""
    line: dict[str, Any] = {"benchmark": "archive", "reads": reads, "days": DAYS}
    data = folder / "data"
    password = secrets.token_hex(16)
    async with _database(data, _archive_build.BUILDING) as admin_url:
        bench = Bench(folder, reads, admin_url, password)
        await _migrated(bench)
        await _archive_build.build(admin_url, reads)
        plates = await bench.plates()
    async with _database(data, _archive_build.SERVER) as admin_url:
        bench = Bench(folder, reads, admin_url, password)
        for part, measure in _OF_DATABASE.items():
            if part in parts:
                with _archive_build.step(part):
                    line |= await measure(bench)
    if "rpc" in parts:
        with _archive_build.step("rpc"):
            line |= await _archive_rpc.rpc(data, plates)
    return {**line, "reach": _reach(line)}


def _reach(line: Mapping[str, Any]) -> dict[str, bool]:
    """What docs/scale.md says that this archive reaches, as far as it was measured."""
    reached = {}
    if "insert_ratio" in line:
        reached["store_half_of_plain"] = line["insert_ratio"] >= 0.5  # noqa: PLR2004 - the figure itself
    if "ratio" in line:
        plain = line["peers"]["plain_table"]
        reached["exact_p95_within_3_plain"] = line["exact_90d"]["p95_ms"] <= 3 * plain["exact_90d"]["p95_ms"]
        for kind in ("wildcard", "one_off"):
            least = min(line["ratio"][peer][kind] for peer in _PEERS)
            reached[f"{kind}_20_times_faster"] = least >= 20  # noqa: PLR2004
        reached["convoy_p95_100_ms"] = line["convoy"]["p95_ms"] <= 100  # noqa: PLR2004
    if "governed_16" in line:
        reached["governed_16_p95_50_ms"] = line["governed_16"]["p95_ms"] <= 50  # noqa: PLR2004
    return reached


async def _migrated(bench: Bench) -> None:
    await create_database(bench.admin_url)
    keys = {"archive": [secrets.token_bytes(32)], "motor_carrier": [secrets.token_bytes(32)]}
    await migrate(bench.admin_url, "search", logins=dict.fromkeys(_LOGINS, bench.password), permit_keys=keys)
    connection = await asyncpg.connect(bench.admin_url)
    try:
        await connection.execute("SELECT archive.ensure_partitions(2)")
    finally:
        await connection.close()


@asynccontextmanager
async def _database(data: Path, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """URL of the stack's database while its server runs with these settings."""
    server = EmbeddedPostgres(Places(data).postgres, settings=settings)
    server.start()
    try:
        yield with_database(server.admin_url, DATABASE)
    finally:
        server.stop()


def main() -> int:
    """Prints the line."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        line = asyncio.run(run(options.reads, options.only.split(","), Path(folder)))
    print(json.dumps(line))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The archive: storing, asking, forgetting, and two peers.")
    parser.add_argument("--reads", type=int, default=int(os.environ.get("READS", "10000000")))
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
