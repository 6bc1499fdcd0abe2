"""The one check of case number and purpose, for questions and for acts that watch for a plate."""

from __future__ import annotations

from collections.abc import Sequence

from services.audit.core.justification import (
    Justification,
    Problem,
    Rules,
    case_number_problems,
    prohibition,
    purpose_problems,
)
from services.audit.errors import CaseNumberRequiredError, PurposeRequiredError
from services.common.errors import FieldViolation, NotPermittedError


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
