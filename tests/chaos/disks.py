"""Disks of their own size: file systems in memory, in a mount namespace that ends with the run."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from pathlib import Path
from typing import Final

_BALLAST: Final = "ballast"
_STEP_BYTES: Final = 1 << 20
_LAST_BYTES: Final = 1 << 12


def mount(folder: Path, megabytes: int) -> bool:
    """Puts `folder` on a disk of so many megabytes; False where this process may not mount."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def unmount(folder: Path) -> None:
    """Takes the disk of `folder` away, with all that is on it."""
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)  # noqa: S603, S607


def fill(folder: Path) -> None:
    """Leaves no room on the disk of `folder`."""
    with (folder / _BALLAST).open("ab") as ballast:
        for step in (_STEP_BYTES, _LAST_BYTES):
            with contextlib.suppress(OSError):
                while True:
                    _grow(ballast.fileno(), step)


def empty(folder: Path) -> None:
    """Gives the room back."""
    (folder / _BALLAST).unlink(missing_ok=True)


def _grow(file: int, step: int) -> None:
    size = os.fstat(file).st_size
    os.posix_fallocate(file, size, step)
    if os.fstat(file).st_size != size + step:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
