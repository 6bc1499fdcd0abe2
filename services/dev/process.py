"""Starts programs that end when this process ends, however it ends (see `attached`)."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_ATTACHED = Path(__file__).with_name("attached.py")
OWN_ACCOUNT = "own"


def attached_command(
    command: Sequence[str | Path], *, death_signal: int, account: str = OWN_ACCOUNT
) -> list[str]:
    """Arguments that start `command` so that it gets `death_signal` when the calling thread ends.

    The kernel watches the thread, not the process: start long-lived programs from the main thread.

    Args:
        command: Absolute path of a program and its arguments.
        death_signal: A signal number.
        account: As `attached` describes it.
    """
    start = [sys.executable, "-I", "-S", str(_ATTACHED), str(os.getpid()), str(int(death_signal)), account]
    return [*start, *map(str, command)]
