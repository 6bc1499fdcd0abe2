"""Runs a service whose clock is wrong: `python skewed.py FILE MODULE`.

FILE holds the difference to the machine's clock, in seconds, as eight bytes that may change at any time. What
is moved is the clock that services take their time from (`services.common.clock`); TLS and the database keep
theirs, as they would if only this process were wrong.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.common.clock import SystemClock

_DIFFERENCE = struct.Struct("d")


def main(file: Path, module: str) -> None:
    """Becomes the service."""
    with file.open("rb") as opened:
        seconds = mmap.mmap(opened.fileno(), _DIFFERENCE.size, access=mmap.ACCESS_READ)

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_DIFFERENCE.unpack_from(seconds)[0])

    SystemClock.now = now  # type: ignore[assignment,method-assign]
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def set_difference(file: Path, seconds: float) -> None:
    """Moves the clock of whoever runs with `file`."""
    if not file.exists():
        file.write_bytes(_DIFFERENCE.pack(0.0))
    with file.open("r+b") as opened:  # in place: the process has mapped these bytes
        opened.write(_DIFFERENCE.pack(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
