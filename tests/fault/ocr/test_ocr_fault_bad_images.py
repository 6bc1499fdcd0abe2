"""Damaged pictures in numbers: decoding them never ends a process, hangs, or shows what was in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[3] / "benchmarks" / "ocr_fuzz.py"
FILES = 2000


def fuzz(*arguments: str) -> bytes:
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, FUZZ, *arguments], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:] + done.stderr.decode()[-2000:]
    return done.stdout


# A seed of its own, so that these are not the first of the benchmark's files. Ten seconds on a quiet core.
@pytest.mark.timeout(600)
def test_thousands_of_damaged_pictures_are_decoded_or_refused_in_time_and_memory() -> None:
    line = json.loads(fuzz("--files", str(FILES), "--seed", "2"))

    assert line["decoded"] + line["refused"] == line["files"] == FILES
    assert (line["crashes"], line["timeouts"], line["unstable"]) == (0, 0, 0)
    assert line["peak_rss_mb"] < 200
    # The damage reaches both sides of the decoder: what it takes, and what only it can refuse.
    assert line["decoded"] > FILES / 10
    assert line["refused_by_reason"]["cannot be decoded"] > FILES / 20


def test_damaged_picture_is_the_same_each_time_it_is_made() -> None:
    first, again, other = (fuzz("--dump", number) for number in ("17", "17", "18"))

    assert first == again
    assert first != other
