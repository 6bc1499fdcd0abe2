"""How long the end of a day takes, and how long a question waits for it at worst.

The retention period is made two days shorter, and the oldest day ends as the service has it end: rows counted
and digested, partition dropped, dictionary made to forget; two people go on asking where a plate was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import asyncpg

from benchmarks._archive_build import first_day
from benchmarks._archive_questions import KINDS, Archive, examples
from benchmarks._archive_world import DAYS
from services.common.database import Connection

_READERS: Final = 2
_WORDS: Final = 10_000
_PAUSE_SECONDS: Final = 1.0


async def purge(admin_url: str, purge_url: str, plates: list[str]) -> dict[str, Any]:
    """Milliseconds of the purge and of its steps, and of the slowest question before and meanwhile."""
    admin, login = await asyncpg.connect(admin_url), await asyncpg.connect(purge_url)
    readers = [await asyncpg.connect(admin_url) for _ in range(_READERS)]
    asked: list[tuple[float, float]] = []
    running = [asyncio.create_task(_ask_on(connection, plates, asked)) for connection in readers]
    try:
        await asyncio.sleep(_PAUSE_SECONDS)
        await admin.execute("UPDATE archive.setting SET retention_days = $1", DAYS - 2)
        start = time.perf_counter()
        steps = await _end_day(login)
        end = time.perf_counter()
        await admin.execute("UPDATE archive.setting SET retention_days = $1", DAYS)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for connection in (admin, login, *readers):
            await connection.close()
    return {
        "purge_ms": round((end - start) * 1000, 1),
        "purge_steps_ms": steps,
        "purge_worst_reader_ms": _worst(asked, lambda at, took: at + took >= start and at <= end),
        "usual_worst_reader_ms": _worst(asked, lambda at, took: at + took < start),
    }


async def _end_day(login: Connection) -> dict[str, float]:
    """The steps of services/search/purge.py in the database, each with its milliseconds."""
    purge_id = uuid4()
    await login.execute("SELECT archive.begin_purge($1, $2, $3)", purge_id, uuid4(), first_day())
    start = time.perf_counter()
    await login.execute("SELECT archive.drop_day($1)", purge_id)
    dropped = time.perf_counter()
    while await login.fetchval("SELECT archive.forget_words($1, $2)", purge_id, _WORDS):
        pass
    return {
        "rows": round((dropped - start) * 1000, 1),
        "dictionary": round((time.perf_counter() - dropped) * 1000, 1),
    }


async def _ask_on(connection: Connection, plates: list[str], asked: list[tuple[float, float]]) -> None:
    archive = Archive(connection)
    while True:
        for question in examples(KINDS[0], plates, 1000):
            start = time.perf_counter()
            await archive.ask(KINDS[0], question)
            asked.append((start, time.perf_counter() - start))


def _worst(asked: list[tuple[float, float]], counts: Callable[[float, float], bool]) -> float:
    return round(max(took for at, took in asked if counts(at, took)) * 1000, 1)
