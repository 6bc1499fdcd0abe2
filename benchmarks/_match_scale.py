"""Memory, speed and swap of the index in memory, in a process of its own."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._match_arrays import batch_of, columns_of
from benchmarks._match_world import World
from services.matcher.core.batch import Batch
from services.matcher.core.budget import ratio_for
from services.matcher.core.columns import Columns
from services.matcher.core.entry import Source
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndex
from services.matcher.core.match import find_all
from services.matcher.core.search import Lists, search
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, Sighting
from services.matcher.snapshots import Snapshots

_CHUNKS: Final = 3
_ROUNDS: Final = 5
_ACCURACY: Final = 0.94
_TICK_S: Final = 0.001
_IDLE_S: Final = 5.0
_TURNS: Final = 3
_KIB: Final = 1024
_LIST: Final = uuid.uuid5(uuid.NAMESPACE_OID, "benchmark")
_VERSION: Final = 1


def header() -> ListHeader:
    """The header of the list that is measured."""
    now = datetime.now(UTC)
    return ListHeader(_LIST, "benchmark", "ILISP0000", Source.AGENCY, _VERSION, now, now)


def index_of(columns: Columns, like: Index | None = None) -> Index:
    """The index of one list."""
    return Index(1, datetime.now(UTC), (ActiveList(header(), ListIndex(columns)),), like=like)


def speed(world: World, index: Index) -> dict[str, Any]:
    """Reads per second of processor time, with the thresholds that the service takes for such a list."""
    batches = []
    for chunk in range(_CHUNKS):
        plates = world.passing_plates(chunk)
        states = world.states_seen(plates, _ACCURACY, chunk, "speed")
        batches.append(batch_of(world.reads(plates, chunk, "speed"), states))
    return {
        "match_reads_per_s_core": _rate(index, batches, MatchSettings()),
        "substitution_only_reads_per_s_core": _rate(index, batches, MatchSettings(slips=False)),
    }


def _rate(index: Index, batches: list[Batch], settings: MatchSettings) -> int:
    table = index.tiers[0].table
    budget = ratio_for(settings.budget.checked, len(table), index.grammar.usual)
    least = np.full(1, max(budget, settings.least_ratio), np.float32)
    lists = Lists(np.ones((1, 1), np.uint8), least)
    knobs = settings.knobs(float(least[0]))
    search(batches[0], table, lists, index.grammar, knobs)  # compiled, and its pages touched
    rates = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        for batch in batches:
            search(batch, table, lists, index.grammar, knobs)
        took = time.process_time() - start
        rates.append(sum(len(batch.scope) for batch in batches) / took)
    return round(statistics.median(rates))


def resident_mb() -> float:
    """Memory of this process that is in RAM, in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / _KIB, 1)
    raise OSError("/proc/self/status has no VmRSS")


def swap(index: Index) -> dict[str, Any]:
    """The longest that an event loop stood still while the index was made anew beside it and exchanged.

    `idle_worst_stall_ms` is the same loop with nothing going on: what the machine itself does to it.
    """
    return asyncio.run(_swap(index))


async def _swap(index: Index) -> dict[str, Any]:
    holder = [index]
    columns = index.lists[0].entries.columns
    idle = [await _worst_stall(lambda: asyncio.sleep(_IDLE_S)) for _ in range(_TURNS)]

    async def exchange() -> None:
        # The old one goes where the service lets it go: on the loop, when the new one takes its place.
        holder[0] = await asyncio.to_thread(index_of, columns)

    stalls = [await _worst_stall(exchange) for _ in range(_TURNS)]
    return {
        "swap_worst_stall_ms": round(1000 * max(stalls), 1),
        "swap_median_stall_ms": round(1000 * statistics.median(stalls), 1),
        "idle_worst_stall_ms": round(1000 * max(idle), 1),
    }


async def _worst_stall(work: Callable[[], Awaitable[None]]) -> float:
    """The longest time beyond a tick between two ticks of the loop while `work` went on."""
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            worst = max(worst, time.perf_counter() - before - _TICK_S)

    ticker = asyncio.create_task(tick())
    await work()
    ticker.cancel()
    return worst


def write_snapshot(world: World, entries: int, folder: Path) -> None:
    """Writes a made list to a snapshot file in `folder`."""
    Snapshots(folder).save(_LIST, _VERSION, columns_of(world.hot_list(entries)))


def load_snapshot(folder: Path) -> tuple[Index, dict[str, Any]]:
    """The index of the snapshot file in `folder`, and what it cost until a read was answered.

    Raises:
        SystemExit: There is no good snapshot file.
    """
    warm = _one_read()
    start, busy = time.perf_counter(), time.process_time()
    columns = Snapshots(folder).load(_LIST, _VERSION)
    if columns is None:
        raise SystemExit("the snapshot was not loaded")
    index = index_of(columns)
    find_all([warm], index, [frozenset({0})], datetime.now(UTC), MatchSettings())
    return index, {
        "load_s": round(time.perf_counter() - start, 1),
        "load_cpu_s": round(time.process_time() - busy, 1),
        "rss_mb": resident_mb(),
    }


def _one_read() -> Sighting:
    sure = tuple(((character, 0.99),) for character in "ABC1234")
    return Sighting(Lattice("ABC1234", sure), (("IL", 0.99),), datetime.now(UTC))
