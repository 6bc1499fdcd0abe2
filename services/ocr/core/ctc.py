"""Reading a plate out of a CTC recogniser: its best texts, exactly scored, and what each position may be.

Graves et al., "Connectionist temporal classification" (ICML 2006): the probability of a text is the sum over
all ways to spread its characters, with blanks between, over the columns of the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ocr.core.alphabet import BLANK, CHARACTERS

Columns = npt.NDArray[np.float64]

MOST_CANDIDATES: Final = 16
_LEAST_IN_LATTICE: Final = 0.001
_BEAM_WIDTH: Final = 24
_LEAST_IN_COLUMN: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole text and the probability that the plate bears it, 0 to 1."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a plate may say.

    Attributes:
        candidates: The best texts, at most 16, most probable first; at least one, maybe the empty text.
        positions: For each character of the best text the characters it may be, with their probability given
            the others, most probable first; below 0.001 they are left out.
    """

    candidates: tuple[Candidate, ...]
    positions: tuple[tuple[tuple[str, float], ...], ...]

    @property
    def text(self) -> str:
        """The most probable text."""
        return self.candidates[0].text

    @property
    def probability(self) -> float:
        """Probability that the most probable text is right, 0 to 1."""
        return self.candidates[0].probability


def read(views: Sequence[Columns]) -> Reading:
    """What `views` of one line say together: the probability of a text is its mean over the views.

    Each view is columns x 37, blank first; every column sums to 1.
    """
    texts = list(dict.fromkeys(text for view in views for text in _beam(view)))
    scored = sorted(zip(_mean_probabilities(views, texts), texts, strict=True), reverse=True)
    best = tuple(
        Candidate(spelled(text), min(1.0, value))
        for value, text in scored[:MOST_CANDIDATES]
        if value >= _LEAST_IN_LATTICE or text == scored[0][1]
    )
    return Reading(best, _positions(views, scored[0][1]))


def spelled(text: Sequence[int]) -> str:
    """The symbols of `text` (from 1) as characters."""
    return "".join(CHARACTERS[symbol - 1] for symbol in text)


def symbols_of(text: str) -> tuple[int, ...]:
    """The characters of `text` as symbols (from 1)."""
    return tuple(CHARACTERS.index(character) + 1 for character in text)


def text_probabilities(columns: Columns, texts: Sequence[tuple[int, ...]]) -> list[float]:
    """Probability of each text by the forward recursion, exactly; all texts at once."""
    longest = max((len(text) for text in texts), default=0)
    states = np.full((len(texts), 2 * longest + 1), BLANK, dtype=np.intp)
    for row, text in enumerate(texts):
        states[row, 1 : 2 * len(text) : 2] = text
    # From one character straight to the next, without a blank, only when they differ.
    skips = np.zeros(states.shape, dtype=np.float64)
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    reached = np.zeros(states.shape, dtype=np.float64)
    reached[:, :2] = columns[0][states[:, :2]]
    for column in columns[1:]:
        moved = reached.copy()
        moved[:, 1:] += reached[:, :-1]
        moved[:, 2:] += skips[:, 2:] * reached[:, :-2]
        reached = moved * column[states]
    rows, ends = np.arange(len(texts)), np.array([2 * len(text) for text in texts], dtype=np.intp)
    before = np.where(ends > 0, reached[rows, np.maximum(ends - 1, 0)], 0.0)
    return [float(value) for value in reached[rows, ends] + before]


def _beam(columns: Columns) -> list[tuple[int, ...]]:
    """The texts that a prefix beam search finds; the empty one among them when nothing is found."""
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for column in columns:
        likely = [int(s) for s in np.flatnonzero(column > _LEAST_IN_COLUMN) if s != BLANK]
        beams = _extended(beams, column, likely)
    return list(beams)


def _extended(
    beams: dict[tuple[int, ...], tuple[float, float]], column: npt.NDArray[np.float64], likely: Sequence[int]
) -> dict[tuple[int, ...], tuple[float, float]]:
    ends_blank: defaultdict[tuple[int, ...], float] = defaultdict(float)
    ends_character: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for text, (blank, character) in beams.items():
        ends_blank[text] += (blank + character) * column[BLANK]
        if text:
            ends_character[text] += character * column[text[-1]]
        for symbol in likely:
            # A repeated character needs a blank between, or it is one character seen for longer.
            source = blank if text and symbol == text[-1] else blank + character
            ends_character[(*text, symbol)] += source * column[symbol]
    texts = sorted(
        ends_blank.keys() | ends_character.keys(), key=lambda t: (-ends_blank[t] - ends_character[t], t)
    )[:_BEAM_WIDTH]
    return {text: (ends_blank[text], ends_character[text]) for text in texts}


def _mean_probabilities(views: Sequence[Columns], texts: Sequence[tuple[int, ...]]) -> list[float]:
    return [float(value) for value in np.mean([text_probabilities(view, texts) for view in views], axis=0)]


def _positions(views: Sequence[Columns], best: tuple[int, ...]) -> tuple[tuple[tuple[str, float], ...], ...]:
    symbols = range(1, len(CHARACTERS) + 1)
    texts = [(*best[:n], symbol, *best[n + 1 :]) for n in range(len(best)) for symbol in symbols]
    if not texts:
        return ()
    values = np.array(_mean_probabilities(views, texts)).reshape(len(best), len(CHARACTERS))
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-300)
    return tuple(_kept(row) for row in shares)


def _kept(shares: npt.NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-shares, kind="stable")
    return tuple((CHARACTERS[n], float(shares[n])) for n in order if shares[n] >= _LEAST_IN_LATTICE)
