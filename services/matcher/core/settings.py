"""How bold matching is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.matcher.core.budget import DEFAULT_BUDGET, Budget

LEAST_SLACK: Final = 5.0
"""What a read may be besides a listed plate is spelt out as far as one part in 150, or matches seem surer."""


class Knobs(NamedTuple):
    """What the search is told; see MatchSettings.

    Attributes:
        slack: Minus the logarithm of the least ratio of any list.
        dropped, invented: 0 when texts of other lengths are not looked up.
    """

    minimum: float
    slack: float
    unexplained: float
    dropped: float
    invented: float
    unknown_state: float


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How bold matching is.

    The search weighs a listed plate against everything else that the read may be: their ratio, times how
        often a listed vehicle passes against any one vehicle, is the odds of the match.

    Attributes:
        minimum: Least probability of a match, above 0 to 1.
        budget: How many false alarms are allowed.
        listed: How often a listed vehicle passes against any one vehicle that is issued a plate. With 0.2 a
            list of a million plates is hit by one read in some two thousand.
        unexplained: How usual the texts are that a read may bear besides those that were spelt out, against
            a usual plate's text; a text that is misread mostly breaks its pattern.
        dropped: Share of reads that lost a character without a trace in their probabilities.
        invented: Share of reads that gained one likewise.
        slips: Whether texts with one character more or less are looked up at all.
        unknown_state: Probability that the plate is of the listed state when either side does not say;
            decides only whether a plate with "?" is shown. Assumed, not measured.
        home_state: State of most plates that pass; empty when none is.
    """

    minimum: float = 0.01
    budget: Budget = DEFAULT_BUDGET
    listed: float = 0.2
    unexplained: float = 0.02
    dropped: float = 0.0036
    invented: float = 0.0024
    slips: bool = True
    unknown_state: float = 0.5
    home_state: str = "IL"

    @property
    def least_ratio(self) -> float:
        """The ratio of a match whose probability is `minimum`."""
        return self.ratio(self.minimum)

    def ratio(self, probability: float) -> float:
        """The ratio of a match with that probability, below 1."""
        return probability / max(1e-9, 1 - probability) / self.listed

    def probability(self, ratio: float) -> float:
        """The probability of a match with that ratio."""
        odds = ratio * self.listed
        return odds / (1 + odds)

    def knobs(self, least_ratio: float | None = None) -> Knobs:
        """The same for compiled code; `least_ratio` is that of the boldest list."""
        return Knobs(
            minimum=self.minimum,
            slack=-math.log(self.least_ratio if least_ratio is None else least_ratio),
            unexplained=self.unexplained,
            dropped=self.dropped if self.slips else 0.0,
            invented=self.invented if self.slips else 0.0,
            unknown_state=self.unknown_state,
        )
