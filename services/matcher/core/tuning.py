"""How a list's budgets are put right by what people found of its alerts (ENF-051 III.B.3.o).

How sure a match must be for a budget is estimated from the list's size (`core/budget.py`); how right the
estimate is for the cameras and plates of an agency, only people can tell. So each budget of a list has a
factor: how many times the estimate is believed. It is

- halved, when more alerts were found wrong than the budget explains: at least 3, and so many that a list
  within its budget would have them in fewer than 1 of 100 cases;
- doubled, when people found at least 10 alerts right and so few wrong that a list which spends half of its
  budget would have more in 95 of 100 cases. Alerts that nobody judged count as wrong as often as the others.

Every change begins to count anew. The factor stays between 1/64 and 4.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Final

LEAST_FACTOR: Final = 1 / 64
MOST_FACTOR: Final = 4.0
_FEWEST_WRONG: Final = 3
_FEWEST_RIGHT: Final = 10
_SURELY_TOO_MANY: Final = 0.01
_SURELY_FEW: Final = 0.05
_MILLION: Final = 1e6
# Numbers of alpr.type.v1.VerificationState and alpr.alerts.v1.Disposition.
_CONFIRMED, _MISREAD, _WRONG_STATE, _STALE = 3, 5, 6, 7
_FALSE_ALARM: Final = 5


class BudgetKind(enum.IntEnum):
    """Which budget of a list; numbers as in alpr.matcher.v1.BudgetKind, and as alpr.type.v1.MatchGrade."""

    SOUNDING = 1
    CHECKED = 2


@dataclass(frozen=True, slots=True)
class Tuning:
    """The factors of a list's two budgets; 1 believes the estimate as it is."""

    sounding: float = 1.0
    checked: float = 1.0


UNTUNED: Final = Tuning()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted of a list and one of its budgets since its factor was changed last.

    Attributes:
        reads: Compared with the list.
        matches: Of this budget; those of one plate within an hour are one.
        right: Alerts that people found right.
        wrong: Alerts that people found wrong.
    """

    reads: int
    matches: int
    right: int
    wrong: int


def verdict_of(verification: int, disposition: int) -> bool | None:
    """True when people found that the plate was the listed one, False when not, None while nobody said.

    An entry that was out of date when a car was stopped says nothing against the match.
    """
    if verification in {_MISREAD, _WRONG_STATE}:
        return False
    if verification in {_CONFIRMED, _STALE}:
        return True
    return False if disposition == _FALSE_ALARM else None


def next_factor(factor: float, per_million: float, evidence: Evidence) -> float:
    """The factor that the evidence asks for; `factor` again when it says too little.

    `per_million` is the budget: false alarms per million reads that the list may raise.
    """
    allowed = per_million * evidence.reads / _MILLION
    wrong, right = evidence.wrong, evidence.right
    if wrong >= _FEWEST_WRONG and 1 - _at_most(wrong - 1, allowed) < _SURELY_TOO_MANY:
        return max(LEAST_FACTOR, factor / 2)
    if right >= _FEWEST_RIGHT:
        all_wrong = math.ceil(wrong * max(1.0, evidence.matches / (wrong + right)))
        if _at_most(all_wrong, allowed / 2) < _SURELY_FEW:
            return min(MOST_FACTOR, factor * 2)
    return factor


def _at_most(count: int, mean: float) -> float:
    """Probability of at most `count` events when `mean` are expected (Poisson)."""
    if mean <= 0:
        return 1.0
    log = math.log(mean)
    return math.fsum(math.exp(k * log - mean - math.lgamma(k + 1)) for k in range(count + 1))
