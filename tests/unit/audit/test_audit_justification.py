"""Case numbers and purposes: what is let through, what is sent back and with which words."""

import pytest

from services.audit.config import POLICY_FOLDER
from services.audit.core.justification import (
    Justification,
    case_number_problems,
    prohibition,
    purpose_problems,
)
from services.audit.policies import CASE_NUMBER_KINDS, load

RULES = load(POLICY_FOLDER).rules


def given(**changes: str) -> Justification:
    usual = {
        "kind": "CAD",
        "case_number": "2026-004711",
        "outside_agency": "",
        "purpose": "homicide investigation, victim's car seen leaving",
        "offence_code": "HOMICIDE",
    }
    return Justification(**{**usual, **changes})


def wrong(justification: Justification) -> set[str]:
    problems = (*case_number_problems(justification, RULES), *purpose_problems(justification, RULES))
    return {one.field for one in problems}


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("kind", CASE_NUMBER_KINDS)
def test_each_kind_takes_a_number_like_its_own_example(kind: str) -> None:
    example = RULES.formats[kind].example

    assert not wrong(
        given(kind=kind, case_number=example.lower(), outside_agency="Chicago Police Department")
    )


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("kind", CASE_NUMBER_KINDS)
@pytest.mark.parametrize(
    "number", ["", " ", "n/a", "none", "test", "12", "0000000", "x" * 65, "2026-00'--", "ABC"]
)
def test_no_kind_takes_what_is_no_number(kind: str, number: str) -> None:
    assert "case_number" in wrong(given(kind=kind, case_number=number, outside_agency="Chicago PD"))


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("kind", ["", "UNSPECIFIED", "PHONE"])
def test_a_case_number_of_no_known_kind_is_sent_back_with_the_kinds(kind: str) -> None:
    (problem,) = case_number_problems(given(kind=kind), RULES)

    assert problem.field == "case_number_kind"
    assert "TraCS number" in problem.description


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("agency", ["", "  ", "PD"])
def test_an_outside_case_needs_the_agency_that_keeps_it(agency: str) -> None:
    justification = given(kind="OUTSIDE_AGENCY", case_number="RD JF-123456", outside_agency=agency)

    assert wrong(justification) == {"outside_agency"}


@pytest.mark.clause("IV.C.6", "III.D.3")
@pytest.mark.parametrize(
    ("purpose", "code"),
    [
        ("expressway shooting", "EXPRESSWAY_SHOOTING"),
        ("homicide investigation", "HOMICIDE"),
        ("CRIMPAT Detail", "CRIMPAT_DETAIL"),
        ("stolen Dodge seen near I-90", "STOLEN_VEHICLE"),
        ("AMBER alert, silver minivan", "AMBER_ALERT"),
        ("property crew, liberty pawn burglaries", "BURGLARY"),
        ("armed robbery of a bank in Joliet", "OTHER_FELONY"),
        ("retail theft ring, same U-Haul at three stores", "THEFT"),
    ],
)
def test_a_purpose_that_states_the_criminal_nexus_is_let_through(purpose: str, code: str) -> None:
    assert not wrong(given(purpose=purpose, offence_code=code))


@pytest.mark.clause("IV.C.6")
@pytest.mark.parametrize(
    "purpose",
    [
        "",
        "          ",
        "investigation",
        "Investigation.",
        "ongoing investigation",
        "test",
        "testing the system",
        "patrol",
        "routine patrol",
        "n/a n/a n/a n/a",
        "police work",
        "official police business",
        "criminal investigation",
        "suspicious vehicle",
        "law enforcement purposes",
        "asdfasdfasdf",
        "qwertyuiop qwerty",
        "aaaaaaaaaaaaaaaa",
        "1234567890 12345",
        "xxxxxxxxxxxxxxx",
        "..............",
        "sdfkjh sdfkjh zxcv",
        "case 2026-004711",
        "look up this plate please",
        "arson",
        "p" * 501,
    ],
)
def test_a_purpose_that_says_nothing_is_sent_back(purpose: str) -> None:
    assert "purpose" in wrong(given(purpose=purpose))


@pytest.mark.clause("IV.C.6")
def test_the_title_of_a_broad_code_is_not_enough() -> None:
    assert wrong(given(purpose="other felony", offence_code="OTHER_FELONY")) == {"purpose"}
    assert wrong(given(purpose="Weapons offense", offence_code="WEAPONS_OFFENSE")) == {"purpose"}


@pytest.mark.clause("IV.C.6")
@pytest.mark.parametrize("code", ["", "homicide", "CURIOSITY"])
def test_a_code_that_the_catalogue_does_not_hold_is_sent_back(code: str) -> None:
    assert wrong(given(offence_code=code)) == {"offence_code"}


@pytest.mark.clause("IV.A.1")
@pytest.mark.parametrize(
    "purpose",
    [
        "woman travelled for an abortion",
        "reproductive health care out of state",
        "immigration enforcement, ERO request",
        "assisting ICE with a removal order",
        "undocumented driver, deportation",
    ],
)
def test_a_purpose_that_the_law_forbids_is_found(purpose: str) -> None:
    assert prohibition(given(purpose=purpose), RULES)


@pytest.mark.clause("IV.A.1")
@pytest.mark.parametrize(
    "purpose",
    [
        "ice cream truck robbery",
        "black ice crash, driver fled on foot",
        "kidnapping of a pregnant woman",
        "homicide of Officer Price near the border of Indiana",
        "zero tolerance street racing, aero kit on the car",
    ],
)
def test_words_that_only_look_like_it_are_let_through(purpose: str) -> None:
    assert not prohibition(given(purpose=purpose), RULES)


def test_no_problem_repeats_what_was_typed() -> None:
    typed = given(kind="CAD", case_number="SECRET", purpose="secret", offence_code="SECRET")

    problems = (*case_number_problems(typed, RULES), *purpose_problems(typed, RULES))

    assert problems
    assert not any("secret" in one.description.lower() for one in problems)
