"""What stands at the head of a report, in HTML and PDF alike."""

from __future__ import annotations

from services.search.core.report import Report, moment


def facts_of(report: Report) -> tuple[tuple[str, str], ...]:
    """Names and values, in their order; those that are empty are left out."""
    why = report.why
    case = " ".join(part for part in (why.case_number_kind, why.case_number, why.outside_agency) if part)
    purpose = f"{why.purpose} ({why.offence_code})" if why.offence_code else why.purpose
    question, outcome = report.mark.question, report.mark.outcome
    facts = (
        *report.asked,
        ("Searched", f"{moment(report.searched_from)} to {moment(report.searched_to)}"),
        ("Case", case),
        ("Purpose", purpose),
        ("Made", f"{moment(report.made_time)} by account {report.mark.account_id}"),
        ("For", report.recipient),
        ("Delete by", moment(report.due_to_delete) if report.due_to_delete else ""),
        ("Log", f"question {question.log_index}, answer {outcome.log_index}"),
    )
    return tuple((name, value) for name, value in facts if value)
