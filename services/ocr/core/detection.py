"""Text detection by differentiable binarization: what the detector sees, and outlines from what it answers.

Liao et al., "Real-time scene text detection with differentiable binarization" (AAAI 2020): the network gives
each pixel the probability that it lies in the shrunken core of a text; cores are cut out, then grown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.ocr.core.quad import Image, Quad, around

Tensor = npt.NDArray[np.float32]

_STRIDE: Final = 32
_SMALLEST_CORE: Final = 2.0
_MOST_CONTOURS: Final = 400


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """How texts are found.

    Attributes:
        long_side: Pixels of the longer side that the detector sees; smaller ones are enlarged up to 2 times.
        core_threshold: Probability from which a pixel belongs to a core.
        box_threshold: Mean probability from which a core is a text.
        growth: Area of the core over its perimeter, times this, is how far it grows.
    """

    long_side: int = 960
    core_threshold: float = 0.25
    box_threshold: float = 0.4
    growth: float = 1.6


@dataclass(frozen=True, slots=True)
class TextRegion:
    """One line of text in the image, with the detector's mean probability."""

    quad: Quad
    score: float


def detector_input(image: Image, settings: DetectionSettings) -> Tensor:
    """The image (BGR) as the detector takes it: 1 x 3 x height x width, -1 to 1, sides a multiple of 32."""
    height, width = image.shape[:2]
    scale = min(settings.long_side / max(height, width), 2.0)
    sides = (_multiple(width * scale), _multiple(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return normalised(np.asarray(cv2.resize(image, sides, interpolation=method), dtype=np.uint8))[None]


def normalised(image: Image) -> Tensor:
    """The image (height x width x 3, 0 to 255) as 3 x height x width, -1 to 1."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    planes *= np.float32(2 / 255)
    planes -= np.float32(1)
    return planes


def text_regions(
    scores: Tensor, width: int, height: int, settings: DetectionSettings
) -> tuple[TextRegion, ...]:
    """The texts in an image of `width` x `height` pixels, from the detector's answer (rows x columns)."""
    rows, columns = scores.shape
    cores = (scores > settings.core_threshold).astype(np.uint8)
    cores = np.asarray(cv2.dilate(cores, np.ones((2, 2), np.uint8)), dtype=np.uint8)
    contours, _ = cv2.findContours(cores, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = _grown_cores(scores, [np.asarray(contour) for contour in contours[:_MOST_CONTOURS]], settings)
    stretch = width / columns, height / rows
    return tuple(TextRegion(quad.scaled(*stretch).clipped(width, height), score) for quad, score in found)


def _grown_cores(
    scores: Tensor, contours: list[npt.NDArray[np.int32]], settings: DetectionSettings
) -> Iterator[tuple[Quad, float]]:
    for contour in contours:
        core = around(contour)
        if min(core.width, core.height) < _SMALLEST_CORE:
            continue
        score = _mean_inside(scores, core)
        if score >= settings.box_threshold:
            yield _grown(core, settings.growth), score


def _grown(core: Quad, growth: float) -> Quad:
    return core.grown(core.width * core.height * growth / (2 * (core.width + core.height)))


def _mean_inside(scores: Tensor, quad: Quad) -> float:
    rows, columns = scores.shape
    low = np.clip(np.floor(quad.array().min(axis=0)).astype(int), 0, [columns - 1, rows - 1])
    high = np.clip(np.ceil(quad.array().max(axis=0)).astype(int), 0, [columns - 1, rows - 1])
    mask = np.zeros((high[1] - low[1] + 1, high[0] - low[0] + 1), dtype=np.uint8)
    cv2.fillPoly(mask, [(quad.array() - low).astype(np.int32)], (1,))
    return float(cv2.mean(scores[low[1] : high[1] + 1, low[0] : high[0] + 1], mask)[0])


def _multiple(length: float) -> int:
    return max(_STRIDE, round(length / _STRIDE) * _STRIDE)
