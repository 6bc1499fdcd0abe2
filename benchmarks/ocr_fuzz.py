"""Feeds the decoder of pictures with damaged files: `make bench NAME=ocr_fuzz`, one JSON line on stdout.

The files are pictures of every kind, changed where a format has its fields: lengths, sizes, tables, markers,
the lines inside a PNG, with checksums put right again so that the damage gets deep. Their numbers alone make
them, so `--dump N` gives a file again. A child process decodes them, its memory and the time of each file
limited; when it dies, the file is counted, and another child goes on with the next one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from services.ocr.core.pictures import PictureError, decoded, kind_of
from tests.support.picture_mutations import mutated, seed_pictures

FILES: Final = 100_000
# Of CPU, for the cores may be busy; the largest file that can come out of these seeds takes a tenth.
SECONDS_A_FILE: Final = 5
# Without a word from the child for so long, it hangs without using CPU.
SILENT_SECONDS: Final = 120
# Above what the libraries take before the first file. 50 megapixels take 300.
MEGABYTES: Final = 512


def outcome(data: bytes) -> str:
    """`decoded`, or why not; `unstable` when the same file gives other pixels the second time."""
    try:
        kind = kind_of(data)
        image = decoded(data)
    except PictureError as error:
        return str(error).partition(":")[0]
    sides = sorted(image.shape[:2]) == sorted((kind.height, kind.width))
    # Pixels that nobody wrote are what was in memory before: another sensor's picture.
    same = sides and np.array_equal(image, decoded(data))
    return "decoded" if same else "unstable"


def file_of(pictures: tuple[bytes, ...], seed: int, number: int) -> bytes:
    """The file of that number."""
    return mutated(pictures, random.Random(f"{seed} {number}"))  # noqa: S311 - no secret


def limit_memory() -> None:
    """Makes memory end before the machine's does."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + (MEGABYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def work(pipe: Connection, seed: int, first: int, end: int) -> None:
    """The child: sends the outcome of each file, and its peak memory in megabytes."""
    cv2.setNumThreads(1)
    pictures = seed_pictures()
    for picture in pictures:
        outcome(picture)
    limit_memory()
    pipe.send(None)
    # What libpng and libjpeg say of broken files is not the benchmark's output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for number in range(first, end):
        data = file_of(pictures, seed, number)
        # No handler: the signal ends the child in the midst of a decoder.
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE)
        said = outcome(data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send((said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@dataclass
class Tally:
    """What became of the files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    timeouts: list[int] = field(default_factory=list)
    unstable: list[int] = field(default_factory=list)
    peak_mb: float = 0

    def add(self, number: int, said: str, peak_mb: float) -> None:
        """One file that did not end the child."""
        self.outcomes[said] += 1
        self.peak_mb = max(self.peak_mb, peak_mb)
        if said == "unstable":
            self.unstable.append(number)

    def line(self, files: int, seconds: float) -> dict[str, Any]:
        """The keys of the line; what names files is empty when all is well."""
        refused = {said: n for said, n in self.outcomes.most_common() if said not in {"decoded", "unstable"}}
        return {
            "name": "ocr_fuzz",
            "files": files,
            "decoded": self.outcomes["decoded"],
            "refused": sum(refused.values()),
            "refused_by_reason": refused,
            "crashes": len(self.crashes),
            "timeouts": len(self.timeouts),
            "unstable": len(self.unstable),
            "peak_rss_mb": round(self.peak_mb),
            "seconds": round(seconds, 1),
            "failed_files": [*self.crashes, *self.timeouts, *self.unstable][:20],
        }


def run_child(tally: Tally, seed: int, first: int, end: int, say: Callable[[int], None]) -> int:
    """Files from `first` on in one child, until all are done or one ends it; the number to go on with."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    child = spawn.Process(target=work, args=(theirs, seed, first, end), daemon=True)
    child.start()
    theirs.close()
    number = first
    if not ours.poll(SILENT_SECONDS) or ours.recv() is not None:
        raise SystemExit("the child did not start")
    try:
        while number < end and ours.poll(SILENT_SECONDS):
            tally.add(number, *ours.recv())
            number += 1
            say(number)
    except EOFError:
        child.join()
    if number < end:
        hangs = child.exitcode in {None, -signal.SIGPROF}
        child.kill()
        if hangs:
            tally.timeouts.append(number)
        else:
            tally.crashes.append(f"{number} exit {child.exitcode}")
        number += 1
    child.join()
    return number


def fuzz(files: int, seed: int) -> dict[str, Any]:
    """The line for `files` files."""
    start, tally, number = time.perf_counter(), Tally(), 0

    def say(done: int) -> None:
        if done % 5000 == 0:
            sys.stderr.write(f"{done:,} files, {tally.outcomes['decoded']:,} decoded\n")

    while number < files:
        number = run_child(tally, seed, number, files, say)
    return tally.line(files, time.perf_counter() - start)


def main() -> None:
    """Fuzzes and prints the line, or writes one file to stdout."""
    parser = argparse.ArgumentParser(description="Feeds the decoder of pictures with damaged files.")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dump", type=int, metavar="N", help="write file N to stdout, and nothing else")
    given = parser.parse_args()
    if given.dump is not None:
        sys.stdout.buffer.write(file_of(seed_pictures(), given.seed, given.dump))
        return
    line = fuzz(given.files, given.seed)
    print(json.dumps(line))
    if line["failed_files"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
