"""Programs of Debian's packages for benchmarks: unpacked into the user's cache, installed nowhere.

Fetching needs apt-get and dpkg (Debian, Ubuntu). The next run finds what an earlier one fetched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and where its libraries are; None for the system's."""

    path: str
    libraries: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment to start it in."""
        return {**os.environ, **({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})}


def program(name: str, packages: Sequence[str], binary: str) -> Program | None:
    """The system's `name`, else the file `binary` of `packages` under that name; None where there is neither.

    The name counts: some programs do what they are called.
    """
    if found := shutil.which(name):
        return Program(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "platewarden" / name
    if not (cache / name).exists():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _fetch(cache, packages, name, binary)
    if not (cache / name).exists():
        return None
    folders = sorted({str(path.parent) for path in cache.rglob("*.so*")})
    return Program(str(cache / name), ":".join(folders) or None)


def _fetch(into: Path, packages: Sequence[str], name: str, binary: str) -> None:
    """Unpacks the packages into the folder, whole or not at all."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        folder = Path(scratch)
        for package in packages:
            subprocess.run(  # noqa: S603 - constants
                ["apt-get", "download", "-qq", package],  # noqa: S607 - wherever the system has it
                cwd=folder,
                check=True,
            )
        files = folder / "files"
        for file in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg", "-x", file, files], check=True)  # noqa: S603, S607 - as above
        (files / name).symlink_to(binary)
        shutil.rmtree(into, ignore_errors=True)
        files.rename(into)
