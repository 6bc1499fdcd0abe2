"""What was received, held against what was raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._alerts_crowd import NEW_STREAM, Numbers, Received


@dataclass
class Faults:
    """Deliveries, and what was wrong with them."""

    deliveries: int = 0
    lost: int = 0
    out_of_order: int = 0
    repeated: int = 0

    def add(self, received: Sequence[Received], positions: Mapping[int, int]) -> None:
        """Judges subscribers who were connected before the first of `positions` was raised.

        Lost is a number that somebody did not get. Out of order is one that comes for the first time after
        one that stands later in the feed, or that comes twice in one stream. Repeated is one that came again,
        which in a new stream is allowed.
        """
        place = np.zeros(max(positions) + 1, np.int64)
        place[list(positions)] = list(positions.values())
        for one in received:
            asked = one.numbers[np.isin(one.numbers, [*positions, NEW_STREAM])]
            numbers = asked[asked != NEW_STREAM]
            firsts = _firsts(numbers)
            self.deliveries += len(numbers)
            self.lost += len(positions) - len(firsts)
            self.repeated += len(numbers) - len(firsts)
            self.out_of_order += int((np.diff(place[firsts]) < 0).sum())
            for stream in np.split(asked, np.flatnonzero(asked == NEW_STREAM)):
                got = stream[stream != NEW_STREAM]
                self.out_of_order += len(got) - len(np.unique(got))


def _firsts(numbers: Numbers) -> Numbers:
    """`numbers`, each only where it comes first."""
    _, places = np.unique(numbers, return_index=True)
    return numbers[np.sort(places)]


def latency(received: Sequence[Received], sent: Mapping[int, int]) -> dict[str, float]:
    """p50_ms and p99_ms from the moment at which a number was sent to its coming, over all subscribers."""
    took = [_milliseconds(one, sent) for one in received]
    p50, p99 = np.percentile(np.concatenate(took), [50, 99])
    return {"p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1)}


def _milliseconds(one: Received, sent: Mapping[int, int]) -> Any:
    known = np.isin(one.numbers, list(sent))
    start = np.array([sent[number] for number in one.numbers[known].tolist()], np.int64)
    return (one.times[known] - start) / 1e6


def rate(received: Sequence[Received]) -> float:
    """Deliveries a second, from the first one to the last."""
    times = np.concatenate([one.times[one.numbers != NEW_STREAM] for one in received])
    return float((len(times) - 1) / ((times.max() - times.min()) / 1e9))
