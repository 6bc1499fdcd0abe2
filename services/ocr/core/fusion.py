"""One reading from the readings of many frames that show the same plate.

A frame's candidates carry probabilities that are meant truthfully; of independent frames they would multiply.
Multiplied they rank the texts well, and are far too sure: frames of one passage are misled by the same dirt,
bolt or angle. So the product is taken to a power below one, as if there were fewer frames: k frames whose
errors have the correlation r tell as much as k / (1 + (k - 1) r) independent ones (Kish, "Survey Sampling",
1965, 8.2). Frames that tell nothing do not count as frames. A text that a frame does not list gets a share of
what that frame leaves over, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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

    correlation: float = 0.5
    least_rest: float = 0.01
    others: int = 20
    other_labels: int = 10


FUSION: Final = FusionSettings()


def fuse(readings: Sequence[Reading], settings: FusionSettings = FUSION) -> Reading:
    """What `readings`, at least one, say together. Their order does not matter; one alone stays as it is."""
    if len(readings) == 1:
        return readings[0]
    listed = [{one.text: one.probability for one in reading.candidates} for reading in readings]
    floors = [max(settings.least_rest, 1 - math.fsum(one.values())) / settings.others for one in listed]
    texts = sorted({text for seen in listed for text in seen if text}) or [""]
    logs = {
        text: [
            math.log(_probability_of(text, reading, seen, floor))
            for reading, seen, floor in zip(readings, listed, floors, strict=True)
        ]
        for text in texts
    }
    shares, power = _pooled(logs, [math.log(floor) for floor in floors], settings.others, settings)
    kept = [share for n, share in enumerate(shares) if n == 0 or share[1] >= _LEAST_LISTED]
    best = tuple(Candidate(text, value) for text, value in kept[:MOST_CANDIDATES])
    return Reading(best, _fused_positions(best[0].text, readings, power))


@lru_cache(maxsize=512)
def fuse_track(readings: tuple[Reading, ...]) -> Reading:
    """`fuse` with the standard settings, remembered: most frames of a passage add nothing to its surest."""
    return fuse(readings)


def fuse_shares(many: Sequence[Shares], settings: FusionSettings = FUSION) -> Shares:
    """The same for the probabilities of labels, such as issuing states; frames without any do not count."""
    given = [dict(shares) for shares in many if shares]
    if len(given) <= 1:
        return next((shares for shares in many if shares), ())
    floors = [max(settings.least_rest, 1 - math.fsum(one.values())) / settings.other_labels for one in given]
    logs = {
        label: [math.log(max(one.get(label, 0), floor)) for one, floor in zip(given, floors, strict=True)]
        for label in sorted({label for one in given for label in one})
    }
    shares, _ = _pooled(logs, [math.log(floor) for floor in floors], 0, settings)
    return tuple(share for share in shares if share[1] >= _LEAST_LISTED)


def discount(margins: Sequence[float], correlation: float) -> float:
    """The power to which the product of frames is taken, 1 for a single one that tells anything.

    Args:
        margins: How far each frame puts the best text before the next, or behind it, in natural logarithms.
        correlation: Of two frames' errors.
    """
    squares = math.fsum(margin * margin for margin in margins)
    if squares <= 0:
        return 1.0
    frames = math.fsum(map(abs, margins)) ** 2 / squares
    return 1 / (1 + max(0.0, frames - 1) * correlation)


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


def _pooled(
    logs: Mapping[str, Sequence[float]],
    other: Sequence[float],
    others: int,
    settings: FusionSettings,
) -> tuple[list[tuple[str, float]], float]:
    """Labels with their shares, largest first, and the power; `others` more count but are not listed."""
    # fsum is exact, so that frames in another order give the same to the last bit.
    totals = {label: math.fsum(values) for label, values in logs.items()}
    ranked = sorted(totals, key=lambda label: (-totals[label], label))
    rival = other if len(ranked) == 1 else logs[ranked[1]]
    power = discount([a - b for a, b in zip(logs[ranked[0]], rival, strict=True)], settings.correlation)
    top = totals[ranked[0]]
    weights = {label: math.exp(power * (totals[label] - top)) for label in ranked}
    rest = others * math.exp(min(0.0, power * (math.fsum(other) - top))) if others else 0.0
    whole = math.fsum([*weights.values(), rest])
    return [(label, weights[label] / whole) for label in ranked], power


def _fused_positions(text: str, readings: Sequence[Reading], power: float) -> tuple[Shares, ...]:
    """For each character of `text` what it may be, from the frames that read as many characters."""
    alike = [one for one in readings if len(one.positions) == len(text)]
    return tuple(
        _fused_position(text[n], [dict(one.positions[n]) for one in alike], power) for n in range(len(text))
    )


def _fused_position(character: str, seen: Sequence[Mapping[str, float]], power: float) -> Shares:
    floor = _LEAST_LISTED / 2
    totals = {
        one: power * math.fsum(math.log(max(position.get(one, 0.0), floor)) for position in seen)
        for one in {one for position in seen for one in position} | {character}
    }
    # The fused text's own character leads, as the contract has it, also where the frames' positions differ.
    totals[character] = top = max(totals.values())
    weights = {one: math.exp(total - top) for one, total in totals.items()}
    whole = math.fsum(weights.values())
    shares = sorted(weights.items(), key=lambda share: (-share[1], share[0] != character, share[0]))
    return tuple((one, weight / whole) for one, weight in shares if weight / whole >= _LEAST_LISTED)
