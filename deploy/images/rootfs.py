"""Puts together what the process of a service needs of the base image: `rootfs.py TARGET APP`.

That is the interpreter with its library, the shared libraries that it and the packages in APP load, and the
public certificate authorities. There is no shell, no package manager, no other program: nothing for whoever
gets into an image.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

# Parts of the library that no service uses: tools for developers, windows, an installer.
_UNUSED = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "dist-packages"}
_UNUSED |= {"test", "tests", "tkinter", "turtledemo"}
# Loaded by name while the process runs, so nothing that is linked says so.
_LOADED_LATER = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
_LINKS = ("bin", "lib", "lib64", "sbin")
_PERSON = 10001
_NEEDED = re.compile(r"=> (/\S+)|^\s*(/\S+) \(", re.MULTILINE)


def main(target: Path, app: Path) -> None:
    """Fills `target`."""
    for name in _LINKS:
        if Path("/", name).is_symlink():
            target.mkdir(parents=True, exist_ok=True)
            (target / name).symlink_to(Path("/", name).readlink())
    python = Path(sys.executable).resolve()
    _copy(python, target)
    for name in ("python3", f"python3.{sys.version_info.minor}"):
        link = target / python.parent.relative_to("/") / name
        if not link.exists():
            link.symlink_to(python.name)
    library = Path(sysconfig.get_path("stdlib"))
    copy_library(library, target)
    for file in sorted({*needed_by(_programs(python, library, app)), *_found(_LOADED_LATER)}):
        _copy(file, target)
    _settings(target)
    subprocess.run(["ldconfig", "-r", target], check=True)  # noqa: S603, S607 - of the base image


def copy_library(library: Path, target: Path) -> None:
    """The interpreter's own modules, without those that nobody runs in a service."""
    into = target / library.relative_to("/")
    shutil.copytree(library, into, ignore=_unused, ignore_dangling_symlinks=True, dirs_exist_ok=True)


def _unused(_: str, names: list[str]) -> set[str]:
    return {one for one in names if one in _UNUSED or one.startswith("config-") or one.endswith(".a")}


def _programs(python: Path, library: Path, app: Path) -> Iterator[Path]:
    yield python
    for folder in (library / "lib-dynload", app):
        yield from (file for file in folder.rglob("*.so*") if file.is_file())


def needed_by(files: Iterable[Path]) -> set[Path]:
    """The shared libraries of the base image that the loader would load for these files.

    What the base has not is left out: packages have parts for what not everybody has (numba, for TBB).
    """
    found: set[Path] = set()
    for file in files:
        said = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607
        found |= {Path(one or other) for one, other in _NEEDED.findall(said)}
    return {one for one in found if not one.is_relative_to("/app")}


def _found(names: Iterable[str]) -> Iterator[Path]:
    folders = [Path("/lib", f"{os.uname().machine}-linux-gnu"), Path("/lib64"), Path("/usr/lib64")]
    for name in names:
        yield from [folder / name for folder in folders if (folder / name).exists()][:1]


def _copy(file: Path, target: Path) -> None:
    """The file under the same name; folders of the path that are links are followed."""
    into = target / (file.parent.resolve() / file.name).relative_to("/")
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, into)


def _settings(target: Path) -> None:
    """What libraries read: certificate authorities, names of users, where names are looked up."""
    etc = target / "etc"
    (etc / "ssl" / "certs").mkdir(parents=True)
    (etc / "ssl" / "certs" / "ca-certificates.crt").write_text(authorities(), encoding="ascii")
    (etc / "passwd").write_text(
        f"root:x:0:0::/:/nobody\nplatewarden:x:{_PERSON}:{_PERSON}::/:/nobody\n", encoding="ascii"
    )
    (etc / "group").write_text(f"root:x:0:\nplatewarden:x:{_PERSON}:\n", encoding="ascii")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="ascii")
    for name in ("ld.so.conf", "ld.so.conf.d", "os-release"):
        if (place := Path("/etc", name)).is_dir():
            shutil.copytree(place, etc / name)
        elif place.exists():
            shutil.copy(place, etc / name)
    (target / "tmp").mkdir()
    (target / "tmp").chmod(0o1777)


def authorities() -> str:
    """The certificates of the public authorities as the distribution's package has them, one after the other.

    Not what lies in /etc/ssl/certs: a machine that builds may have added authorities of its own there.

    Raises:
        ValueError: The base image has none.
    """
    files = sorted(Path("/usr/share/ca-certificates").rglob("*.crt"))
    if not files:
        raise ValueError("the base image has no package ca-certificates")
    return "".join(file.read_text(encoding="ascii").rstrip() + "\n" for file in files)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
