"""Which of the texts in a scene are plates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.ocr.core.ctc import Reading
from services.ocr.core.detection import TextRegion
from services.ocr.core.grammar import LONGEST, SHORTEST, has_digit, may_be_plate
from services.ocr.core.quad import Box, Quad, joined

_SHAPES: Final = (0.5, 9.0)
_STEEPEST: Final = 40.0
_LOWEST: Final = 7.0
_SAME_LINE: Final = 0.35
_SAME_HEIGHT: Final = 1.6
_WIDEST_GAP: Final = 1.3
_SAME_PLACE: Final = 0.4
_SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and what it says.

    Attributes:
        quad: Its outline in the image.
        raw: Its text in the recogniser's own alphabet.
        reading: What it says in plate characters.
    """

    quad: Quad
    raw: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in an image.

    Attributes:
        reading: What it may say, with probabilities.
        quad: Its four corners in pixels of the image.
    """

    reading: Reading
    quad: Quad

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
class PlateSettings:
    """What is taken for a plate.

    Attributes:
        least_probability: A text with a digit that is less likely right is no plate.
        least_word_probability: The same for letters alone, which are mostly names and slogans.
        most_plates: More plates than this are not taken from one image; the least likely go first.
        most_lines: More lines than this are not read; the least certain go first.
    """

    least_probability: float = 0.05
    least_word_probability: float = 0.6
    most_plates: int = 16
    most_lines: int = 48


def worth_reading(regions: Sequence[TextRegion], settings: PlateSettings) -> tuple[Quad, ...]:
    """The outlines of regions shaped like a plate or a part of one, left to right."""
    shaped = [region for region in regions if _has_shape(region.quad)]
    best = sorted(shaped, key=lambda region: -region.score)[: settings.most_lines]
    return tuple(sorted((region.quad for region in best), key=lambda quad: quad.center))


def in_doubt(line: Line) -> bool:
    """Whether the line may be a plate but is not read for sure, so that a second look pays."""
    return line.reading.probability < _SURE and may_be_plate(line.reading.text, line.raw)


def split_plates(lines: Sequence[Line]) -> tuple[Quad, ...]:
    """Outlines round neighbours on one line that together may be one plate, to be read as a whole."""
    return tuple(_unions(lines))


def choose(lines: Sequence[Line], wholes: Sequence[Line], settings: PlateSettings) -> tuple[Plate, ...]:
    """The plates among `lines` and `wholes`, most to least certain.

    A whole (see `split_plates`) that reads as a plate replaces its parts.
    """
    taken = [line for line in wholes if _is_plate(line, settings)]
    taken.sort(key=lambda line: -line.reading.probability)
    parts = [line for line in lines if _is_plate(line, settings)]
    parts.sort(key=lambda line: -line.reading.probability)
    chosen: list[Line] = []
    for line in (*taken, *parts):
        if not any(_same_place(line.quad, other.quad) for other in chosen):
            chosen.append(line)
    chosen.sort(key=lambda line: (-line.reading.probability, line.quad.points))
    return tuple(Plate(line.reading, line.quad) for line in chosen[: settings.most_plates])


def _has_shape(quad: Quad) -> bool:
    steep = abs(math.degrees(math.atan2(quad.direction[1], quad.direction[0])))
    shape = quad.width / max(quad.height, 1e-6)
    return quad.height >= _LOWEST and _SHAPES[0] <= shape <= _SHAPES[1] and steep <= _STEEPEST


def _is_plate(line: Line, settings: PlateSettings) -> bool:
    text = line.reading.text
    least = settings.least_probability if has_digit(text) else settings.least_word_probability
    return line.reading.probability >= least and may_be_plate(text, line.raw)


def _unions(lines: Sequence[Line]) -> Iterator[Quad]:
    for left in lines:
        # The nearest to the right only: a chain of three is joined by its pairs' union with the third below.
        followers = [right for right in lines if right is not left and _follows(left, right)]
        if not followers:
            continue
        right = min(followers, key=lambda line: line.quad.center[0])
        whole = joined(left.quad, right.quad)
        length = len(left.reading.text) + len(right.reading.text)
        if length <= LONGEST:
            if length >= SHORTEST:
                yield whole
            third = [line for line in lines if line not in (left, right) and _follows(right, line)]
            nearest = min(third, key=lambda line: line.quad.center[0], default=None)
            if nearest and SHORTEST <= length + len(nearest.reading.text) <= LONGEST:
                yield joined(whole, nearest.quad)


def _follows(left: Line, right: Line) -> bool:
    """Whether `right` goes on where `left` ends, on the same line and in the same height."""
    if not left.reading.text or not right.reading.text:
        return False
    height = max(left.quad.height, right.quad.height)
    if height > _SAME_HEIGHT * min(left.quad.height, right.quad.height):
        return False
    along_x, along_y = left.quad.direction
    dx, dy = (r - m for r, m in zip(right.quad.center, left.quad.center, strict=True))
    along, across = dx * along_x + dy * along_y, dy * along_x - dx * along_y
    gap = along - (left.quad.width + right.quad.width) / 2
    return -0.5 * height <= gap <= _WIDEST_GAP * height and abs(across) <= _SAME_LINE * height and along > 0


def _same_place(one: Quad, other: Quad) -> bool:
    """Whether the smaller box lies mostly inside the other."""
    a, b = one.box(), other.box()
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    smaller = min(a.width * a.height, b.width * b.height)
    return width > 0 and height > 0 and width * height > _SAME_PLACE * smaller
