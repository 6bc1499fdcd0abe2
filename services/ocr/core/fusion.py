"""One reading from the readings of many frames that show the same plate.

A frame's candidates carry probabilities that are meant truthfully; of independent frames they would multiply.
Frames of one passage are not independent: the same dirt, bolt or angle misleads them all. So the surest frame
counts whole, and each further one by what it adds to the effective number of frames,
n / (1 + (n - 1) * correlation) (Kish, "Survey Sampling", 1965, 8.2), which stays below 1 / correlation.
A text that a frame does not list gets a share of what that frame leaves over, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from services.ocr.core.reading import MOST_CANDIDATES, Candidate, Reading

Shares = tuple[tuple[str, float], ...]

_LEAST_LISTED: Final = 0.001
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """How frames count together.

    Attributes:
        correlation: How much the errors of two frames of a passage have in common, 0 (nothing) to 1 (all).
        least_rest: What a frame leaves for texts that it does not list, at least.
        others: The number of texts among which a frame's rest is spread.
        other_labels: The same for states and kinds, of which there are few.
    """

    correlation: float = 0.3
    least_rest: float = 0.01
    others: int = 50
    other_labels: int = 10


FUSION: Final = FusionSettings()


def fuse(readings: Sequence[Reading], settings: FusionSettings = FUSION) -> Reading:
    """What `readings`, at least one, say together. Their order does not matter; one alone stays as it is."""
    if len(readings) == 1:
        return readings[0]
    ranked = sorted(readings, key=_sureness, reverse=True)
    weights = frame_weights(len(ranked), settings.correlation)
    listed = [{one.text: one.probability for one in reading.candidates} for reading in ranked]
    rests = [max(settings.least_rest, 1 - math.fsum(one.values())) for one in listed]

    def score(text: str) -> float:
        given = (
            _probability_of(text, reading, seen, rest / settings.others)
            for reading, seen, rest in zip(ranked, listed, rests, strict=True)
        )
        return _pooled(weights, given)

    texts = sorted({text for seen in listed for text in seen if text}) or [""]
    other = _pooled(weights, (rest / settings.others for rest in rests))
    shares = _normalised({text: score(text) for text in texts}, other, settings.others)
    kept = [share for n, share in enumerate(shares) if n == 0 or share[1] >= _LEAST_LISTED]
    best = tuple(Candidate(text, value) for text, value in kept[:MOST_CANDIDATES])
    return Reading(best, _fused_positions(best[0].text, ranked, weights))


def fuse_shares(many: Sequence[Shares], settings: FusionSettings = FUSION) -> Shares:
    """The same for the probabilities of labels, such as issuing states; frames without any do not count."""
    ranked = surest_shares(many, len(many))
    if len(ranked) <= 1:
        return ranked[0] if ranked else ()
    weights = frame_weights(len(ranked), settings.correlation)
    listed = [dict(shares) for shares in ranked]
    floors = [max(settings.least_rest, 1 - math.fsum(one.values())) / settings.other_labels for one in listed]
    labels = sorted({label for one in listed for label in one})
    scores = {
        label: _pooled(
            weights, (max(one.get(label, 0), floor) for one, floor in zip(listed, floors, strict=True))
        )
        for label in labels
    }
    return tuple(share for share in _normalised(scores, -math.inf, 0) if share[1] >= _LEAST_LISTED)


def effective_frames(count: int, correlation: float) -> float:
    """The number of independent frames that tell as much as `count` frames of a passage."""
    return count / (1 + (count - 1) * correlation)


def frame_weights(count: int, correlation: float) -> list[float]:
    """What each of `count` frames, the surest first, adds to the effective number; 1 and falling."""
    totals = [0.0, *(effective_frames(n, correlation) for n in range(1, count + 1))]
    return [after - before for before, after in pairwise(totals)]


def surest(readings: Sequence[Reading], most: int) -> tuple[Reading, ...]:
    """The `most` surest of `readings`, surest first; the others would hardly count."""
    return tuple(sorted(readings, key=_sureness, reverse=True)[:most])


def surest_shares(many: Sequence[Shares], most: int) -> tuple[Shares, ...]:
    """The same for the probabilities of labels."""
    return tuple(sorted(filter(None, many), key=_sureness_of_shares, reverse=True)[:most])


def _sureness(reading: Reading) -> tuple[float, tuple[tuple[str, float], ...], Shares]:
    # All that is in it: readings that are equally sure have an order too, however they came.
    listed = tuple((one.text, one.probability) for one in reading.candidates)
    return reading.probability, listed, tuple(pair for position in reading.positions for pair in position)


def _sureness_of_shares(shares: Shares) -> tuple[float, Shares]:
    return shares[0][1], shares


def _probability_of(text: str, reading: Reading, listed: dict[str, float], floor: float) -> float:
    if text in listed:
        return max(listed[text], _TINY)
    return max(floor, min(_by_positions(text, reading), *listed.values()))


def _by_positions(text: str, reading: Reading) -> float:
    """What the positions of `reading` say about a text that is not among its candidates."""
    if len(text) != len(reading.positions):
        return 0.0
    value = reading.probability
    for character, position in zip(text, reading.positions, strict=True):
        value *= dict(position).get(character, 0.0) / max(position[0][1], _TINY)
    return value


def _fused_positions(text: str, ranked: Sequence[Reading], weights: Sequence[float]) -> tuple[Shares, ...]:
    """For each character of `text` what it may be, from the frames that read as many characters."""
    alike = [one for one in ranked if len(one.positions) == len(text)]
    return tuple(
        _fused_position(text[n], [dict(one.positions[n]) for one in alike], weights) for n in range(len(text))
    )


def _fused_position(character: str, seen: Sequence[dict[str, float]], weights: Sequence[float]) -> Shares:
    characters = sorted({one for position in seen for one in position} | {character})
    floor = _LEAST_LISTED / 2
    scores = {
        one: _pooled(weights, (max(position.get(one, 0.0), floor) for position in seen)) for one in characters
    }
    # The fused text's own character leads, as the contract has it, also where the frames' positions differ.
    scores[character] = max(scores.values())
    shares = _normalised(scores, -math.inf, 0)
    kept = [share for share in shares if share[1] >= _LEAST_LISTED]
    return tuple(sorted(kept, key=lambda share: (-share[1], share[0] != character, share[0])))


def _pooled(weights: Sequence[float], probabilities: Iterable[float]) -> float:
    return math.fsum(weight * math.log(one) for weight, one in zip(weights, probabilities, strict=False))


def _normalised(scores: dict[str, float], other: float, others: int) -> list[tuple[str, float]]:
    """Logarithms as shares of one, largest first; `others` further ones at `other` count unlisted."""
    top = max(*scores.values(), other)
    total = math.fsum(math.exp(value - top) for value in scores.values())
    total += others * math.exp(other - top)
    shares = [(label, math.exp(value - top) / total) for label, value in scores.items()]
    return sorted(shares, key=lambda share: (-share[1], share[0]))
