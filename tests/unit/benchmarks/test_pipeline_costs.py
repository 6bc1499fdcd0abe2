"""The benchmark's books: whose processor time and memory is whose."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import _pipeline_costs as costs

_BUSY = """
import time
end = time.process_time() + 0.3
while time.process_time() < end: pass
print(1, flush=True)
input()
"""


def _busy_process() -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 - constants
        [sys.executable, "-c", _BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_a_process_spends_is_counted_under_its_name_and_nobody_elses() -> None:
    before = costs.seconds({"search": 0})
    process = _busy_process()
    try:
        after = costs.seconds({"matcher": process.pid, "search": 0})
    finally:
        process.communicate("\n")

    used = costs.spent(before, after)
    assert used["matcher"] >= 0.28
    assert "alerts" not in used


def test_a_process_that_is_gone_counts_as_nothing() -> None:
    process = _busy_process()
    process.communicate("\n")

    assert costs.seconds({"matcher": process.pid})["matcher"] == 0
    assert costs.megabytes({"matcher": process.pid}) == {"matcher": 0}


def test_memory_is_that_of_the_process_and_of_its_children() -> None:
    alone = costs.megabytes({"ocr": os.getpid()})["ocr"]
    process = _busy_process()
    try:
        together = costs.megabytes({"ocr": os.getpid()})["ocr"]
    finally:
        process.communicate("\n")

    assert alone > 0
    assert together > alone
