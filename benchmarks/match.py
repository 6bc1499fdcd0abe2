"""The matcher on ten million entries: memory, speed, swap, recall, the whole road, and three peers.

`make bench NAME=match [DATA=folder]` prints one JSON line. Sizes are options of this file: `--entries`
(10,000,000), `--recall-entries` (1,000,000), `--hits`, `--background`, `--stream-seconds`; `--only a,b` takes
parts of scale, peers, recall, stream, real. The world that it measures in is made (`_match_world.py` says
how); nobody's plates are in it.

    entries, bytes_per_entry    of the index; the entries' other data are in rss_mb
    rss_mb, load_s              a fresh process that has loaded the snapshot file and answered a read
    match_reads_per_s_core      in process, reads per second of processor time, with the service's thresholds;
                                substitution_only_...: without dropped and invented characters
    swap_worst_stall_ms         of an event loop while the index is made anew beside it; idle_...: else
    stream_reads_per_s          SubmitReads with everything behind it on disk (`_match_stream.py`)
    recall                      by state accuracy, at 10, 100, 300 and 1,000 false alarms per million reads
                                (`_match_recall.py`); exact: best text, exact_state: best text and state,
                                edit1: best text within one edit, each with the false alarms it raises
    ratio, peers                match_reads_per_s_core against the same question in a Python dict, Redis and
                                PostgreSQL with pg_trgm (`_match_peers.py`), and the peers' own figures
    real                        with DATA: lattices of our own reader from photographs (`_match_real.py`)
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# Before numpy is loaded: one thread, so that a rate is that of one core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks import _match_peers, _match_real, _match_recall, _match_scale, _match_stream
from benchmarks._match_world import World

_ACCURACIES: Final = (0.94, 0.70)
_STREAM_ENTRIES: Final = 100_000
_PEERS: Final = {
    "dict": _match_peers.dict_peer,
    "redis": _match_peers.redis_peer,
    "pg_trgm": _match_peers.trigram_peer,
}


def scale(options: argparse.Namespace) -> dict[str, Any]:
    """The index of `entries`: written by one process, loaded and measured by another."""
    with tempfile.TemporaryDirectory() as folder:
        apart(_write, options.entries, Path(folder))
        return apart(_measure, Path(folder))


def _write(entries: int, folder: Path) -> dict[str, Any]:
    _match_scale.write_snapshot(World(), entries, folder)
    return {}


def _measure(folder: Path) -> dict[str, Any]:
    index, loaded = _match_scale.load_snapshot(folder)
    figures = {
        "entries": index.entry_count,
        "bytes_per_entry": round(index.index_bytes / index.entry_count, 2),
        **loaded,
    }
    return {**figures, **_match_scale.speed(World(), index), **_match_scale.swap(index)}


def peers(options: argparse.Namespace) -> dict[str, Any]:
    """Each peer on the same list, one after the other."""
    return {"peers": {name: apart(_peer, options.entries, name) for name in _PEERS}}


def _peer(entries: int, name: str) -> dict[str, Any]:
    world = World()
    listed = world.hot_list(entries)
    figures = _PEERS[name](listed, _match_peers.Questions(world, listed, _match_peers.SLACK))
    print(f"{name}: {figures}", file=sys.stderr)
    return figures


def recall(options: argparse.Namespace) -> dict[str, Any]:
    """Recall at both state accuracies."""
    return {"recall": apart(_recall, options.recall_entries, options.hits, options.background)}


def _recall(entries: int, hits: int, background: int) -> dict[str, Any]:
    stage = _match_recall.Stage(World(), _match_recall.Sizes(entries, hits, background))
    return _match_recall.measured(stage, _ACCURACIES)


def stream(options: argparse.Namespace) -> dict[str, Any]:
    """The whole road."""
    return _match_stream.stream(World(), min(options.entries, _STREAM_ENTRIES), options.stream_seconds)


def real(options: argparse.Namespace) -> dict[str, Any]:
    """Our own reader's lattices, where there are labelled photographs."""
    data = options.data
    if data is None or not (data / "labels.csv").is_file():
        return {"real": None, "real_reason": "DATA names no folder with labels.csv and photographs"}
    return {"real": apart(_match_real.measured, data, options.recall_entries)}


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What `work` gives in a process of its own, which takes its memory with it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


PARTS: Final = {"scale": scale, "peers": peers, "recall": recall, "stream": stream, "real": real}


def main() -> int:
    """Prints the line."""
    options = _options()
    line: dict[str, Any] = {"benchmark": "match"}
    for part in options.only.split(","):
        line |= PARTS[part](options)
        print(f"{part} is done", file=sys.stderr)
    ours = line.get("match_reads_per_s_core")
    if ours and "peers" in line:
        rates = {name: figures["per_s"] for name, figures in line["peers"].items()}
        line["ratio"] = {name: round(ours / rate, 1) if rate else None for name, rate in rates.items()}
    print(json.dumps(line))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The matcher: memory, speed, recall, peers.")
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--recall-entries", type=int, default=1_000_000)
    parser.add_argument("--hits", type=int, default=40_000, help="reads of listed plates")
    parser.add_argument("--background", type=int, default=2_000_000, help="reads of others")
    parser.add_argument("--stream-seconds", type=float, default=30.0)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    data = os.environ.get("DATA")
    parser.add_argument("--data", type=Path, default=Path(data) if data else None, help="folder (DATA)")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
