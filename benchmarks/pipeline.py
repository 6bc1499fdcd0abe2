"""The whole system under load: reads, frames, questions, alerts, on the cores of one machine.

`make bench NAME=pipeline` prints one JSON line; it takes some six minutes. A stack of its own runs beside it:
five services, PostgreSQL with fsync, mTLS; cameras, officers and a follower of alerts are processes on the
same cores. Sizes are options of this file: `--seconds` (30, of each of the two loads), `--entries` (200,000
on the hot list), `--pace` (3,000 reads a second); `--only a,b` takes parts of load, most, costs, plain.
Nobody's plates are in it.

    reads_per_s         finished reads a second that were answered STORED, each on disk and compared, at the
                        pace; one in 270 is of a listed plate, as in a state. question_p50_ms, .._p95_ms:
                        of five questions a second meanwhile; batch_p95_ms: of a batch. Both count from
                        the moment that they were due
    most_reads_per_s    the same with two batches of each camera always under way; most_question_p95_ms
    frames_per_s        frames of 1280 x 720 that were read, stored and compared, nothing else going on
    lost                reads that were answered STORED and are not in the archive exactly once; lost_alerts,
                        repeated_alerts: alerts that the follower did not get, or got again
    cost_us             microseconds of processor time of a read in a batch of 100, one that comes alone, a
                        frame, question, alert and permit, by service; `<service>_db` is what its sessions
                        of PostgreSQL spent, `database` what the server did besides
    memory_mb           of each service and of PostgreSQL (1 GB of it are its buffers) after all that
    plain_...           the same reads into one table behind one gRPC server (`_pipeline_plain.py`), in turns
                        with ours: reads a second and microseconds; ratios are the medians of the pairs
    reach               whether what was meant for two cores is reached
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import _pipeline_costs as costs
from benchmarks._pipeline_cameras import Cameras, Order, Report, at
from benchmarks._pipeline_frames import drawn, send_frames
from benchmarks._pipeline_house import CAMERAS, House, house
from benchmarks._pipeline_officers import Asked, Asking
from benchmarks._pipeline_plain import plain_server
from benchmarks._stack import processor_seconds, say

_LISTED_ONE_IN: Final = 270
_QUESTIONS_PER_S: Final = 5.0
_WARM_UP: Final = Order(seconds=5.0, per_second=1_500.0, listed_one_in=_LISTED_ONE_IN)
_PAIRS: Final = 3
_PAIR_SECONDS: Final = 8.0
_COST_SECONDS: Final = 10.0
_COST_PACE: Final = 1_500.0
_COST_ALONE_PACE: Final = 150.0
_COST_LISTED_ONE_IN: Final = 30
_COST_QUESTIONS_PER_S: Final = 20.0
_COST_PERMITS_PER_S: Final = 40.0
_REACH_READS: Final = 3_000.0
_REACH_QUESTION_MS: Final = 100.0
# The last batch of a pace is sent before its end and answered after it.
_PACE_SLACK: Final = 0.98


@dataclass
class Ledger:
    """What was answered, to be compared with what is stored."""

    read_ids: bytearray = field(default_factory=bytearray)
    others: int = 0

    def note(self, report: Report) -> Report:
        """Adds a report, and gives it back."""
        self.read_ids += report.read_ids
        self.others += sum(report.statuses.values()) - report.stored
        return report


async def load(home: House, ledger: Ledger, options: argparse.Namespace) -> dict[str, Any]:
    """Reads at the pace, with questions meanwhile."""
    order = Order(options.seconds, options.pace, options.batch, listed_one_in=_LISTED_ONE_IN)
    report, asked = await _loaded(home, ledger, order)
    return {
        "reads_per_s": round(report.stored / report.seconds),
        "question_p50_ms": _percentile(asked.took, 50),
        "question_p95_ms": _percentile(asked.took, 95),
        "questions": len(asked.took),
        "batch_p95_ms": _percentile(report.batch_seconds, 95),
        "cameras_cpu_us": round(report.cpu_seconds / report.stored * 1e6),
    }


async def most(home: House, ledger: Ledger, options: argparse.Namespace) -> dict[str, Any]:
    """As many reads as go through, with questions meanwhile."""
    order = Order(options.seconds, batch=options.batch, listed_one_in=_LISTED_ONE_IN)
    report, asked = await _loaded(home, ledger, order)
    return {
        "most_reads_per_s": round(report.stored / report.seconds),
        "most_question_p95_ms": _percentile(asked.took, 95),
        "most_batch_p95_ms": _percentile(report.batch_seconds, 95),
    }


async def _loaded(home: House, ledger: Ledger, order: Order) -> tuple[Report, Asked]:
    asking = Asking(order.seconds, _QUESTIONS_PER_S)
    report, asked = await asyncio.gather(home.cameras.send(order), home.officers.ask(asking))
    return ledger.note(report), asked


async def unit_costs(home: House, ledger: Ledger, options: argparse.Namespace) -> dict[str, Any]:
    """Processor time of one read, frame, question, alert and permit."""
    _, idle = await _during(home, asyncio.sleep(_COST_SECONDS))
    found = await _read_costs(home, ledger, options.batch, idle)
    asking = Asking(_COST_SECONDS, _COST_QUESTIONS_PER_S)
    asked, used = await _during(home, home.officers.ask(asking))
    found["question"] = _each(used, idle, _COST_SECONDS, len(asked.took))
    asking = Asking(_COST_SECONDS, _COST_PERMITS_PER_S, permits=True)
    permits, used = await _during(home, home.officers.ask(asking))
    found["permit"] = _each(used, idle, _COST_SECONDS, len(permits.took))
    frames = await drawn()
    work = send_frames(home.senders[0], home.stack.machine_targets["ocr"], frames, _COST_SECONDS)
    looked, used = await _during(home, work)
    found["frame"] = _each(used, idle, looked.seconds, looked.frames)
    return {
        "frames_per_s": round(looked.frames / looked.seconds, 1),
        "frame_plates": round(looked.plates / looked.frames, 2),
        "question_rows": round(asked.rows / len(asked.took), 1),
        "cost_us": {unit: _rounded(parts) for unit, parts in found.items()},
        "idle_cpu_share": round(sum(idle.values()) / _COST_SECONDS, 3),
    }


async def _read_costs(
    home: House, ledger: Ledger, batch: int, idle: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Of reads in batches and alone, and of an alert on top of its read."""
    found: dict[str, dict[str, float]] = {}
    for unit, pace, size in (("read", _COST_PACE, batch), ("read_alone", _COST_ALONE_PACE, 1)):
        report, used = await _during(home, home.cameras.send(Order(_COST_SECONDS, pace, size)))
        found[unit] = _each(used, idle, report.seconds, ledger.note(report).stored)
    order = Order(_COST_SECONDS, _COST_PACE, batch, listed_one_in=_COST_LISTED_ONE_IN)
    before = len(await home.alerts())
    report, used = await _during(home, home.cameras.send(order))
    alerts, reads = len(await home.alerts()) - before, ledger.note(report).stored
    if not alerts:
        say("every listed plate has had its alert; what one costs is left out")
        return found
    whole = _each(used, idle, report.seconds, alerts)
    found["alert"] = {name: whole[name] - found["read"].get(name, 0.0) * reads / alerts for name in whole}
    return found


