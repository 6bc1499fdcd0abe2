"""How likely a text is on a plate at all, before anybody has looked.

States issue series: most plates of Illinois are two letters and five digits. A text of a series that is
issued is so and so often more likely than one of another pattern, by how many plates share the series and
by how many texts it has. The shares come from the table below and from the lists themselves, which hold
more plates than any table knows of; any pattern keeps a small share, for personal plates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core.columns import Columns
from services.matcher.core.packed import LONGEST, NEBRASKA, PATTERNS, SHORT_CODES, short_code

Floats = npt.NDArray[np.float32]
_Shares = npt.NDArray[np.float64]

# Series of passenger plates that are on the road, L a letter and D a digit, the most frequent first; the
# states by how many of their plates pass. What the table has wrong costs little: see _OTHERS_SHARE.
_SERIES: Final = """
IL LLDDDDD LDDDDDD DDDDDDD LLDDDD  CA DLLLDDD DLDDDDD DDDDDLD  TX LLLDDDD LLDLDDD
FL LLLLDD LLLDDD LLDDLL LDDDLL  NY LLLDDDD  PA LLLDDDD  OH LLLDDDD LLLDDD  GA LLLDDDD  NC LLLDDDD
MI LLLDDDD DLLLDD LLLDDL  NJ LDDLLL LLLDDL  VA LLLDDDD  WA LLLDDDD DDDLLL  AZ LLLDDDD LLDLLDL
TN LLLDDDD DDDLLL LDDDDL  MA DLLLDD DLLDDD DDDLLD LDDLLL DDDDLL  IN DDDLLL DDDL DDDLL  MO LLDLDL  MD DLLDDDD
CO LLLLDD DDDLLL LLLDDD  WI LLLDDDD DDDLLL  MN LLLDDD DDDLLL  SC LLLDDD DDDDLL  AL DDLDDDD DLDDDDD DDDDLLL
LA DDDLLL LLLDDD  KY LDLDDD DDDLLL  OR DDDLLL LLLDDD  OK LLLDDD  CT LLDDDDD DLLLDD DDDLLL
UT LDDDLL DLDDLL DDDLLL  NV DDLDDD DDDLLL  IA LLLDDD  AR LLLDDL DDDLLL  KS DDDDLLL DDDLLL  MS LLLDDDD LLLDDD
NM LLLDDD LLLLDD  ID LDDDDDD DLDDDDD DLLLDD  NB LLLDDD DDLDDDD  WV DLLDDD  HI LLLDDD  NH DDDDDDD DDDDDD
ME DDDDLL DDDLLL  RI DDDDDD LLDDD  MT DDDDDDL LLLDDD  DE DDDDDD  SD DLLDDD  ND DDDLLL  AK LLLDDD  VT LLLDDD
WY DDDDDD DDDDD  DC LLDDDD"""
# Of a state's plates, those of its series of today; the rest are of anybody's series, and of any pattern at
# all.
_OWN_SHARE: Final = 0.85
_OTHERS_SHARE: Final = 0.12
_NEXT_SERIES: Final = 0.5
_NEXT_STATE: Final = 0.8
_HOME_SHARE: Final = 0.75
# No text is on more than one plate of a state; a usual one is on some three tenths of a plate.
_MOST: Final = 3.0
# How much of the free share goes to patterns of each length.
_LENGTHS: Final = (0.0, 0.002, 0.01, 0.03, 0.08, 0.15, 0.30, 0.35, 0.05, 0.01, 0.006, 0.006, 0.006)
# The table weighs as much as so many listed plates of the state.
_TABLE_WEIGHT: Final = 1000.0


class GrammarArrays(NamedTuple):
    """What the search sees of a grammar.

    Attributes:
        bound: (13, PATTERNS) the highest logarithm that a text of a length can have whose pattern begins so.
        prior: (PATTERNS,) logarithm for a text of a pattern, whatever its state.
        density: (states + 1, PATTERNS) how likely a text of a pattern is on a plate of a state, against a
            usual plate's text, which is 1; row 0 whatever its state.
        state_row: (SHORT_CODES,) the row of a state.
        mix: (SHORT_CODES,) how much each state counts among what a read may be besides a listed plate, 1 in
            all.
        blank: (SHORT_CODES,) evidence for each state in a read that says nothing of it: how many plates
            that pass are of the state, over the mean weighed by `mix`; in its first element the most of all.
    """

    bound: Floats
    prior: Floats
    density: Floats
    state_row: npt.NDArray[np.uint8]
    mix: Floats
    blank: Floats


@dataclass(frozen=True, slots=True)
class Grammar:
    """The grammar of plates.

    Attributes:
        usual: Probability that a passing plate bears a given text of a usual pattern.
    """

    arrays: GrammarArrays
    usual: float


def grammar_of(lists: Iterable[Columns], home_state: str = "IL") -> Grammar:
    """The grammar that the table and the entries of `lists` give.

    `home_state` is the state of most plates that pass; empty when none is.
    """
    table = _table()
    state_row = np.zeros(SHORT_CODES, np.uint8)
    for row, state in enumerate(table, start=1):
        state_row[short_code(state)] = row
    state_row[NEBRASKA[0]] = state_row[NEBRASKA[1]]
    cell_counts = np.zeros((len(table) + 1) * PATTERNS)
    for columns in lists:
        cells = state_row[columns.state].astype(np.int64) * PATTERNS + columns.pattern
        cell_counts += np.bincount(cells[len(columns.wild) :], minlength=len(cell_counts))
    counts = cell_counts.reshape(-1, PATTERNS)
    passing = _passing(list(table), home_state)
    pooled = _TABLE_WEIGHT * np.average(list(table.values()), axis=0, weights=passing) + counts.sum(axis=0)
    pooled /= pooled.sum()
    shares = [pooled]
    for row, known in enumerate(table.values(), start=1):
        # A state of which no table and few lists tell has the series of all.
        weighed = _TABLE_WEIGHT * (_OWN_SHARE * known + _OTHERS_SHARE * pooled + _FREE_SHARE * _free())
        weighed += counts[row]
        shares.append(weighed / weighed.sum())
    return _grammar(np.array(shares), state_row, *_mix(list(table), passing))


_FREE_SHARE: Final = 1 - _OWN_SHARE - _OTHERS_SHARE


def _grammar(shares: _Shares, state_row: npt.NDArray[np.uint8], mix: Floats, blank: Floats) -> Grammar:
    density = shares / _sizes()
    # The usual text: the mean over all plates, of the logarithm because short texts are far from the others.
    passing = shares[0] > 0
    usual = float(np.exp(np.sum(shares[0][passing] * np.log(density[0][passing]))))
    density /= usual
    density = np.minimum(density, _MOST)
    with np.errstate(divide="ignore"):
        prior = np.log(density[0])
    bound = np.full((LONGEST + 1, PATTERNS), -np.inf)
    for length in range(1, LONGEST + 1):
        bound[length, 1 << length : 2 << length] = prior[1 << length : 2 << length]
        for depth in range(length - 1, -1, -1):
            below = bound[length, 2 << depth : 4 << depth].reshape(-1, 2)
            bound[length, 1 << depth : 2 << depth] = below.max(axis=1)
    arrays = (
        bound.astype(np.float32),
        prior.astype(np.float32),
        density.astype(np.float32),
        state_row,
        mix,
        blank,
    )
    return Grammar(GrammarArrays(*arrays), usual)


def _passing(states: Sequence[str], home: str) -> _Shares:
    """How many plates that pass are of each state: three in four of the home state, the others by size."""
    if home not in states:
        return np.full(len(states), 1 / len(states))
    shares: _Shares = np.arange(1, len(states) + 1, dtype=np.float64) ** -_NEXT_STATE
    shares *= (1 - _HOME_SHARE) / shares.sum()
    shares[states.index(home)] += _HOME_SHARE
    return shares


def _mix(states: Sequence[str], shares: _Shares) -> tuple[Floats, Floats]:
    """How much each state counts among what a read may be besides a listed plate, and `GrammarArrays.blank`.

    The square roots of the shares that pass, because a reader's own probabilities know of the home state too.
    """
    roots = np.sqrt(shares)
    roots /= roots.sum()
    codes = [short_code(state) for state in states]
    mix = np.full(SHORT_CODES, roots.min(), np.float32)
    mix[codes] = roots
    blank = np.zeros(SHORT_CODES, np.float32)
    blank[codes] = shares / np.sum(shares * roots)
    blank[0] = blank.max()
    return mix, blank


def _table() -> dict[str, _Shares]:
    """The shares of patterns by state, from _SERIES; each with a small share for any pattern."""
    table = {}
    for state, series in _series().items():
        shares = np.zeros(PATTERNS)
        for place, one in enumerate(series):
            shares[int("1" + one.replace("L", "1").replace("D", "0"), 2)] = _NEXT_SERIES**place
        table[state] = (1 - _FREE_SHARE) * shares / shares.sum() + _FREE_SHARE * _free()
    return table


def _series() -> dict[str, list[str]]:
    """The series of every state: in the table each state's stand behind its code."""
    series: dict[str, list[str]] = {}
    state = ""
    for word in _SERIES.split():
        if len(word) == len("IL"):
            state = word
        series.setdefault(state, []).extend([word] if word != state else [])
    return series


def _free() -> _Shares:
    shares = np.zeros(PATTERNS)
    for length in range(1, LONGEST + 1):
        shares[1 << length : 2 << length] = _LENGTHS[length] / (1 << length)
    shares /= shares.sum()
    return shares


def _sizes() -> _Shares:
    """How many texts each pattern has."""
    sizes = np.full(PATTERNS, np.inf)
    for pattern in range(2, PATTERNS):
        letters = bin(pattern).count("1") - 1
        sizes[pattern] = 26.0**letters * 10.0 ** (pattern.bit_length() - 1 - letters)
    return sizes
