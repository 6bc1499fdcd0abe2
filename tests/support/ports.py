"""Ports that nobody uses just now."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

# Below the ports that the system hands out; tests/chaos and tests/rolling count from lower ones.
_BASES: Final = range(20_000, 31_200, 40)
_ROOM: Final = 30
_claims: dict[int, socket.socket] = {}


def free_base_port() -> int:
    """A base with room above it for a stack's ports.

    It belongs to this process until that ends: who only looks whether a port is free finds the one that a
    stack of another process, which runs other tests beside these, is about to take.
    """
    for base in _own():
        if all(_is_free(base + offset) for offset in range(_ROOM)):
            return base
    raise AssertionError("no ports are free")


def _own() -> Iterator[int]:
    """Bases that nobody else has: new ones, and then those that a stack of this process had."""
    had = list(_claims)
    yield from filter(_claimed, (base for base in _BASES if base not in _claims))
    yield from had


def _claimed(base: int) -> bool:
    # A name in the kernel's own space of names is there for one process, and gone with it, however it ends.
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0platewarden-test-ports-{base}")
    except OSError:
        claim.close()
        return False
    _claims[base] = claim
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does: a port of a connection that has just ended is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
