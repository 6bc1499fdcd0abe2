from __future__ import annotations

from pathlib import Path

import pytest

from tools import conformance

CLAUSES = """
"IV.C.5" = { kind = "T", text = "Case number." }
"IV.C.6" = { kind = "T", text = "Purpose." }
"IV.E.1" = { kind = "T", text = "Ninety days." }
"""
MARKS = """
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.clause("IV.C.5")]

def helper(): ...

@pytest.mark.clause("IV.C.6")
async def test_one(): ...

@pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.clause("IV.C.6"))])
def test_two(x): ...

@pytest.mark.clause("IV.C.6")
class TestThree:
    def test_inside(self): ...

def test_four(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / conformance.CLAUSES.parent).mkdir(parents=True)
    (tmp_path / conformance.REPORT.parent).mkdir()
    (tmp_path / conformance.CLAUSES).write_text(CLAUSES)
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_it.py").write_text(MARKS)
    return tmp_path


def test_marks_are_found_on_functions_classes_modules_and_parameters(project: Path) -> None:
    marks = conformance.find_marks(project)

    tests = ["test_one", "test_two", "TestThree::test_inside", "test_four"]
    assert marks["IV.C.5"] == [f"tests/unit/test_it.py::{test}" for test in tests]
    assert marks["IV.C.6"] == [f"tests/unit/test_it.py::{test}" for test in tests[:-1]]


def test_a_clause_without_a_test_says_not_yet(project: Path) -> None:
    assert conformance.main([], project) == 0

    report = (project / conformance.REPORT).read_text()
    assert "| IV.E.1 | T | Ninety days. | not yet |" in report
    assert "2 of 3 clauses have a test." in report


def test_check_fails_when_the_report_is_stale(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance.main(["--check"], project) == 1
    assert conformance.main([], project) == 0
    assert conformance.main(["--check"], project) == 0

    (project / "tests/unit/test_more.py").write_text(
        "pytestmark = mark.clause('IV.E.1')\ndef test_it(): ...\n"
    )

    assert conformance.main(["--check"], project) == 1
    assert "run make conformance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [("'IV.Z.9'", "test_bad names IV.Z.9"), ("CLAUSE", "test_bad.py:1: a clause is named by a plain string")],
)
def test_a_mark_that_names_no_clause_is_an_error(
    project: Path, capsys: pytest.CaptureFixture[str], argument: str, complaint: str
) -> None:
    bad = f"@pytest.mark.clause({argument})\ndef test_bad(): ...\n"
    (project / "tests/unit/test_bad.py").write_text(bad)

    assert conformance.main([], project) == 1
    assert complaint in capsys.readouterr().err
    assert not (project / conformance.REPORT).exists()


def test_every_clause_of_the_directive_has_kind_and_text() -> None:
    clauses = conformance.load_clauses(conformance.ROOT / conformance.CLAUSES)

    assert len(clauses) == 80
    assert all(set(clause.kind.split(",")) <= set("TCRO") and clause.text for clause in clauses)
