"""Asks the public databases of advisories about everything that the locks name.

    python tools/scan_dependencies.py [--if-reachable]

Python packages are asked about with pip-audit at OSV, npm packages with npm at its registry. It ends with 1
when there is an advisory, and with 3 when a database did not answer for everything: then nothing is known,
which is not the same as good. With --if-reachable that is said as loudly and ends with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PYTHON_LOCKS: Final = ("requirements.lock", "requirements-bench.lock", "requirements-scan.lock")
_SECONDS: Final = 300


class NotAskedError(Exception):
    """A database did not answer, or not for everything; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """Something known to be wrong with a package that is used here."""

    where: str
    package: str
    name: str

    def __str__(self) -> str:
        return f"{self.where}: {self.package}: {self.name}"


def of_pip_audit(lock: str, text: str) -> list[Advisory]:
    """What pip-audit's JSON says.

    Raises:
        NotAskedError: It is no JSON, says nothing, or passes a package over.
    """
    said = _json(lock, text)
    packages = said.get("dependencies", [])
    passed_over = [one["name"] for one in packages if "skip_reason" in one]
    if not packages or passed_over:
        raise NotAskedError(f"{lock}: no answer about {', '.join(passed_over[:5]) or 'any package'}")
    return [
        Advisory(lock, f"{one['name']} {one['version']}", known["id"])
        for one in packages
        for known in one["vulns"]
    ]


def of_npm(lock: str, text: str) -> list[Advisory]:
    """What npm's JSON says.

    Raises:
        NotAskedError: The registry gave no report.
    """
    said = _json(lock, text)
    if "vulnerabilities" not in said or not said.get("metadata", {}).get("dependencies", {}).get("total"):
        raise NotAskedError(f"{lock}: the registry gave no report")
    return [
        Advisory(lock, name, str(via.get("url", via.get("title", ""))))
        for name, one in sorted(said["vulnerabilities"].items())
        for via in one["via"]
        if isinstance(via, dict)
    ]


def npm_locks(root: Path) -> list[str]:
    """Folders of the package-lock.json files that git tracks."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--", "*package-lock.json"]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own arguments
    return sorted(str(Path(name).parent) for name in done.stdout.decode().split("\0") if name)


def _json(lock: str, text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NotAskedError(f"{lock}: the advisory database cannot be reached")
    return said


def _output(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _audited(root: Path, lock: str) -> list[Advisory]:
    program = str(root / ".venv-scan" / "bin" / "pip-audit")
    options = ["--disable-pip", "--require-hashes", "-s", "osv", "-f", "json", "--progress-spinner", "off"]
    return of_pip_audit(lock, _output([program, *options, "-r", lock], root))


def _npm(root: Path, folder: str) -> list[Advisory]:
    npm = str(root / ".venv" / "bin" / "npm")
    return of_npm(folder, _output([npm, "audit", "--json", "--package-lock-only"], root / folder))


def main() -> int:
    """0 when every package was asked about and nothing is known of any."""
    found: list[Advisory] = []
    unknown = []
    asked = [(_audited, lock) for lock in PYTHON_LOCKS] + [(_npm, folder) for folder in npm_locks(ROOT)]
    for ask, name in asked:
        try:
            found += ask(ROOT, name)
        except NotAskedError as error:
            unknown.append(str(error))
    for line in [*map(str, found), *(f"NOT SCANNED: {sentence}" for sentence in unknown)]:
        print(f"scan: {line}", file=sys.stderr)
    if found:
        return 1
    return 3 if unknown and "--if-reachable" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
