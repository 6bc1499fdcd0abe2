"""`python -m tools.restore_drill`: one line of JSON; exit code 1 when something is not as it must be."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from services.common.errors import AlprError
from tools.restore_drill.clusters import DrillError
from tools.restore_drill.drill import Drill, Plan


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.restore_drill")
    parser.add_argument("--rounds", type=int, default=20, help="of passages in each part of the story")
    parser.add_argument("--base-port", type=int, default=7500)
    parser.add_argument("--close", action="store_true", help="the witness's copy is lost, too")
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="restore-drill-"))
    plan = Plan(folder.absolute(), given.base_port, given.rounds, given.close)
    try:
        report = asyncio.run(Drill(plan).run())
    except (DrillError, AlprError) as error:
        print(f"not done: {error}", file=sys.stderr)
        return 1
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(report.as_dict()))
    return 0 if not report.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
