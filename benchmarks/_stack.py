"""What benchmarks that run a whole stack share."""

from __future__ import annotations

import socket
import sys
from typing import Final

_PORTS: Final = range(20_000, 60_000, 100)


def free_ports() -> int:
    """A base from which on thirty ports are free."""
    for base in _PORTS:
        if all(_is_free(base + offset) for offset in range(1, 30)):
            return base
    raise SystemExit("no free range of ports on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def say(text: str) -> None:
    """Writes to standard error: standard output has the benchmark's line alone."""
    print(text, file=sys.stderr, flush=True)
