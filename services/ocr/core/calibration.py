"""From what speaks for and against a reading to the probability that it is right.

A logistic regression over a few clues, then a monotone table that takes out what is left of over- and
underconfidence. Both are fitted on plates that the networks were not trained on (`training/calibrate.py`),
and stand in the model set beside the networks that they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_WORST_FIT: Final = -3.0
_WIDEST_GAP: Final = 8.0
_WIDTHS: Final = (16.0, 512.0)
_SCORES: Final = (0.01, 0.99)
_LEAST_LEANING: Final = -10.0
NOT_TURNED: Final = -1.0
"""Of a plate that fits its text so well that nobody asked whether it is turned."""
# Beyond this, exponentials say nothing more.
_SURE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Clues:
    """What speaks for and against a reading.

    Attributes:
        fit: Logarithm of the probability of the text under the windows, for one character of it.
        gap: How far the next text is behind, in the same logarithms, for the whole text.
        agreement: Share of the windows whose own best text it is.
        width: Width of the plate in pixels of the image.
        score: The detector's score.
        arrangement: How well letters and digits go with the issuer (`grammar.leanings`).
        length: Characters.
        turned: How much better, for a character, some text fits the plate upside down or mirrored than the
            best one fits it as it hangs; NOT_TURNED where that was not looked at, being out of the question.
    """

    fit: float
    gap: float
    agreement: float
    width: float
    score: float
    arrangement: float
    length: int
    turned: float = NOT_TURNED

    def values(self) -> tuple[float, ...]:
        """The numbers of the regression, each within bounds, so that nothing strange decides alone."""
        width = min(max(self.width, _WIDTHS[0]), _WIDTHS[1])
        score = min(max(self.score, _SCORES[0]), _SCORES[1])
        return (
            max(self.fit, _WORST_FIT),
            min(self.gap, _WIDEST_GAP),
            # Most of the gap's worth lies near nothing.
            math.log1p(min(self.gap, _WIDEST_GAP)),
            self.agreement,
            math.log(width / 100),
            math.log(score / (1 - score)),
            max(self.arrangement, _LEAST_LEANING),
            abs(self.length - 7.0),
            min(max(self.turned, NOT_TURNED), -NOT_TURNED),
        )


NAMES: Final = ("fit", "gap", "log_gap", "agreement", "log_width", "score", "arrangement", "length", "turned")
"""What `Clues.values` holds."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The numbers of one model set.

    Attributes:
        weights: One for each of NAMES.
        bias: Added to their sum.
        table: Pairs of a probability and what it becomes, rising; between them lies a straight line.
        temperature: Divides the scores of candidates; more makes them more alike.
        covered: Probability that the right text is among the candidates when the first is wrong.
        arrangement: By how much the leaning towards the issuer's arrangements is multiplied.
        issuer_temperature: The same as `temperature` for the probabilities of issuers.
        kind_temperature: And of kinds of plates.
        readable: A plate that is right with less than this probability is not read.
        threshold: Detector's score from which something is a plate.
    """

    weights: tuple[float, ...] = (1.2, 0.25, 0.6, 1.0, 0.3, 0.1, 0.1, -0.1, 0.0)
    bias: float = 0.0
    table: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))
    temperature: float = 1.0
    covered: float = 0.7
    arrangement: float = 0.5
    issuer_temperature: float = 1.0
    kind_temperature: float = 1.0
    readable: float = 0.1
    threshold: float = 0.3

    def probability(self, clues: Clues) -> float:
        """Probability that the text is right, 0 to 1."""
        return straightened(logistic(self.weights, self.bias, clues.values()), self.table)


def logistic(weights: Sequence[float], bias: float, values: Sequence[float]) -> float:
    """The logistic function of the weighted sum."""
    total = bias + sum(weight * value for weight, value in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-min(max(total, -_SURE), _SURE)))


def straightened(probability: float, table: Sequence[tuple[float, float]]) -> float:
    """What the table makes of a probability."""
    for (low, to_low), (high, to_high) in pairwise(table):
        if probability <= high:
            part = (probability - low) / (high - low) if high > low else 1.0
            return min(max(to_low + part * (to_high - to_low), 0.0), 1.0)
    return min(max(table[-1][1], 0.0), 1.0)


def tempered(probabilities: Sequence[float], temperature: float) -> list[float]:
    """Probabilities with their logarithms divided by `temperature`, adding up to 1 again."""
    powers = [max(value, 1e-12) ** (1 / temperature) for value in probabilities]
    total = sum(powers)
    return [value / total for value in powers]
