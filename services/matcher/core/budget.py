"""How many false alarms a list may raise, and what a match must be worth for that (ENF-051 III.B.3.o).

The more plates a list has, the more of them look like any given read: of all reads that are not of listed
plates, the share that reaches a ratio r with one of N plates is below N * u / r, where u is how likely a
passing plate bears a given text that is issued. It is a bound for any reader whose probabilities are right;
how far below it the share really is, was measured (`_BOUND_OVER_MEASURED`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Measured with a list of a million plates (make bench NAME=match), at 10 to 1,000 per million: 17 to 44 with
# a reader of states that is right in 94 of 100, 5.3 to 14 with one right in 70. The budget holds for both.
_BOUND_OVER_MEASURED: Final = 5.0
_MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Budget:
    """False alarms per million reads.

    Attributes:
        sounding: Of one list, among matches that sound.
        sounding_in_all: Of all large lists that a read is compared with, among matches that sound.
        checked: Of one list, among all its matches; what is less likely is not shown at all.
        least_sounding: A match of another text or state than was read does not sound below this probability,
            however small its list.
        exact: A match letter for letter, state and all, sounds from this probability on, however large its
            list.
    """

    sounding: float = 1.0
    sounding_in_all: float = 10.0
    checked: float = 300.0
    least_sounding: float = 0.5
    exact: float = 0.99

    def sounding_of_one(self, lists: int) -> float:
        """What each of so many lists may spend on matches that sound."""
        return min(self.sounding, self.sounding_in_all / max(1, lists))


DEFAULT_BUDGET: Final = Budget()


def surer(probability: float, factor: float) -> float:
    """`probability` with its odds divided by a list's `factor` below 1; never less than it was."""
    odds = probability / (1 - probability) / min(1.0, factor)
    return odds / (1 + odds)


def least_of(factor: float) -> float:
    """What must be the probability of anything that sounds for a list whose estimate is believed so.

    The estimate says of a small list that it raises no false alarms at all; where it does, to believe it half
    is not enough.
    """
    return 1 - min(1.0, factor)


def ratio_for(per_million: float, entries: int, usual: float) -> float:
    """The ratio above which a list of so many entries raises that many false alarms per million reads.

    `usual` is the probability that a passing plate bears a given text that is issued (`Grammar.usual`).
    """
    return entries * usual * _MILLION / (per_million * _BOUND_OVER_MEASURED)
