"""What the detector sees of an image, and the plates that it marks there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.ocr.core.quad import Box, Image

Map = npt.NDArray[np.float32]

# Sides are multiples of this; what is missing is filled with grey.
_STEP: Final = 32
_GREY: Final = (114, 114, 114)
_CELL: Final = 8
# A cell's box is this wide and high where the detector says 0.
_WIDTH: Final = 32.0
_HEIGHT: Final = 16.0
# No plate is larger than this in what the detector sees; keeps the exponential finite.
_LARGEST_LOG: Final = 5.0
_MUCH_LARGER: Final = 4.0


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """How plates are found.

    Attributes:
        long_side: Pixels of the image's longer side as the detector sees it.
        close_side: The same for its second look, which is for plates that fill the image.
        close_margin: Grey margin of the second look, in pixels.
        close_share: What the second look finds counts from this share of the image's width on.
        overlap: Of two boxes that overlap by so much, the one with the lower score goes.
        inside: The same for a box of which so much lies inside another.
        most: Most plates of an image; those with the lowest scores go.
    """

    long_side: int = 640
    close_side: int = 96
    close_margin: int = 32
    close_share: float = 0.45
    overlap: float = 0.4
    inside: float = 0.75
    most: int = 32


@dataclass(frozen=True, slots=True)
class Shown:
    """How an image is shown to the detector: so many times its size, with a grey margin of so many pixels."""

    scale: float
    margin: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A plate as the detector marks it: its upright box in pixels of the image, and the score, 0 to 1."""

    box: Box
    score: float


def resized(image: Image, scale: float) -> Image:
    """The image `scale` times its size, at least a pixel."""
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    if size == (image.shape[1], image.shape[0]):
        return image
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def detector_input(image: Image, margin: int = 0) -> Image:
    """The image (BGR) as the detector takes it, 1 x height x width x 3, with a grey margin in pixels."""
    right, bottom = (margin + -(side + 2 * margin) % _STEP for side in image.shape[1::-1])
    padded = cv2.copyMakeBorder(image, margin, bottom, margin, right, cv2.BORDER_CONSTANT, value=_GREY)
    return np.asarray(padded, dtype=np.uint8)[None]


def found_plates(
    score: Map, box: Map, shown: Shown, threshold: float, settings: DetectionSettings
) -> tuple[Found, ...]:
    """The plates of an image, highest score first.

    Args:
        score: Rows x columns, other cells than peaks are 0.
        box: 4 x rows x columns: middle in cells from the cell's index, logarithms of width and height.
        shown: How it was shown.
        threshold: Score from which a cell marks a plate.
        settings: What counts.
    """
    rows, columns = np.nonzero(score > threshold)
    found = [
        Found(_box(box[:, row, column], float(column), float(row), shown), float(score[row, column]))
        for row, column in zip(rows, columns, strict=True)
    ]
    return once(found, settings)


def once(found: Iterable[Found], settings: DetectionSettings) -> tuple[Found, ...]:
    """The plates among `found`, each once, highest score first."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda each: (-each.score, each.box.x, each.box.y)):
        if not any(_same_plate(one.box, other.box, settings) for other in kept):
            kept.append(one)
        if len(kept) >= settings.most:
            break
    return tuple(kept)


def _box(terms: Map, column: float, row: float, shown: Shown) -> Box:
    width, height = np.exp(np.minimum(terms[2:], _LARGEST_LOG)) * np.array([_WIDTH, _HEIGHT]) / shown.scale
    x, y = (
        (cell * _CELL - shown.margin) / shown.scale
        for cell in (column + float(terms[0]), row + float(terms[1]))
    )
    return Box(x - float(width) / 2, y - float(height) / 2, float(width), float(height))


def _same_plate(one: Box, other: Box, settings: DetectionSettings) -> bool:
    if one.overlap(other) >= settings.overlap:
        return True
    # What is much smaller is another thing, and which of both is a plate the reading tells.
    sizes = sorted((one.width * one.height, other.width * other.height))
    return one.inside(other) >= settings.inside and sizes[1] <= _MUCH_LARGER * sizes[0]