def _each(
    used: Mapping[str, float], idle: Mapping[str, float], seconds: float, count: float
) -> dict[str, float]:
    """Microseconds of one, by part, without what is spent when nothing goes on."""
    share = seconds / _COST_SECONDS
    return {name: (used[name] - idle.get(name, 0.0) * share) / count * 1e6 for name in used}


async def plain(home: House, ledger: Ledger, options: argparse.Namespace) -> dict[str, Any]:
    """The same reads behind one server and in one table, in turns with ours."""
    pairs: list[tuple[float, float, float, float]] = []
    order = Order(_PAIR_SECONDS, batch=options.batch)
    async with plain_server(home.folder / "data", home.stack.admin_url) as (port, pid):
        senders = [at(one, f"127.0.0.1:{port}", one.tls, "plain") for one in home.senders]
        async with Cameras(senders, home.made) as others:
            for _ in range(_PAIRS):
                report, used = await _during(home, home.cameras.send(order))
                ledger.note(report)
                own = processor_seconds([pid])
                bare, bare_used = await _during(home, others.send(order))
                own = processor_seconds([pid]) - own
                database = sum(bare_used[name] for name in bare_used if name.endswith(("_db", "database")))
                pairs.append(
                    (
                        report.stored / report.seconds,
                        bare.stored / bare.seconds,
                        sum(used.values()) / report.stored * 1e6,
                        (own + database) / bare.stored * 1e6,
                    )
                )
                say("ours {:.0f}/s, plain {:.0f}/s; {:.0f} and {:.0f} us a read".format(*pairs[-1]))
    return {
        "plain_reads_per_s": round(statistics.median(pair[1] for pair in pairs)),
        "plain_cpu_us_per_read": round(statistics.median(pair[3] for pair in pairs)),
        "cpu_us_per_read": round(statistics.median(pair[2] for pair in pairs)),
        "to_plain_per_s": round(statistics.median(pair[0] / pair[1] for pair in pairs), 3),
        "to_plain_cpu": round(statistics.median(pair[2] / pair[3] for pair in pairs), 2),
    }


