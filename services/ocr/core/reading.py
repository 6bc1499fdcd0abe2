"""What a plate may say: candidates from all its windows, scored together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ocr.core import grammar
from services.ocr.core.alphabet import Symbols, spelled, symbols_of
from services.ocr.core.calibration import NOT_TURNED, Calibration, Clues
from services.ocr.core.ctc import Columns, beam, fits, greedy, substitutes

MOST_CANDIDATES: Final = 16
LEAST_PROBABILITY: Final = 0.001
_BEAM_WIDTH: Final = 6
_MOST_TEXTS: Final = 48
_MOST_RESPELLED: Final = 8
# A window in which a text does not fit at all says no more than this against it.
_WORST_OF_ONE: Final = -10.0
_WORST_OF_BEST: Final = -60.0
# Both first windows fit their common text so well that further ones would say the same.
_SURE_FIT: Final = -0.25
# A text that fits worse than this, for each of its characters, is none: of 1,398 boxes on validation pictures
# whose first windows fit no better, none was read rightly in the end.
_HOPELESS_FIT: Final = -0.8
_NO_GAP: Final = 8.0
# Issuers below count as anybody.
_LEAST_ISSUER: Final = 0.005


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole text and the probability that the plate bears it, 0 to 1."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a plate may say.

    Attributes:
        candidates: The best texts, at most 16, most probable first; at least one. Together at most 1; the
            first one's probability is that of the reading.
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """Texts of one plate and how well they fit its windows.

    Attributes:
        texts: What the windows may say, none of them empty; none when they say nothing.
        each: Windows x texts: logarithm of the probability of the text.
        together: For each text all windows together.
        own: The best text of each window; may be empty.
    """

    texts: tuple[str, ...]
    each: npt.NDArray[np.float64]
    together: npt.NDArray[np.float64]
    own: tuple[str, ...]

    @property
    def best(self) -> int:
        """Index of the text that fits best."""
        return int(np.argmax(self.together))

    @property
    def best_window(self) -> int:
        """Index of the window in which that text fits best."""
        return int(np.argmax(self.each[:, self.best]))


@dataclass(frozen=True, slots=True)
class Marked:
    """How a plate was found: its width in pixels, the detector's score, and `turned` as in Clues."""

    width: float
    score: float
    turned: float = NOT_TURNED


class Clarity(Enum):
    """What the first windows of a plate show."""

    SURE = "all say the same text clearly: no further window is needed"
    DOUBTFUL = "further windows may help"
    HOPELESS = "no text at all: no further window will help"


def clarity(windows: Columns) -> Clarity:
    """What these windows of one plate show."""
    texts = list(dict.fromkeys(text for text in map(greedy, windows) if text))
    if not texts:
        return Clarity.HOPELESS
    fit = fits(windows, texts)
    if len(texts) == 1 and fit.min() > _SURE_FIT:
        return Clarity.SURE
    per_character = fit.max(axis=0) / np.array([len(text) for text in texts])
    return Clarity.DOUBTFUL if per_character.max() > _HOPELESS_FIT else Clarity.HOPELESS


def own_fits(windows: Columns) -> npt.NDArray[np.float64]:
    """How well each window's own best text fits it, for one character; minus infinity where there is none."""
    own = [greedy(window) for window in windows]
    texts = list(dict.fromkeys(text for text in own if text))
    fit = fits(windows, texts) if texts else np.zeros((len(windows), 0))
    return np.array(
        [fit[n, texts.index(text)] / len(text) if text else -np.inf for n, text in enumerate(own)]
    )


def evidence(windows: Columns, *, search: bool = True) -> Evidence:
    """What `windows` of one plate (windows x columns x 37) say, every text scored in every window.

    Without `search` only the best text of each window is looked at.
    """
    own = [greedy(window) for window in windows]
    texts: dict[Symbols, None] = dict.fromkeys(own)
    if search:
        texts.update(_others(windows, own))
    texts.pop((), None)
    chosen = [text for text in texts if len(text) <= grammar.LONGEST][:_MOST_TEXTS]
    each = fits(windows, chosen) if chosen else np.zeros((len(windows), 0))
    return Evidence(tuple(map(spelled, chosen)), each, _together(each), tuple(map(spelled, own)))


