"""Alerts: from raise to receive, as many as can be, through kills; and a peer.

`make bench NAME=alerts` prints one JSON line; it takes a quarter of an hour on an idle machine. A stack of
its own runs beside it: five services, PostgreSQL with fsync, mTLS. Subscribers are processes of their own, on
the same cores, with a connection each. Sizes are options of this file: `--seconds` (30, of each pace),
`--deliveries` (1,000,000; or DELIVERIES in the environment), `--frames` (100); `--only a,b` takes parts of
paces, fanout, frames, kills, nats. Nobody's plates are in it.

    subs_1_at_20, subs_100_at_20, subs_1000_at_5
                            {p50_ms, p99_ms} of all deliveries from RaiseAlerts to the subscriber, so many
                            subscribers at so many alerts a second, each with pictures (`_alerts_paces.py`)
    fanout_per_s            deliveries a second to 500 subscribers when alerts are raised faster than they go
                            out; bare_stream_per_s: of one message again and again by the same server, with
                            nothing behind it, to subscribers who do the same with it; fanout_ratio: median of
                            the pairs, which were measured in turns; ..._cpu_us: processor time of a delivery,
                            of server and subscribers together
    frame_to_alert          {p50_ms, p99_ms} from a camera's frame to the alert (`_alerts_frames.py`)
    lost, out_of_order      of all deliveries of all parts; kills: the part in which a process is killed every
                            ten seconds (`_alerts_kills.py`)
    nats_1000_at_5          {p50_ms, p99_ms} of NATS JetStream (`_alerts_nats.py`)
    reach                   whether what was meant for two cores is reached
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks._alerts_frames import frame_to_alert
from benchmarks._alerts_house import House, house
from benchmarks._alerts_kills import kills
from benchmarks._alerts_measures import Faults
from benchmarks._alerts_nats import nats
from benchmarks._alerts_paces import at_pace, fan_out
from benchmarks._stack import say

_PACES: Final = ((1, 20.0), (100, 20.0), (1000, 5.0))
_FRAMES_PER_SECOND: Final = 2.0
_REACH: Final = {"subs_1000_at_5": 250.0, "subs_100_at_20": 50.0, "frame_to_alert": 1000.0}
_FAN_REACH: Final = 0.6


async def paces(home: House, faults: Faults, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds at each pace."""
    line: dict[str, Any] = {}
    for subscribers, per_second in _PACES:
        name = f"subs_{subscribers}_at_{per_second:.0f}"
        line[name] = await at_pace(home, subscribers, per_second, options.seconds, faults)
        say(f"{name}: {line[name]}")
    return line


async def fanout(home: House, faults: Faults, _options: argparse.Namespace) -> dict[str, Any]:
    """Deliveries a second."""
    return await fan_out(home, faults)


async def frames(home: House, _faults: Faults, options: argparse.Namespace) -> dict[str, Any]:
    """The whole road."""
    return {"frame_to_alert": await frame_to_alert(home, options.frames, _FRAMES_PER_SECOND)}


async def killing(home: House, faults: Faults, options: argparse.Namespace) -> dict[str, Any]:
    """What is lost when processes are killed."""
    return {"kills": await kills(home, options.deliveries, faults)}


async def peer(_home: House, _faults: Faults, options: argparse.Namespace) -> dict[str, Any]:
    """NATS JetStream at the pace of the most subscribers."""
    subscribers, per_second = _PACES[-1]
    figures = await nats(subscribers, per_second, options.seconds)
    return {f"nats_{subscribers}_at_{per_second:.0f}": figures}


_Part = Callable[[House, Faults, argparse.Namespace], Awaitable[dict[str, Any]]]
PARTS: Final[Mapping[str, _Part]] = {
    "paces": paces,
    "fanout": fanout,
    "frames": frames,
    "nats": peer,
    "kills": killing,
}


async def _measured(options: argparse.Namespace) -> dict[str, Any]:
    line: dict[str, Any] = {"benchmark": "alerts"}
    faults = Faults()
    with tempfile.TemporaryDirectory() as folder:
        async with house(Path(folder)) as home:
            for part in options.only.split(","):
                line |= await PARTS[part](home, faults, options)
                say(f"{part} is done")
    return {
        **line,
        "deliveries": faults.deliveries,
        "lost": faults.lost,
        "out_of_order": faults.out_of_order,
        "reach": _reach(line, faults),
    }


def _reach(line: Mapping[str, Any], faults: Faults) -> dict[str, bool]:
    """What is reached of what was measured."""
    reached = {name: line[name]["p99_ms"] <= most for name, most in _REACH.items() if name in line}
    if "fanout_ratio" in line:
        reached["fanout_ratio"] = line["fanout_ratio"] >= _FAN_REACH
    return {**reached, "nothing_lost": not faults.lost, "in_order": not faults.out_of_order}


def main() -> int:
    """Prints the line."""
    print(json.dumps(asyncio.run(_measured(_options()))))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Alerts: how soon, how many, through kills; and a peer.")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each pace")
    deliveries = int(os.environ.get("DELIVERIES") or 1_000_000)
    parser.add_argument("--deliveries", type=int, default=deliveries, help="through kills (DELIVERIES)")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
