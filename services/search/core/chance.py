"""How unlikely a coincidence is. Logarithms throughout: the interesting ones have more zeros than a float."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_NEVER: Final = -math.inf
# Terms of a sum that are smaller than this part of it change no digit of it.
_NEGLIGIBLE: Final = 1e-17


@dataclass(frozen=True, slots=True)
class Chance:
    """The probability of a coincidence, as its natural logarithm, among `plates` that might have had it."""

    log_probability: float
    plates: int

    @property
    def probability(self) -> float:
        """0 to 1; 0 when it is too small for a float."""
        return math.exp(min(0.0, self.log_probability))

    @property
    def expected(self) -> float:
        """How many of the plates would have it by chance."""
        return self.plates * self.probability


def log_poisson_tail(count: int, mean: float) -> float:
    """Logarithm of the probability of `count` or more events where `mean` are expected."""
    if count <= 0:
        return 0.0
    if mean <= 0:
        return _NEVER
    if count <= mean:
        # The other side is the short one; it is nowhere near 1, so nothing is lost.
        below = math.fsum(math.exp(_log_poisson(k, mean)) for k in range(count))
        return math.log1p(-min(below, 1.0 - _NEGLIGIBLE))
    first = _log_poisson(count, mean)
    total = term = 1.0
    k = count
    while term > total * _NEGLIGIBLE:
        k += 1
        term *= mean / k
        total += term
    return first + math.log(total)


def log_at_least(count: int, probabilities: Sequence[float]) -> float:
    """Logarithm of the probability that `count` or more of independent events happen (Poisson-binomial)."""
    if count <= 0:
        return 0.0
    # reached[j]: probability of exactly j events so far, j < count. What reaches `count` stays there. All are
    # sums of what is positive, so also the smallest result is exact in all its digits.
    reached, done = [1.0] + [0.0] * (count - 1), 0.0
    for probability in probabilities:
        done += reached[-1] * probability
        for j in range(count - 1, 0, -1):
            reached[j] = reached[j] * (1 - probability) + reached[j - 1] * probability
        reached[0] *= 1 - probability
    return math.log(min(done, 1.0)) if done > 0 else _NEVER


def log_fisher(log_probabilities: Iterable[float]) -> float:
    """Logarithm of the probability of independent coincidences taken together (Fisher's method).

    That is the probability that the product of as many numbers drawn evenly from 0 to 1 is no greater than
    the product of these.
    """
    logs = list(log_probabilities)
    product = sum(logs)
    if not logs or product == 0:
        return 0.0
    if product == _NEVER:
        return _NEVER
    terms = [i * math.log(-product) - math.lgamma(i + 1) for i in range(len(logs))]
    greatest = max(terms)
    total = math.fsum(math.exp(term - greatest) for term in terms)
    return min(0.0, product + greatest + math.log(total))


def _log_poisson(count: int, mean: float) -> float:
    return count * math.log(mean) - mean - math.lgamma(count + 1)
