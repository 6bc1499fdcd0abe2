"""What the benchmark of alerts counts as lost, out of order and repeated."""

import numpy as np
import pytest

from benchmarks._alerts_crowd import NEW_STREAM, Received
from benchmarks._alerts_measures import Faults, latency, rate

POSITIONS = {1: 11, 2: 12, 3: 14, 4: 13}


def received(*numbers: int) -> Received:
    times = np.arange(len(numbers), dtype=np.int64) * 1_000_000
    return Received(np.array(numbers, np.int64), times, b"")


@pytest.mark.parametrize(
    ("numbers", "lost", "out_of_order", "repeated"),
    [
        ((1, 2, 4, 3), 0, 0, 0),
        ((1, 2, 3), 1, 0, 0),
        ((1, 2, 3, 4), 0, 1, 0),
        ((1, 2, NEW_STREAM, 2, 4, 3), 0, 0, 1),
        ((1, 4, NEW_STREAM, 2, 3), 0, 1, 0),
        ((1, 2, 2, 4, 3), 0, 1, 1),
        ((NEW_STREAM, 1, 2, 4, NEW_STREAM, NEW_STREAM, 3), 0, 0, 0),
        ((), 4, 0, 0),
    ],
    ids=[
        "all",
        "one lost",
        "swapped",
        "again after a break",
        "skipped by a break",
        "twice",
        "breaks",
        "none",
    ],
)
def test_a_fault_is_counted_for_each_subscriber(numbers, lost, out_of_order, repeated) -> None:
    faults = Faults()

    faults.add([received(*numbers), received(1, 2, 4, 3)], POSITIONS)

    assert (faults.lost, faults.out_of_order, faults.repeated) == (lost, out_of_order, repeated)
    assert faults.deliveries == sum(number != NEW_STREAM for number in numbers) + 4


def test_numbers_that_are_not_asked_about_are_left_out() -> None:
    faults = Faults()

    faults.add([received(1, 2, 4, 3)], {2: 12, 3: 14})

    assert faults == Faults(deliveries=2)


def test_latency_counts_from_when_a_number_was_sent() -> None:
    sent = {1: -3_000_000, 2: -1_000_000}

    assert latency([received(1, 2, 7), received(NEW_STREAM, 1, 2)], sent)["p50_ms"] == 3.0


def test_the_rate_leaves_out_where_a_stream_began_anew() -> None:
    assert rate([received(1, 2, 3), received(NEW_STREAM, 1, 2)]) == pytest.approx(2000)
