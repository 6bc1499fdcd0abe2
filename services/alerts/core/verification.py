"""The verification of an alert: which step follows from which state, and what it needs (III.D.4, IV.D.4).

NEW -> VERIFYING -> CONFIRMED | NOT_CONFIRMED | MISREAD | WRONG_STATE | STALE. A decision may be taken again,
through VERIFYING, as long as no enforcement has been recorded: a wrong key must not stand for ever.

The database holds the same rules by trigger and foreign key, so that a mistake here cannot store an
enforcement without a confirmation.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.alerts.core.model import Disposition, StepKind, StepRequest, Verification

DECIDED = frozenset(
    {
        Verification.CONFIRMED,
        Verification.NOT_CONFIRMED,
        Verification.MISREAD,
        Verification.WRONG_STATE,
        Verification.STALE,
    }
)
ENFORCEMENT = frozenset({Disposition.STOPPED, Disposition.ARREST, Disposition.RECOVERED})
# Proto: "required but for VERIFYING and MISREAD"; a misread shows in the picture, nobody has to answer.
NEEDS_ANSWER = DECIDED - {Verification.MISREAD}


class Refusal(StrEnum):
    """Why a step does not follow."""

    WRONG_STATE = "wrong_state"
    NOT_CONFIRMED = "not_confirmed"
    ANSWER_MISSING = "answer_missing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an alert is.

    `confirmation` is the number of the confirming step, None unless CONFIRMED. It is `outdated` when all
    entries of the alert were taken off their lists after it.
    """

    verification: Verification
    disposition: Disposition
    enforced: bool
    confirmation: int | None
    outdated: bool = False


def refusal_of(progress: Progress, step: StepRequest) -> Refusal | None:
    """Why `step` may not be recorded on an alert that is at `progress`; None when it may."""
    match step.kind:
        case StepKind.ACKNOWLEDGE:
            return None
        case StepKind.VERIFY:
            return _refusal_of_verification(progress, step)
        case StepKind.DISPOSE:
            return _refusal_of_disposition(progress, step.disposition)


def _refusal_of_verification(progress: Progress, step: StepRequest) -> Refusal | None:
    if step.verification is None or progress.enforced:
        return Refusal.WRONG_STATE
    if step.verification not in _next_states(progress.verification):
        return Refusal.WRONG_STATE
    if step.verification in NEEDS_ANSWER and not (step.system and step.response_id):
        return Refusal.ANSWER_MISSING
    return None


def _next_states(state: Verification) -> frozenset[Verification]:
    return DECIDED if state == Verification.VERIFYING else frozenset({Verification.VERIFYING})


def _refusal_of_disposition(progress: Progress, disposition: Disposition) -> Refusal | None:
    if disposition in ENFORCEMENT:
        confirmed = progress.verification == Verification.CONFIRMED and progress.confirmation is not None
        return None if confirmed and not progress.outdated else Refusal.NOT_CONFIRMED
    # An alert that LEADS or NCIC has confirmed was not false; who thinks so verifies again first.
    contradicts = disposition == Disposition.FALSE_ALARM and progress.verification == Verification.CONFIRMED
    return Refusal.WRONG_STATE if contradicts or disposition == Disposition.NONE else None
