"""Ports that nobody uses just now."""

from __future__ import annotations

import os
import socket


def free_base_port() -> int:
    """A base with room above it for a stack's ports; far from those that the system hands out."""
    for base in range(20_000 + os.getpid() % 5_000, 32_000, 40):
        if all(_is_free(base + offset) for offset in range(30)):
            return base
    raise AssertionError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
