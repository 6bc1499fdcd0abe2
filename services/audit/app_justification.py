"""The one check of case number and purpose, for questions and for acts that watch for a plate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.audit.core.justification import (
    Justification,
    Problem,
    Rules,
    case_number_problems,
    prohibition,
    purpose_problems,
)
from services.audit.core.person import Account
from services.audit.errors import CaseNumberRequiredError, PurposeRequiredError
from services.common.errors import FieldViolation, NotPermittedError, WrongStateError


def check_justification(given: Justification, rules: Rules) -> None:
    """Returns when it is good enough: case number, then the uses that the law forbids, then purpose.

    Raises:
        CaseNumberRequiredError: ENF-051 IV.C.5.
        NotPermittedError: 625 ILCS 5/2-130.
        PurposeRequiredError: ENF-051 IV.C.6.
    """
    problems = case_number_problems(given, rules)
    if problems:
        raise CaseNumberRequiredError("a case number is required (IV.C.5)", violations=_violations(problems))
    about = prohibition(given, rules)
    if about:
        msg = f"625 ILCS 5/2-130 forbids the use of plate readers for {about}"
        raise NotPermittedError(msg, metadata={"clauses": "IV.A.1", "law": "625 ILCS 5/2-130"})
    problems = purpose_problems(given, rules)
    if problems:
        raise PurposeRequiredError(
            "an authorized purpose is required (IV.C.6)", violations=_violations(problems)
        )


def check_declared(account: Account, offence_code: str, moment: datetime) -> None:
    """Returns when no declaration of the person's agency excludes the offence (625 ILCS 5/2-130).

    Raises:
        NotPermittedError: One in force does.
    """
    if account.standing is not None and account.standing.excludes(offence_code, moment):
        msg = (
            "Your agency has declared in writing that it does not use plate readers for this offence. "
            "Ask the agency that shares with you, if the declaration is to change."
        )
        raise NotPermittedError(msg, metadata={"clauses": "IV.B.3", "law": "625 ILCS 5/2-130"})


def check_case(case_check: str) -> None:
    """Returns when what a case directory said does not stand in the way (IV.C.5).

    Raises:
        CaseNumberRequiredError: There is no such case.
        WrongStateError: The directory does not answer, and the agency wants it asked.
    """
    if case_check == "UNKNOWN":
        text = "The case directory has no such case. Enter the number as it stands there."
        violation = FieldViolation("justification.case_number", text)
        raise CaseNumberRequiredError("there is no such case (IV.C.5)", violations=[violation])
    if case_check == "AWAY_REFUSED":
        text = "The case directory does not answer, so the case number could not be checked. Try again later."
        raise WrongStateError(text, metadata={"state": "CASE_DIRECTORY_AWAY"})


def reasons(given: Justification) -> dict[str, str]:
    """The fields of an entry that say why."""
    return {
        "case_number_kind": given.kind,
        "case_number": given.case_number.strip(),
        "outside_agency": given.outside_agency.strip(),
        "purpose": given.purpose.strip(),
        "offence_code": given.offence_code,
    }


def _violations(problems: Sequence[Problem]) -> tuple[FieldViolation, ...]:
    return tuple(FieldViolation(f"justification.{one.field}", one.description) for one in problems)
