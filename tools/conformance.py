"""Writes docs/conformance.md: for each clause of the directive, the tests that prove it, or 'not yet'.

Tests name clauses with @pytest.mark.clause("IV.C.5"), on a function, a class, a module (pytestmark) or a
parameter. The marks are read from the source, not by collecting: that needs no services, stubs or database.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAUSES = Path("services/cli/conformance/clauses.toml")
REPORT = Path("docs/conformance.md")
TESTS = Path("tests")

_HEAD = """\
# Conformance with directive ENF-051

Made by `make conformance` from the tests' `clause` marks and
[clauses.toml](../services/cli/conformance/clauses.toml); not edited by hand. Kind: T = testable in software,
C = configured and enforced, R = record, O = organisational.

"""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class ConformanceError(Exception):
    """A mark cannot be read or names no clause; the text is the sentence to show."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the directive: its id, its kind (T, C, R, O) and what it asks for."""

    id: str
    kind: str
    text: str


def load_clauses(path: Path) -> tuple[Clause, ...]:
    """The clauses of `path`, in the directive's order."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(Clause(id, entry["kind"], entry["text"]) for id, entry in document.items())


def find_marks(root: Path) -> dict[str, list[str]]:
    """Clause id to the tests below `root`/tests that name it, as `path::name` with paths relative to `root`.

    Raises:
        ConformanceError: The argument of a mark is not a plain string.
    """
    marks = defaultdict[str, list[str]](list)
    for path in sorted((root / TESTS).rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=name)
        for test, ids in _tests(tree, name, set()):
            for id in sorted(ids):
                marks[id].append(test)
    return dict(marks)


def _tests(
    scope: ast.Module | ast.ClassDef, name: str, inherited: set[str]
) -> Iterator[tuple[str, set[str]]]:
    """Each test of `scope` with the clauses that it and the scopes round it name."""
    ids = inherited | _ids(_pytestmarks(scope), name)
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            below = ids | _ids(node.decorator_list, name)
            yield from _tests(node, f"{name}::{node.name}", below)
        elif isinstance(node, _FUNCTIONS) and node.name.startswith("test"):
            yield f"{name}::{node.name}", ids | _ids(node.decorator_list, name)


def _pytestmarks(scope: ast.Module | ast.ClassDef) -> list[ast.expr]:
    """What is assigned to `pytestmark` in `scope`."""
    assigned = [node for node in scope.body if isinstance(node, ast.Assign)]
    return [node.value for node in assigned if any(_is_pytestmark(target) for target in node.targets)]


def _is_pytestmark(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "pytestmark"


def _ids(expressions: Sequence[ast.expr], name: str) -> set[str]:
    """The arguments of all `...mark.clause(...)` calls in `expressions`, nested ones (parameters) too."""
    nodes = [node for expression in expressions for node in ast.walk(expression)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    ids: set[str] = set()
    for call in filter(_is_clause_mark, calls):
        for argument in call.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise ConformanceError(f"{name}:{argument.lineno}: a clause is named by a plain string.")
            ids.add(argument.value)
    return ids


def _is_clause_mark(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "clause"


def render(clauses: Sequence[Clause], marks: Mapping[str, Sequence[str]]) -> str:
    """The report as Markdown.

    Raises:
        ConformanceError: A mark names a clause that the directive does not have.
    """
    known = {clause.id for clause in clauses}
    unknown = [f"{test} names {id}" for id, tests in marks.items() if id not in known for test in tests]
    if unknown:
        raise ConformanceError(f"No such clause in {CLAUSES}: {'; '.join(sorted(unknown))}.")
    proven = sum(1 for clause in clauses if marks.get(clause.id))
    lines = [f"{proven} of {len(clauses)} clauses have a test.", ""]
    lines += ["| clause | kind | what it asks for | proven by |", "|---|---|---|---|"]
    for clause in clauses:
        tests = "<br>".join(f"`{test}`" for test in marks.get(clause.id, ())) or "not yet"
        lines.append(f"| {clause.id} | {clause.kind} | {clause.text} | {tests} |")
    return _HEAD + "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Writes the report, or with --check compares it; 1 after a sentence when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the report is not up to date")
    check = parser.parse_args(arguments).check
    try:
        report = render(load_clauses(root / CLAUSES), find_marks(root))
    except (ConformanceError, SyntaxError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 1
    target = root / REPORT
    if check:
        if target.is_file() and target.read_text(encoding="utf-8") == report:
            return 0
        print(f"conformance: {REPORT} is out of date; run make conformance.", file=sys.stderr)
        return 1
    target.write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
