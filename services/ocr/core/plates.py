"""Plates of a picture, and the windows in which a plate is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from services.ocr.core.calibration import Clues
from services.ocr.core.quad import Box, Quad
from services.ocr.core.reading import Reading

Likely = tuple[tuple[str, float], ...]
"""Labels with their probability, most probable first."""

FIRST_VIEWS: Final = 2
# Corners may lie inside the plate or outside it, or not be believed at all, and then the box is taken: what
# is added, in widths and heights. Views that differ more read more plates.
_WIDER: Final = (0.05, 0.10)
_CLOSER: Final = (-0.03, -0.05)
_LOOSE: Final = (0.04, 0.06)
# Readings of one plate found twice.
_SAME_PLATE: Final = 0.5
_INSIDE: Final = 0.75
# What is so much smaller than the plate it lies on is a sticker or a name there, however clearly it reads,
# unless the plate reads so much worse that it is hardly one.
_MUCH_LARGER: Final = 4.0
_HARDLY_ONE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in an image.

    Attributes:
        reading: What it may say, with probabilities.
        quad: Its four corners in pixels of the image.
        clues: What speaks for the reading.
        issuers: States ("US-IL") and countries ("BR") that may have issued it; "ZZ" is none of those known.
        kinds: Kinds of plates that it may be.
        windows: What the reader saw, windows x columns x 37 logarithms of probabilities: windows of several
            images of one plate can be read together.
    """

    reading: Reading
    quad: Quad
    clues: Clues
    issuers: Likely = ()
    kinds: Likely = ()
    windows: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 0, 0), dtype=np.float32), compare=False, repr=False
    )

    @property
    def text(self) -> str:
        """The most probable text."""
        return self.reading.text

    @property
    def probability(self) -> float:
        """Probability that the text is right, 0 to 1."""
        return self.reading.probability

    @property
    def box(self) -> Box:
        """The upright box round the corners."""
        return self.quad.box()


@dataclass(frozen=True, slots=True)
class Sight:
    """What is in an image, most to least certain.

    Attributes:
        plates: Plates that were read.
        unreadable: Plates that are surely there, and whose best text is too likely wrong to be called read.
    """

    plates: tuple[Plate, ...]
    unreadable: tuple[Plate, ...]


def views(box: Box, first: Quad, second: Quad) -> tuple[Quad, ...]:
    """The outlines in which a plate is looked at; the first two are mostly enough.

    Args:
        box: The detector's.
        first: Corners found in the detector's box.
        second: Corners found in the box round the first ones.
    """
    return (
        second,
        first,
        second.grown(*_WIDER),
        box.quad(),
        second.grown(*_CLOSER),
        box.grown(*_LOOSE).quad(),
    )


def each_once(plates: Iterable[Plate]) -> tuple[Plate, ...]:
    """The plates, most certain first, each once: without what only stands on a plate, as stickers do."""
    kept: list[Plate] = []
    every = sorted(plates, key=lambda plate: (-plate.probability, plate.quad.points))
    for one in every:
        box = one.quad.bounds()
        if any(_stands_on(one, other) for other in every):
            continue
        others = [other.quad.bounds() for other in kept]
        if all(box.overlap(other) < _SAME_PLATE and box.inside(other) < _INSIDE for other in others):
            kept.append(one)
    return tuple(kept)


def _stands_on(one: Plate, other: Plate) -> bool:
    mine, its = one.quad.bounds(), other.quad.bounds()
    larger = its.width * its.height >= _MUCH_LARGER * mine.width * mine.height
    return larger and mine.inside(its) >= _INSIDE and other.probability >= _HARDLY_ONE * one.probability
