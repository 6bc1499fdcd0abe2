"""What benchmarks that run a whole stack share."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PORTS: Final = range(20_000, 60_000, 100)
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def free_ports() -> int:
    """A base from which on thirty ports are free."""
    for base in _PORTS:
        if all(_is_free(base + offset) for offset in range(1, 30)):
            return base
    raise SystemExit("no free range of ports on this machine")


def processor_seconds(pids: Iterable[int]) -> float:
    """Processor time of these processes until now."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def say(text: str) -> None:
    """Writes to standard error: standard output has the benchmark's line alone."""
    print(text, file=sys.stderr, flush=True)