async def _during(home: House, work: Awaitable[Any]) -> tuple[Any, dict[str, float]]:
    """What `work` gives, and the processor time that the stack spent meanwhile, by part."""
    before = home.processor()
    result = await work
    return result, costs.spent(before, home.processor())


async def _measured(options: argparse.Namespace) -> dict[str, Any]:
    line: dict[str, Any] = {"benchmark": "pipeline", "cameras": CAMERAS, "entries": options.entries}
    ledger = Ledger()
    with _folder() as folder:
        async with house(folder, options.entries) as home:
            ledger.note(await home.cameras.send(_WARM_UP))
            await home.officers.ask(Asking(_WARM_UP.seconds, _QUESTIONS_PER_S))
            for part in options.only.split(","):
                line |= (found := await PARTS[part](home, ledger, options))
                say(f"{part}: {json.dumps(found)}")
            line["memory_mb"] = home.memory()
            line |= await _lost(home, ledger)
    return {**line, "reach": _reach(line), "cores": os.cpu_count()}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Below DATA, where it is given; PostgreSQL's account must be able to walk through it."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("DATA") or None) as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def _lost(home: House, ledger: Ledger) -> dict[str, int]:
    """What was promised and is not there."""
    raised = await home.alerts()
    received = [number for one in await home.crowd.take(len(raised), 20.0) for number in one.numbers.tolist()]
    got = [number for number in received if number in raised]
    return {
        "answered": len(ledger.read_ids) // 16 + ledger.others,
        "not_stored": ledger.others,
        "lost": await home.lost_reads(bytes(ledger.read_ids)),
        "alerts": len(raised),
        "lost_alerts": len(raised) - len(set(got)),
        "repeated_alerts": len(got) - len(set(got)),
    }


def _reach(line: Mapping[str, Any]) -> dict[str, bool]:
    reached = {"nothing_lost": not (line["lost"] or line["lost_alerts"] or line["repeated_alerts"])}
    if "reads_per_s" in line:
        reached["reads_per_s"] = line["reads_per_s"] >= _REACH_READS * _PACE_SLACK
        reached["question_p95_ms"] = line["question_p95_ms"] < _REACH_QUESTION_MS
    return reached


def _percentile(values: Sequence[float], percent: int) -> float:
    """Milliseconds below which so many in a hundred of `values` (seconds) are."""
    return round(statistics.quantiles(values, n=100)[percent - 1] * 1000, 1)


def _rounded(parts: Mapping[str, float]) -> dict[str, int]:
    """Whole microseconds, of the parts that have any, and the sum."""
    kept = {name: round(value) for name, value in sorted(parts.items()) if value >= 1}
    return {**kept, "sum": round(sum(parts.values()))}


_Part = Callable[[House, Ledger, argparse.Namespace], Awaitable[dict[str, Any]]]
PARTS: Final[Mapping[str, _Part]] = {"load": load, "most": most, "costs": unit_costs, "plain": plain}


def main() -> int:
    """Prints the line."""
    print(json.dumps(uvloop.run(_measured(_options()))))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The whole system under load.")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each load")
    parser.add_argument("--entries", type=int, default=200_000, help="on the hot list")
    parser.add_argument("--pace", type=float, default=3_000.0, help="reads a second of all cameras")
    parser.add_argument("--batch", type=int, default=100, help="reads a batch")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
