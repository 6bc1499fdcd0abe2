"""From RaiseAlerts to the subscriber at a steady pace, and as many deliveries a second as there can be."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from benchmarks._alerts_crowd import Crowd, Received
from benchmarks._alerts_follow import follow_alerts, follow_bare
from benchmarks._alerts_house import House
from benchmarks._alerts_measures import Faults, latency, rate
from benchmarks._alerts_server import SERVICE
from benchmarks._stack import processor_seconds, say

_WARM_UP_SECONDS: Final = 4.0
_FAN_SUBSCRIBERS: Final = 500
_FAN_ALERTS: Final = 100
_PAIRS: Final = 5


async def at_pace(house: House, subscribers: int, per_second: float, seconds: float, faults: Faults) -> Any:
    """Milliseconds from raise to receive."""
    async with Crowd(follow_alerts, house.seats(subscribers)) as crowd:
        await house.raise_steadily(per_second, _WARM_UP_SECONDS)
        await crowd.take(round(per_second * _WARM_UP_SECONDS) * subscribers)
        sent = await house.raise_steadily(per_second, seconds)
        received = await crowd.take(len(sent) * subscribers)
    positions = await house.positions()
    faults.add(received, {number: positions[number] for number in sent})
    return latency(received, sent)


async def fan_out(house: House, faults: Faults) -> dict[str, Any]:
    """Deliveries a second of alerts, and of one message again and again with nothing behind it; in turns.

    The alerts are raised as fast as they are taken, which is much faster than they go out.
    """
    ours, bare = [], []
    seats = house.seats(_FAN_SUBSCRIBERS)
    async with Crowd(follow_alerts, seats) as followers, Crowd(follow_bare, seats) as others:
        warm = await _alerts(house, followers, faults)
        message = warm[0].sample
        for _ in range(_PAIRS):
            bare.append(await _figures(house, others, _bare(house, others, message)))
            ours.append(await _figures(house, followers, _alerts(house, followers, faults)))
            say(f"fan-out: {ours[-1]}, bare: {bare[-1]}")
    rates = [(one["per_s"], other["per_s"]) for one, other in zip(ours, bare, strict=True)]
    return {
        "fanout_per_s": round(statistics.median(rate for rate, _ in rates)),
        "bare_stream_per_s": round(statistics.median(rate for _, rate in rates)),
        "fanout_ratio": round(statistics.median(one / other for one, other in rates), 3),
        "fanout_cpu_us": round(statistics.median(one["cpu_us"] for one in ours), 1),
        "bare_stream_cpu_us": round(statistics.median(one["cpu_us"] for one in bare), 1),
        "message_bytes": len(message),
    }


async def _figures(house: House, crowd: Crowd, fan: Awaitable[Sequence[Received]]) -> dict[str, float]:
    """Deliveries a second, and microseconds of processor time that each cost server and subscribers."""
    pids = (house.stack.pids["alerts"], *crowd.pids)
    busy = processor_seconds(pids)
    received = await fan
    busy = processor_seconds(pids) - busy
    cost = busy / (_FAN_ALERTS * _FAN_SUBSCRIBERS) * 1e6
    return {"per_s": round(rate(received)), "cpu_us": round(cost, 1)}


async def _alerts(house: House, crowd: Crowd, faults: Faults) -> list[Received]:
    numbers = await house.raise_at_once(_FAN_ALERTS)
    received = await crowd.take(len(numbers) * _FAN_SUBSCRIBERS)
    positions = await house.positions()
    faults.add(received, {number: positions[number] for number in numbers})
    return received


async def _bare(house: House, crowd: Crowd, message: bytes) -> list[Received]:
    send = house.channel.unary_unary(f"/{SERVICE}/Send")
    await send(_FAN_ALERTS.to_bytes(4) + message)
    return await crowd.take(_FAN_ALERTS * _FAN_SUBSCRIBERS)
