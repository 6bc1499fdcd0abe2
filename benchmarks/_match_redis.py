"""A redis-server for the benchmark: the system's own, or one that is fetched and installed nowhere.

Fetching needs apt-get and dpkg (Debian, Ubuntu): the package that has the server and those of its libraries
that a small system lacks, unpacked into a folder of the user's cache, where the next run finds them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The server is in redis-tools, under the name of redis-check-rdb; it does what its name says.
_PACKAGES: Final = ("redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "libsystemd0")
_BINARY: Final = Path("usr/bin/redis-check-rdb")


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A program, and where its libraries are; None for the system's."""

    program: str
    libraries: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment to start it in."""
        return {**os.environ, **({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})}


def redis_server() -> RedisServer | None:
    """A redis-server; None where there is none and none can be fetched."""
    if found := shutil.which("redis-server"):
        return RedisServer(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "platewarden" / "redis"
    if not (cache / "redis-server").exists():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _fetch(cache)
    if not (cache / "redis-server").exists():
        return None
    folders = sorted({str(path.parent) for path in cache.rglob("*.so*")})
    return RedisServer(str(cache / "redis-server"), ":".join(folders))


def _fetch(into: Path) -> None:
    """Unpacks the packages into the folder, whole or not at all."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        folder = Path(scratch)
        for name in _PACKAGES:
            subprocess.run(  # noqa: S603 - constants
                ["apt-get", "download", "-qq", name],  # noqa: S607 - wherever the system has it
                cwd=folder,
                check=True,
            )
        files = folder / "files"
        for package in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, files], check=True)  # noqa: S603, S607 - as above
        (files / "redis-server").symlink_to(_BINARY)
        files.rename(into)
