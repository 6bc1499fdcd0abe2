"""Ports that nobody uses just now."""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

# Below the ports that the system hands out; tests/chaos and tests/rolling count from lower ones.
_FIRST: Final = 20_000
_OF_A_WORKER: Final = 1_400
_WORKERS: Final = 8
_STEP: Final = 40
_ROOM: Final = 30
_turn = itertools.count()


def free_base_port() -> int:
    """A base with room above it for a stack's ports.

    Tests that run side by side take theirs from ranges of their own: who only looks whether a port is free
    finds the one that another stack is about to take.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    steps = _OF_A_WORKER // _STEP
    for _ in range(steps):
        base = _FIRST + worker * _OF_A_WORKER + next(_turn) % steps * _STEP
        if all(_is_free(base + offset) for offset in range(_ROOM)):
            return base
    raise AssertionError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does: a port of a connection that has just ended is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