def _others(windows: Columns, own: Sequence[Symbols]) -> dict[Symbols, None]:
    """What a beam finds, look-alikes that are arranged as plates are, and what is one character away."""
    texts: dict[Symbols, None] = {}
    for window in windows:
        texts.update(dict.fromkeys(beam(window, _BEAM_WIDTH)))
    for text in dict.fromkeys(own):
        like = grammar.respelled(spelled(text))[:_MOST_RESPELLED]
        texts.update(dict.fromkeys(map(symbols_of, like)))
    for window in windows:
        texts.update(dict.fromkeys(sorted(substitutes(window))))
    return texts


def read(
    seen: Evidence, issuers: Mapping[str, float], calibration: Calibration, marked: Marked
) -> tuple[Reading, Clues]:
    """The reading of a plate, and what speaks for it.

    Args:
        seen: At least one text.
        issuers: Who may have issued the plate, with their probability; empty where nothing is known.
        calibration: Of the model set.
        marked: How the plate was found.
    """
    likely = {issuer: value for issuer, value in issuers.items() if value >= _LEAST_ISSUER}
    arranged = np.array(grammar.leanings(seen.texts, likely))
    scores = seen.together + calibration.arrangement * arranged
    order = np.argsort(-scores, kind="stable")
    best = int(order[0])
    text = seen.texts[best]
    clues = Clues(
        fit=float(seen.together[best]) / len(text),
        gap=float(scores[best] - scores[order[1]]) if len(order) > 1 else _NO_GAP,
        agreement=sum(one == text for one in seen.own) / len(seen.own),
        width=marked.width,
        score=marked.score,
        arrangement=float(arranged[best]),
        length=len(text),
        turned=marked.turned,
    )
    shares = np.exp((scores - scores[best]) / calibration.temperature)
    return (
        Reading(
            _candidates(seen.texts, shares, order, calibration.probability(clues), calibration.covered),
            _positions(seen.texts, shares, text),
        ),
        clues,
    )


def _together(each: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Half by the windows in which a text fits best, half by all: no single cut must decide."""
    best = np.log(np.exp(np.maximum(each, _WORST_OF_BEST)).mean(axis=0))
    return np.asarray(0.5 * best + 0.5 * np.maximum(each, _WORST_OF_ONE).mean(axis=0))


def _candidates(
    texts: Sequence[str],
    shares: npt.NDArray[np.float64],
    order: npt.NDArray[np.intp],
    probability: float,
    covered: float,
) -> tuple[Candidate, ...]:
    rest = float(shares.sum() - shares[order[0]])
    # When the best is wrong, one of the others is right in so many cases, by their shares; none of them can
    # be more probable than the best.
    left = (1 - probability) * covered / rest if rest > 0 else 0.0
    others = [
        Candidate(texts[n], min(probability, left * float(shares[n]))) for n in order[1:MOST_CANDIDATES]
    ]
    kept = [one for one in others if one.probability >= LEAST_PROBABILITY]
    return (Candidate(texts[order[0]], probability), *kept)


def _positions(
    texts: Sequence[str], shares: npt.NDArray[np.float64], best: str
) -> tuple[tuple[tuple[str, float], ...], ...]:
    """From the texts that differ from the best one in one character only."""
    found: list[dict[str, float]] = [{character: 1.0} for character in best]
    for text, share in zip(texts, shares, strict=True):
        if len(text) != len(best):
            continue
        differ = [n for n, (one, other) in enumerate(zip(text, best, strict=True)) if one != other]
        if len(differ) == 1:
            found[differ[0]][text[differ[0]]] = float(share)
    return tuple(_kept(position) for position in found)


def _kept(position: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    total = sum(position.values())
    # Of two that are alike the first stays first: it is the best text's own.
    ordered = sorted(position.items(), key=lambda item: -item[1])
    return tuple((one, share / total) for one, share in ordered if share / total >= LEAST_PROBABILITY)
