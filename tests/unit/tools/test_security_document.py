"""docs/security.md names tests as its proof; each of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_[a-z0-9_]+)`", DOCUMENT)))


def there_are() -> set[str]:
    """Names of all tests."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.clause("III.B.3.q")
def test_every_test_that_proves_a_control_is_there() -> None:
    assert len(NAMED) > 30
    assert not set(NAMED) - there_are()


@pytest.mark.clause("III.B.3.q")
def test_every_control_says_by_what_it_is_proven() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in DOCUMENT.splitlines() if re.match(r"\| [A-Z]{2}-\d", line)
    ]

    assert len(rows) > 30
    assert not [row[0] for row in rows if not ("`test_" in row[-1] or "needs a person" in row[-1])]
