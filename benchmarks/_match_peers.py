"""The same question asked of a Python dict, of redis-server and of PostgreSQL with pg_trgm.

The question: which listed plates may this read be? A dict and Redis answer for whole texts, so the texts
that the read may bear are spelt out in Python first, as far below the best as the matcher goes; dropped
and invented characters are left out. pg_trgm compares texts by itself (GIN, similarity from 0.4, the ten
most alike); it knows nothing of the probabilities. `exact_per_s` is the best text alone. Rates are reads
per second of processor time, of client and server together, so that a busy machine does not blur them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import numpy as np

from benchmarks._debian import Program, program
from benchmarks._match_world import ALPHABET, STATES, Floats, Plates, World, texts
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres

SLACK: Final = 6.9
"""How far below the best text (natural logarithm) a text is still asked for."""
_BATCH: Final = 500
_LOAD: Final = 20_000
_READS: Final = 2_000
_SLOW_READS: Final = 200
_SLOW_SECONDS: Final = 60.0
_SIMILARITY: Final = 0.4
# The server is in redis-tools, under the name of redis-check-rdb; the others a small system may lack.
_REDIS_PACKAGES: Final = ("redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "libsystemd0")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE: Final = 30.0

Read = list[list[tuple[str, float]]]
"""The characters of each place with their logarithms, most probable first."""


class Questions:
    """Reads of listed plates and of others, and their texts in Python."""

    def __init__(self, world: World, listed: Plates, slack: float) -> None:
        rows = np.random.default_rng(3).integers(0, len(listed), _READS)
        others = world.passing_plates(0)[slice(0, _READS)]
        self.rows = rows
        self.reads = [
            *_reads(world.reads(listed[rows], 0, "peer-hit").characters),
            *_reads(world.reads(others, 0, "peer").characters),
        ]
        self._slack = slack

    @property
    def best(self) -> list[str]:
        """The best text of every read."""
        return ["".join(place[0][0] for place in read) for read in self.reads]

    def spelt(self, read: Read) -> list[str]:
        """Every text of the read that is at most `slack` below the best."""
        found = [("", 0.0)]
        for place in read:
            best = place[0][1]
            found = [
                (text + character, lost + best - log)
                for text, lost in found
                for character, log in place
                if lost + best - log <= self._slack
            ]
        return [text for text, _ in found]


def dict_peer(listed: Plates, questions: Questions) -> dict[str, Any]:
    """A dict from text to the rows that have it."""
    start = time.process_time()
    table: dict[str, tuple[int, ...]] = {}
    for row, text in enumerate(texts(listed.classes)):
        table[text.rstrip()] = (*table.get(text.rstrip(), ()), row)
    load = time.process_time() - start
    best = questions.best
    exact = _rate(lambda: [table.get(text) for text in best], len(best))
    spelt = _rate(
        lambda: [table.get(text) for read in questions.reads for text in questions.spelt(read)], len(best)
    )
    return {"load_s": round(load, 1), "exact_per_s": exact, "per_s": spelt}


def redis_peer(listed: Plates, questions: Questions) -> dict[str, Any]:
    """A redis-server of the system's packages on a Unix socket, without persistence; MGET by batches."""
    server = program("redis-server", _REDIS_PACKAGES, "usr/bin/redis-check-rdb")
    if server is None:
        return {"per_s": None, "reason": "there is no redis-server, and none could be fetched"}
    with tempfile.TemporaryDirectory() as folder, _redis(server, Path(folder)) as (pid, connection):
        start = time.process_time() + _processor_time(pid)
        rows = texts(listed.classes)
        for first in range(0, len(rows), _LOAD):
            part = [(text.rstrip(), str(first + n)) for n, text in enumerate(rows[first : first + _LOAD])]
            connection.ask([("MSET", *(word for pair in part for word in pair))])
        load = time.process_time() + _processor_time(pid) - start
        best = questions.best
        parts = [best[first : first + _BATCH] for first in range(0, len(best), _BATCH)]
        exact = _rate(lambda: [connection.ask([("MGET", *part)]) for part in parts], len(best), pid)
        reads = [questions.reads[first : first + _BATCH] for first in range(0, len(best), _BATCH)]

        def spell_and_ask() -> None:
            for part in reads:
                connection.ask([("MGET", *(text for read in part for text in questions.spelt(read)))])

        spelt = _rate(spell_and_ask, len(best), pid)
    return {"load_s": round(load, 1), "exact_per_s": exact, "per_s": spelt}


