"""A million deliveries while a process of the stack is killed every ten seconds.

In turn alerts, PostgreSQL, audit, the issuer of tokens: SIGKILL, and the stack starts them anew. Alerts are
raised all the while; who raises sends again until there is an answer, who follows resumes with the last
token. What came is held against the feed as the database has it in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from dataclasses import replace
from typing import Any, Final

from benchmarks._alerts_crowd import Crowd
from benchmarks._alerts_follow import follow_alerts
from benchmarks._alerts_house import House
from benchmarks._alerts_measures import Faults
from benchmarks._stack import say

# Each again after forty seconds only: what dies more often, the stack starts again more and more slowly.
_VICTIMS: Final = ("alerts", "postgres", "audit", "issuer")
_SUBSCRIBERS: Final = 200
_EVERY_SECONDS: Final = 10.0
_AT_ONCE: Final = 100
# More than that ahead of the slowest, and the service would rightly end streams as too slow.
_MOST_AHEAD: Final = 500
_LATEST_SECONDS: Final = 180.0


async def kills(house: House, deliveries: int, faults: Faults) -> dict[str, Any]:
    """How many deliveries, kills and repetitions; what was wrong is counted in `faults`."""
    alerts = -(-deliveries // _SUBSCRIBERS)
    start = time.monotonic()
    killed: list[str] = []
    before = replace(faults)
    async with Crowd(follow_alerts, house.seats(_SUBSCRIBERS)) as crowd:
        killing = asyncio.create_task(_kill(house, killed))
        numbers = await _raised(house, crowd, alerts)
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing
        received = await crowd.take(alerts * _SUBSCRIBERS, _LATEST_SECONDS)
    positions = await house.positions()
    faults.add(received, {number: positions[number] for number in numbers})
    return {
        "kills": len(killed),
        "seconds": round(time.monotonic() - start),
        "deliveries": faults.deliveries - before.deliveries,
        "repeated": faults.repeated - before.repeated,
        "lost": faults.lost - before.lost,
        "out_of_order": faults.out_of_order - before.out_of_order,
    }


async def _raised(house: House, crowd: Crowd, alerts: int) -> list[int]:
    """The numbers of so many alerts, raised no faster than they go out."""
    numbers: list[int] = []
    most, since = 0, time.monotonic()
    while len(numbers) < alerts:
        count = await crowd.count()
        if count > most:
            most, since = count, time.monotonic()
        elif time.monotonic() - since > _LATEST_SECONDS:
            raise SystemExit(f"nothing came for {_LATEST_SECONDS:.0f} s; {count} deliveries came before")
        if len(numbers) - count // _SUBSCRIBERS < _MOST_AHEAD:
            numbers += await house.raise_at_once(min(_AT_ONCE, alerts - len(numbers)))
            say(f"raised {len(numbers)} alerts; {count} deliveries came")
        else:
            await asyncio.sleep(0.2)
    return numbers


async def _kill(house: House, killed: list[str]) -> None:
    for victim in itertools.cycle(_VICTIMS):
        await asyncio.sleep(_EVERY_SECONDS)
        if pid := house.stack.pids[victim]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(victim)
                say(f"killed {victim}")
