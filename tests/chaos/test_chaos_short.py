"""The short form of `make chaos`: a minute of load, some faults of a fixed seed, the whole reckoning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
CHECKED = ("reads", "pictures", "hits", "alerts", "deliveries", "stored acts", "questions", "rows", "permits")


def _namespaces() -> bool:
    """Whether disks of their own size can be made here; else none is filled, and the ledger says so."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603
    except FileNotFoundError:
        return False


@pytest.mark.clause("IV.C.1", "IV.C.5", "IV.D.2", "IV.E.2")
@pytest.mark.timeout(900)
def test_nothing_that_was_answered_is_lost_in_a_storm_of_faults(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    given = ("--minutes", "0.6", "--faults", "8", "--seed", "20", "--without-sync", "--at-once", "2")
    command = [sys.executable, "-m", "tests.chaos", *given, "--ledger", str(ledger)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "client" / "src")])

    done = subprocess.run(  # noqa: S603
        [*(UNSHARE if _namespaces() else ()), *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(ledger.read_text())
    assert told["wrong"] == []
    assert told["faults"] >= 8
    assert [one["problem"] for one in told["ledger"]] == [""] * told["faults"]
    assert {name for name in CHECKED if told["checked"][name] == 0} == set()
