"""`python -m tests.chaos`: a run, its ledger as a file, its sum as a JSON line; 1 if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from services.dev.postgres import WITHOUT_SYNC
from tests.chaos.faults import WEIGHTS
from tests.chaos.load import Pace
from tests.chaos.run import Plan, run

_FAULTS_A_MINUTE = 7


def main() -> int:
    """0 when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").split(":", 1)[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--faults", type=int, default=0, help="at least so many; 7 a minute unless said")
    parser.add_argument("--seed", type=int, default=0, help="0 draws one")
    parser.add_argument("--at-once", type=int, default=4, help="most faults at the same time")
    parser.add_argument("--kinds", default="", help="only these, with commas between")
    parser.add_argument("--ledger", type=Path, default=Path("chaos-ledger.json"))
    parser.add_argument("--folder", type=Path, help="where the system lies; kept when it is named")
    parser.add_argument("--without-sync", action="store_true", help="databases that leave fsync out")
    parser.add_argument("--frames", type=float, default=2.0, help="seconds between two frames")
    given = parser.parse_args()
    seed = given.seed or secrets.randbelow(1_000_000) + 1
    plan = Plan(
        seed=seed,
        seconds=given.minutes * 60,
        least_faults=given.faults or round(given.minutes * _FAULTS_A_MINUTE),
        at_once=given.at_once,
        kinds=tuple(given.kinds.split(",")) if given.kinds else tuple(WEIGHTS),
        pace=Pace(frame_seconds=given.frames),
        database_settings=dict(WITHOUT_SYNC) if given.without_sync else {},
    )
    folder = given.folder or Path(tempfile.mkdtemp(prefix="platewarden-chaos-"))
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - start:7.1f} s  {text}", file=sys.stderr, flush=True)

    say(f"seed {seed}")
    try:
        ledger = asyncio.run(run(plan, folder, say))
    finally:
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    given.ledger.write_text(json.dumps(ledger, indent=1) + "\n", encoding="utf-8")
    told = {name: ledger[name] for name in ("seed", "seconds", "faults", "promotions", "restarts", "checked")}
    print(json.dumps({**told, "not_put_in": ledger["not_put_in"], "wrong": len(ledger["wrong"])}))
    for text in ledger["wrong"]:
        say(f"WRONG: {text}")
    return 1 if ledger["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
