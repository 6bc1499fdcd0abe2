"""The alert rules as Prometheus itself takes them: `python -m tools.rules > rules.yml`."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).parents[1] / "deploy" / "observability" / "rules.yaml"
RUNBOOKS: Final = Path(__file__).parents[1] / "docs" / "operations" / "runbooks"


@cache
def groups() -> list[dict[str, Any]]:
    """The groups of rules."""
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["spec"]["groups"]
    return found


def rules() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def main() -> int:
    """Prints them."""
    print(yaml.safe_dump({"groups": groups()}, sort_keys=False, width=4000), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
