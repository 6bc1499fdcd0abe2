"""What checks say of clauses and of other policies, and how it is shown."""

from __future__ import annotations

import json

import pytest

from services.cli.conformance import packs, page, verdicts
from services.cli.conformance.asker import PEOPLES_ADDRESS, methods, said
from services.cli.conformance.command import CHECKS
from services.cli.conformance.packs import Pack, Rule, Values
from services.cli.conformance.verdicts import Clause, Finding, Verdict
from services.cli.words import ROLE
from services.common.errors import FieldViolation, InvalidFieldError

PASSED, FAILED, PERSON = Verdict.PASSED, Verdict.FAILED, Verdict.NEEDS_PERSON
CLAUSE = Clause("I", "C", "only the authorised", "ask the chief")
NOTHING = Values(None, {})


def found(verdict: Verdict, check: str = "doors", *evidence: str) -> Finding:
    return Finding(check, ("I",), verdict, "as it stands", evidence)


@pytest.mark.clause("III.B.3.q")
@pytest.mark.parametrize(
    ("ended", "stands"),
    [
        ((), PERSON),
        ((PASSED,), PASSED),
        ((PASSED, PERSON), PERSON),
        ((PERSON, FAILED, PASSED), FAILED),
    ],
)
def test_a_clause_stands_as_the_worst_of_its_checks_and_without_any_it_is_a_persons(
    ended: tuple[Verdict, ...], stands: Verdict
) -> None:
    (judged,) = verdicts.judge((CLAUSE,), [found(one) for one in ended])

    assert judged.verdict is stands
    assert [one.verdict for one in judged.findings] == list(ended)


def test_a_check_of_a_clause_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such clause: IX"):
        verdicts.judge((CLAUSE,), [Finding("doors", ("IX",), PASSED, "")])


def test_checks_have_different_names_known_clauses_and_known_roles() -> None:
    known = {one.id for one in verdicts.clauses()}

    assert len({one.name for one in CHECKS}) == len(CHECKS)
    assert {name for one in CHECKS for name in one.clauses} <= known
    assert {role for one in CHECKS for role in one.roles} <= set(ROLE.words)


def test_of_a_clause_without_check_it_is_said_what_a_person_looks_at() -> None:
    checked = {name for one in CHECKS for name in one.clauses}
    without = [one for one in verdicts.clauses() if one.id not in checked]

    assert without
    assert all(one.person != verdicts.NOTHING_SHOWS for one in without), [one.id for one in without]


def test_every_rpc_of_the_five_services_is_known() -> None:
    assert {name.split(".")[1] for name in methods()} == set(PEOPLES_ADDRESS)
    assert "alpr.search.v1.SearchService.SearchReads" in methods()


@pytest.mark.parametrize(
    ("rule", "values", "stands"),
    [
        (Rule("21 days", retention_most_days=21), Values(90, {}), FAILED),
        (Rule("21 days", retention_most_days=21), Values(21, {}), PASSED),
        (Rule("at once", retention_most_days=0), Values(1, {}), FAILED),
        (Rule("21 days", retention_most_days=21), NOTHING, PERSON),
        (
            Rule("72 hours", setting="account_temporary_hours", most=72),
            Values(90, {"account_temporary_hours": 72}),
            PASSED,
        ),
        (
            Rule("72 hours", setting="account_temporary_hours", most=72),
            Values(90, {"account_temporary_hours": 73}),
            FAILED,
        ),
        (Rule("72 hours", setting="account_temporary_hours", most=72), NOTHING, PERSON),
        (Rule("signed", person="the chief signs"), NOTHING, PERSON),
        (Rule("doors", checks=("doors",)), NOTHING, PASSED),
        (Rule("doors", checks=("doors", "windows")), NOTHING, FAILED),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_rule_is_held_against_the_values_in_force_or_the_checks_that_it_names(
    rule: Rule, values: Values, stands: Verdict
) -> None:
    (held,) = packs.hold([Pack("here", (rule,))], [found(PASSED), found(FAILED, "windows")], values)

    assert (held.pack, held.text, held.verdict) == ("here", rule.text, stands)
    assert held.why


def test_every_rule_that_comes_with_the_command_can_be_judged() -> None:
    every = [Finding(one.name, one.clauses, PASSED, "") for one in CHECKS]
    held = packs.hold(packs.packs(), every, Values(90, {}))

    assert len(held) == sum(len(one.rules) for one in packs.packs())
    assert {one.pack for one in held} >= {"Illinois, 625 ILCS 5/2-130", "CJIS Security Policy 5.9.5"}
    for pack in packs.packs():
        for rule in pack.rules:
            given = (rule.checks, rule.retention_most_days is not None, rule.setting, rule.person)
            assert sum(map(bool, given)) == 1, rule.text


def result(*evidence: str) -> page.Result:
    judged = verdicts.judge((CLAUSE,), [found(FAILED, "doors", *evidence)])
    held = packs.hold([Pack("<here>", (Rule("a & b", person="chief"),))], [], NOTHING)
    return page.Result("2026-11-26 10:00:00", judged, held)


def test_the_page_shows_clauses_with_their_evidence_and_escapes_all_of_it() -> None:
    made = page.page(result("<script>alert(1)</script>"))

    assert "&lt;script&gt;" in made
    assert "<script" not in made
    assert "&lt;here&gt;" in made
    assert "0 pass, 1 fail, 0 needs a person" in made
    assert "http" not in made


def test_as_json_a_clause_has_its_verdict_and_each_check_with_evidence() -> None:
    (judged,) = result("SearchReads: OK").judged
    document = json.loads(json.dumps(page.clause_to_json(judged)))

    assert (document["clause"], document["verdict"]) == ("I", "fail")
    assert document["findings"] == [
        {"check": "doors", "verdict": "fail", "sentence": "as it stands", "evidence": ["SearchReads: OK"]}
    ]


def test_evidence_says_code_fields_and_clauses_and_no_text_of_the_request() -> None:
    violation = FieldViolation("justification.purpose", "'for a friend' says nothing")
    error = InvalidFieldError("no", violations=[violation], metadata={"clauses": "IV.C.6"})

    assert (
        said("SearchReads", error) == "SearchReads: INVALID_ARGUMENT (justification.purpose; ENF-051 IV.C.6)"
    )
    assert said("SearchReads", None) == "SearchReads: OK"
