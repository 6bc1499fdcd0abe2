"""The last release, which the next one must get along with: its commit, its migrations, its contracts.

    python tools/release.py                      say what it is, and check that nothing of it was changed
    python tools/release.py record VERSION       the commit that is checked out becomes the last release

What is recorded lies in deploy/release.json and protos/baseline.binpb, so that a shallow clone and a source
archive have it too. Systems that run the release are brought forward while they run: databases that went
through its migrations must only ever see further ones, and its programs must understand the next contracts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path("deploy") / "release.json"
BASELINE = Path("protos") / "baseline.binpb"
_VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")


class ReleaseError(Exception):
    """Something of the last release was changed, or none can be recorded; one sentence a line."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release.

    Attributes:
        version: As in pyproject.toml.
        commit: What it was made from, 40 hexadecimal digits.
        contracts: SHA-256 of the image of its contracts, which proto-lint compares with.
        migrations: By service, SHA-256 by file name.
    """

    version: str
    commit: str
    contracts: str
    migrations: Mapping[str, Mapping[str, str]]

    def last(self, service: str) -> str:
        """Number of the last migration of `service`; "" where the release has none."""
        return max((name[:4] for name in self.migrations.get(service, {})), default="")


def load(root: Path = ROOT) -> Release:
    """The last release.

    Raises:
        OSError: There is no record of one.
    """
    return Release(**json.loads((root / RECORD).read_text(encoding="utf-8")))


def of_tree(root: Path, version: str, commit: str) -> Release:
    """The release that `root` is, with the contracts of its baseline."""
    migrations = {
        folder.parent.name: {path.name: _sha256(path) for path in sorted(folder.glob("*.sql"))}
        for folder in sorted((root / "services").glob("*/sql"))
    }
    return Release(version, commit, _sha256(root / BASELINE), migrations)


def save(root: Path, release: Release) -> None:
    """Writes the record into `root`."""
    said = {
        "version": release.version,
        "commit": release.commit,
        "contracts": release.contracts,
        "migrations": release.migrations,
    }
    (root / RECORD).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def check(root: Path = ROOT) -> None:
    """Returns when all of the last release is still as it was, and what came since comes after it.

    Raises:
        ReleaseError: Says what is not.
    """
    release = load(root)
    wrong = (
        [] if _sha256(root / BASELINE) == release.contracts else [f"{BASELINE} is not that of the release"]
    )
    for service, released in release.migrations.items():
        folder = root / "services" / service / "sql"
        wrong += [
            f"{folder.relative_to(root) / name} was changed; databases out there have run it as it was"
            for name, digest in released.items()
            if not (folder / name).exists() or _sha256(folder / name) != digest
        ]
        wrong += [
            f"{path.relative_to(root)} must have a number above {release.last(service)}, the last released"
            for path in sorted(folder.glob("*.sql"))
            if path.name not in released and path.name[:4] <= release.last(service)
        ]
    if wrong:
        raise ReleaseError("\n".join(wrong))


def record(root: Path, version: str) -> Release:
    """Makes the commit that is checked out in `root` the last release.

    Raises:
        ReleaseError: The version is none or not pyproject.toml's, or there are changes that no commit has.
    """
    if not _VERSION.fullmatch(version):
        msg = f"'{version}' is no version; write it like 1.2.0 or 1.2.0rc1"
        raise ReleaseError(msg)
    said = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if said != version:
        msg = f"pyproject.toml says {said}; the release before and this one must be told apart"
        raise ReleaseError(msg)
    if _git(root, "status", "--porcelain"):
        raise ReleaseError("a release is made from a commit, and there are changes that no commit has")
    buf = str(Path(sysconfig.get_path("scripts")) / "buf")
    build = [buf, "build", "--exclude-source-info", "--output", str(BASELINE)]
    subprocess.run(build, cwd=root, check=True)  # noqa: S603
    release = of_tree(root, version, _git(root, "rev-parse", "HEAD"))
    save(root, release)
    return release


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 all is well, 1 with a sentence a line on standard error."""
    parser = argparse.ArgumentParser(description="The last release, and what may not change since.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("record", help="make the commit of now the last release").add_argument("version")
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "record":
            record(ROOT, parsed.version)
        check()
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    release = load()
    print(f"last release: {release.version}, commit {release.commit[:12]}")
    return 0


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout.strip()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
