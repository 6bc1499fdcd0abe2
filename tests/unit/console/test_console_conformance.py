"""The table of the last run of `platewarden conformance run`, as the command line leaves it."""

import json
from pathlib import Path

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from services.cli.conformance.packs import Held
from services.cli.conformance.page import clause_to_json, rule_to_json
from services.cli.conformance.verdicts import Clause, Finding, Judged, Verdict
from services.console.auditor.conformance import read_run
from services.console.pages import Pages

HOSTILE = '"><script>alert(1)</script>'
CLAUSE = Judged(
    Clause("IV.E.2", "T", f"The log is permanent {HOSTILE}", "look at it"),
    Verdict.FAILED,
    (Finding("log holds", ("IV.E.2",), Verdict.FAILED, f"it was cut {HOSTILE}", (HOSTILE,)),),
)
OTHER = Judged(Clause("I", "C", "Only people who may.", "ask the clerk"), Verdict.PASSED, ())
RULE = Held("Another state", "Kept 30 days.", Verdict.NEEDS_PERSON, "nobody said how long")


def written(folder: Path, *lines: object) -> Path:
    """A file with a line of JSON for each."""
    file = folder / "run.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return file


def shown(file: Path, only: str = "") -> str:
    """The page of the run."""
    page = Pages(log_keys="").make(
        "auditor/conformance.html",
        person=account_pb.Account(full_name="Auditor"),
        links=[],
        csrf="word",
        section="/auditor",
        title="Conformance",
        run=read_run(file),
        sentence="",
        only=only,
    )
    return bytes(page.body).decode()


@pytest.mark.clause("III.B.3.q")
def test_what_the_command_line_found_is_read_and_shown_clause_by_clause(tmp_path: Path) -> None:
    file = written(tmp_path, clause_to_json(CLAUSE), clause_to_json(OTHER), rule_to_json(RULE))

    run, page = read_run(file), shown(file)

    assert run.counts == {"fail": 1, "pass": 1}
    assert [one["rule"] for one in run.rules] == ["Kept 30 days."]
    assert run.time.seconds == int(file.stat().st_mtime)
    for text in (
        "IV.E.2",
        "Only people who may.",
        "log holds",
        "Another state",
        "nobody said how long",
        "the clerk",
    ):
        assert text in page


def test_only_what_fails_is_shown_where_that_is_asked_for(tmp_path: Path) -> None:
    page = shown(written(tmp_path, clause_to_json(CLAUSE), clause_to_json(OTHER)), only="fail")

    assert "IV.E.2" in page
    assert "Only people who may." not in page


def test_what_a_run_says_is_text_and_never_a_part_of_the_page(tmp_path: Path) -> None:
    page = shown(written(tmp_path, clause_to_json(CLAUSE)))

    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ({"clause": "I"},),
        ([],),
        ("text",),
        (clause_to_json(CLAUSE) | {"more": 1},),
        (rule_to_json(RULE),),
    ],
)
def test_a_file_that_holds_no_run_is_not_shown_as_one(tmp_path: Path, lines: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="no run"):
        read_run(written(tmp_path, *lines))


def test_a_file_that_is_no_json_or_much_too_long_is_not_read_as_a_run(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    for content in (b"\xff\n", b" " * (4 << 20) + b"\n"):
        file.write_bytes(content)
        with pytest.raises(ValueError):
            read_run(file)
