"""The kinds of questions to the archive of reads.

A new kind needs a row here, and its action `question.<kind>` in `policy/platewarden.cedarschema`, in a policy
that permits it and in the gates that it must pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class QuestionKind:
    """Limits of a kind of question.

    Attributes:
        most_rows: Rows of one page, at most.
        beyond_retention: It looks at what is kept apart from the archive, and longer (legal holds).
    """

    most_rows: int = 1000
    beyond_retention: bool = False


KINDS = MappingProxyType(
    {
        "reads": QuestionKind(),
        "read": QuestionKind(1),
        "image": QuestionKind(1),
        "stakeout": QuestionKind(),
        "convoy": QuestionKind(),
        "pattern": QuestionKind(),
        "summary": QuestionKind(5000),
        "corridor": QuestionKind(),
        "compare": QuestionKind(),
        "evidence": QuestionKind(1),
        "evidencecopy": QuestionKind(1),
        "export": QuestionKind(5000),
        "report": QuestionKind(),
        "held": QuestionKind(beyond_retention=True),
        "heldimage": QuestionKind(1, beyond_retention=True),
        "mcsreads": QuestionKind(),
        "mcsimage": QuestionKind(1),
        "mcsexport": QuestionKind(5000),
        "mcsreport": QuestionKind(),
        "mcsevidence": QuestionKind(1),
        "mcsevidencecopy": QuestionKind(1),
        "mcsheld": QuestionKind(beyond_retention=True),
        "mcsheldimage": QuestionKind(1, beyond_retention=True),
    }
)
# Permits of these kinds open the Motor Carrier Safety data set and are signed with its key (ENF-051 III.E.5).
MOTOR_CARRIER_KINDS = frozenset(
    {
        "mcsreads",
        "mcsimage",
        "mcsreport",
        "mcsevidence",
        "mcsevidencecopy",
        "mcsheld",
        "mcsheldimage",
        "mcsexport",
        "mcslookback",
        "mcslookbackimage",
    }
)
ASKED_THROUGH = "search"
"""The one service that asks the archive of reads."""


def action_of_kind(kind: str) -> str:
    """The action by which policies know this kind of question."""
    return f"question.{kind}"
