"""The release before: its code from git, in a folder and an environment of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.release import ROOT, load

_KEPT = ROOT / ".rolling"


def previous_tree(ref: str) -> Path:
    """The folder of the code of `ref` (empty: of the last release), set up by its own `make setup`.

    It is kept, so the next run is quick.

    Raises:
        SystemExit: The commit is not in this clone, or cannot be set up.
    """
    commit = _commit(ref or load().commit)
    folder = _KEPT / commit
    if not (folder / "Makefile").exists():
        _unpack(commit, folder)
    print(f"Setting up {commit[:12]} in {folder}", file=sys.stderr, flush=True)
    if subprocess.run(["make", "--silent", "setup"], cwd=folder, check=False, stdout=sys.stderr).returncode:  # noqa: S607
        raise SystemExit(f"{folder} could not be set up")
    return folder


def _commit(ref: str) -> str:
    command = ["git", "rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        raise SystemExit(f"commit {ref} is not in this clone; `git fetch --unshallow` brings it")
    return found.stdout.strip()


def _unpack(commit: str, folder: Path) -> None:
    unfinished = folder.with_name(f"{commit}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603, S607
    subprocess.run(["tar", "-x"], cwd=unfinished, stdin=archive.stdout, check=True)  # noqa: S607
    if archive.wait():
        raise SystemExit(f"git archive gave no complete tree of {commit}")
    unfinished.rename(folder)