class _Redis:
    """As much of a Redis client as this needs (RESP 2): many commands at once, answers by count only."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def ask(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """The answer to each command."""
        parts = []
        for words in commands:
            parts.append(f"*{len(words)}\r\n")
            parts += [f"${len(word)}\r\n{word}\r\n" for word in words]
        self._socket.sendall("".join(parts).encode())
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:
        line = self._answers.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self._answers.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if kind == b"-":
            raise OSError(rest.decode())
        return rest

    def close(self) -> None:
        """Ends the connection."""
        self._answers.close()
        self._socket.close()


@contextlib.contextmanager
def _redis(server: Program, folder: Path) -> Iterator[tuple[int, _Redis]]:
    """Process id of a server of its own, and a connection; both end with the block."""
    path = folder / "redis.sock"
    options = [
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(  # noqa: S603 - a path of our own
        [server.path, *options], stdout=subprocess.DEVNULL, env=server.environment
    )
    try:
        end = time.monotonic() + _PATIENCE
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.05)
        connection = _Redis(path)
        try:
            yield process.pid, connection
        finally:
            connection.close()
    finally:
        process.terminate()
        process.wait()


def trigram_peer(listed: Plates, questions: Questions) -> dict[str, Any]:
    """The embedded PostgreSQL with a trigram index over the texts."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(
            Path(folder),
            settings={**WITHOUT_SYNC, "maintenance_work_mem": "512MB", "max_parallel_workers": "0"},
        )
        server.start()
        try:
            return asyncio.run(_trigram(server.admin_url, listed, questions))
        finally:
            server.stop()


async def _trigram(url: str, listed: Plates, questions: Questions) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    try:
        load_start = time.perf_counter()
        await connection.execute(
            "CREATE EXTENSION pg_trgm; CREATE TABLE listed (id int, plate text, state text)"
        )
        words = (text.rstrip() for text in texts(listed.classes))
        records = ((n, text, STATES[listed.states[n]]) for n, text in enumerate(words))
        await connection.copy_records_to_table("listed", records=records)
        await connection.execute("CREATE INDEX ON listed USING gin (plate gin_trgm_ops); ANALYZE listed")
        load = time.perf_counter() - load_start
        await connection.execute(f"SET pg_trgm.similarity_threshold = {_SIMILARITY}")
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        query = await connection.prepare(
            "SELECT id FROM listed WHERE plate % $1 ORDER BY similarity(plate, $1) DESC, id LIMIT 10"
        )
        start = time.process_time() + _processor_time(pid)
        found, asked = 0, 0
        for text, row in zip(questions.best[:_SLOW_READS], questions.rows, strict=False):
            found += any(answer["id"] == row for answer in await query.fetch(text))
            asked += 1
            if time.process_time() + _processor_time(pid) - start > _SLOW_SECONDS:
                break
        took = time.process_time() + _processor_time(pid) - start
    finally:
        await connection.close()
    return {"load_s": round(load, 1), "per_s": round(asked / took, 1), "recall_10": round(found / asked, 4)}


def _rate(work: Callable[[], Any], count: int, server: int = 0) -> int:
    """Reads per second of processor time, of this process and of the server's."""
    work()
    start = time.process_time() + _processor_time(server)
    work()
    took = time.process_time() + _processor_time(server) - start
    return round(count / took)


def _processor_time(pid: int) -> float:
    """Seconds of processor time that the process has had; 0 for none."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _reads(characters: Floats) -> Iterator[Read]:
    for one in characters:
        read = []
        for place in one:
            if place.argmax() > 0:
                order = [n for n in np.argsort(-place[1:]) if np.isfinite(place[n + 1])]
                read.append([(ALPHABET[n], float(place[n + 1])) for n in order])
        yield read
