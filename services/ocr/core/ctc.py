"""What a CTC reader may have seen: likely texts of a window, and how well any text fits many windows.

Graves et al., "Connectionist temporal classification" (ICML 2006): the probability of a text is the sum over
all ways to spread its characters, with blanks between, over the columns of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ocr.core.alphabet import BLANK, Symbols

Columns = npt.NDArray[np.float64]
"""Columns x 37: probability of blank and of each character; or the same for several windows."""

# No column excludes a text altogether, and 32 of these still are a number.
_FLOOR: Final = 1e-6
_LEAST_IN_BEAM: Final = 2e-3
_MOST_IN_COLUMN: Final = 4
_LEAST_IN_POSITION: Final = 1e-3


def probabilities(log_probabilities: npt.NDArray[np.float32]) -> Columns:
    """The network's answer as probabilities, none of them nothing."""
    return np.maximum(np.exp(log_probabilities.astype(np.float64)), _FLOOR)


def greedy(window: Columns) -> Symbols:
    """The text of the most probable symbol of each column."""
    return tuple(symbol for symbol, _, _ in _runs(window))


def substitutes(window: Columns) -> set[Symbols]:
    """The greedy text with one character exchanged for another that its columns allow."""
    runs = _runs(window)
    text = tuple(symbol for symbol, _, _ in runs)
    present = _present(window, _LEAST_IN_POSITION)
    found: set[Symbols] = set()
    for n, (symbol, start, end) in enumerate(runs):
        others = set(chain.from_iterable(present[start:end])) - {BLANK, symbol}
        found.update((*text[:n], other, *text[n + 1 :]) for other in others)
    return found


def beam(window: Columns, width: int) -> list[Symbols]:
    """The texts that a prefix beam search of that width finds, most probable first.

    A symbol is not there in a column where it has next to no probability. Columns that leave no choice, which
    are most, cost next to nothing.
    """
    beams: dict[Symbols, tuple[float, float]] = {(): (1.0, 0.0)}
    before: Symbols = ()
    for present in _present(window, _LEAST_IN_BEAM):
        choice = tuple(present)
        # The same single symbol once more makes all texts less probable alike.
        if len(choice) == 1 and choice == before:
            continue
        before = choice
        blank = present.pop(BLANK, 0.0)
        for least in sorted(present, key=lambda symbol: -present[symbol])[_MOST_IN_COLUMN:]:
            del present[least]
        beams = _extended(beams, blank, present)
        if len(beams) > width:
            kept = sorted(beams.items(), key=lambda item: -item[1][0] - item[1][1])[:width]
            beams = dict(kept)
    return sorted(beams, key=lambda text: -sum(beams[text]))


def fits(windows: Columns, texts: Sequence[Symbols]) -> npt.NDArray[np.float64]:
    """Windows x texts: logarithm of the probability of each text, by the forward recursion, exactly.

    `windows` is windows x columns x 37; all windows and texts are worked on at once.
    """
    longest = max((len(text) for text in texts), default=0)
    states = np.full((len(texts), 2 * longest + 1), BLANK, dtype=np.intp)
    for row, text in enumerate(texts):
        states[row, 1 : 2 * len(text) : 2] = text
    # From one character straight to the next, without a blank, only when they differ.
    skips = np.zeros((len(texts), max(2 * longest - 1, 0)))
    skips[:, 1::2] = states[:, 3::2] != states[:, 1:-2:2]
    seen = np.ascontiguousarray(windows.transpose(1, 0, 2)[:, :, states])
    reached = np.zeros(seen.shape[1:])
    reached[..., :2] = seen[0, ..., :2]
    for column in seen[1:]:
        moved = reached.copy()
        moved[..., 1:] += reached[..., :-1]
        moved[..., 2:] += skips * reached[..., :-2]
        moved *= column
        reached = moved
    rows, ends = np.arange(len(texts)), np.array([2 * len(text) for text in texts], dtype=np.intp)
    before = np.where(ends > 0, reached[:, rows, np.maximum(ends - 1, 0)], 0.0)
    # A text too long for the window has no way through it.
    return np.asarray(np.log(np.maximum(reached[:, rows, ends] + before, 1e-300)))


def _present(window: Columns, least: float) -> list[dict[int, float]]:
    """For each column the symbols of more than this probability."""
    found: list[dict[int, float]] = [{} for _ in window]
    columns, symbols = np.nonzero(window > least)
    values = window[columns, symbols].tolist()
    for column, symbol, value in zip(columns.tolist(), symbols.tolist(), values, strict=True):
        found[column][symbol] = value
    return found


def _runs(window: Columns) -> list[tuple[int, int, int]]:
    """Symbol, first column and end of each character of the greedy text."""
    best = window.argmax(axis=1)
    starts = [0, *(np.flatnonzero(best[1:] != best[:-1]) + 1).tolist()]
    ends = [*starts[1:], len(best)]
    return [(int(best[a]), a, b) for a, b in zip(starts, ends, strict=True) if best[a] != BLANK]


def _extended(
    beams: dict[Symbols, tuple[float, float]], blank: float, present: dict[int, float]
) -> dict[Symbols, tuple[float, float]]:
    """`beams` after one more column: for each text its probability ending in a blank and in a character."""
    if not present:
        return {text: ((blanks + ended) * blank, 0.0) for text, (blanks, ended) in beams.items()}
    after: dict[Symbols, tuple[float, float]] = {}
    for text, (blanks, ended) in beams.items():
        last = text[-1] if text else BLANK
        stay = ended * present.get(last, 0.0)
        if blank or stay:
            before = after.get(text, (0.0, 0.0))
            after[text] = (before[0] + (blanks + ended) * blank, before[1] + stay)
        for symbol, value in present.items():
            # A repeated character needs a blank between, or it is one character seen for longer.
            source = blanks if symbol == last else blanks + ended
            if source > 0:
                longer = (*text, symbol)
                old = after.get(longer, (0.0, 0.0))
                after[longer] = (old[0], old[1] + source * value)
    return after
