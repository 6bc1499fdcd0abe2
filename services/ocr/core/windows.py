"""The small pictures that the networks look at, cut out of the surroundings of one plate.

They are cut as in training (`training/`): a window that is cut in another way is read worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from services.ocr.core.quad import Box, Image, Points, Quad

WIDTH: Final = 128
HEIGHT: Final = 64
# Where the plate's corners lie in a window, from its edges.
_INSET: Final = (0.03, 0.05)
# How much wider and higher than the plate's box the corner finder's window is, at each side.
_AROUND: Final = (0.2, 0.3)
# The corner finder's second window may reach beyond the first: 1.4 times its size, then enlarged again.
_SURROUNDINGS: Final = (0.6, 0.9)
# A plate that is wider has more pixels than any window shows; working on fewer is quicker.
_WIDEST: Final = 384.0
_SHRUNK_TO: Final = 288.0
# From here on pixels would be skipped, so that they are blurred first, by so much of the step.
_BLUR_FROM: Final = 1.25
_BLUR: Final = 0.33
_FARTHEST: Final = (-0.5, 1.5)
_MOST_BLUR: Final = 4.0
_SMALLEST: Final = 4
_BESIDE: Final = 4.0
_SHARE_BESIDE: Final = 0.08


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A plate and what is round it.

    Attributes:
        colour: BGR.
        grey: The same in grey.
        origin: Where its upper left corner is in the image, x and y.
        scale: Pixels of the surroundings for one of the image, x and y.
        blurred: Variance of the blur that the shrinking brought, in its own pixels.
    """

    colour: Image
    grey: Image
    origin: Points
    scale: Points
    blurred: float


def surroundings(image: Image, box: Box) -> Surroundings:
    """What the windows of the plate in `box` are cut from; at least one pixel."""
    height, width = image.shape[:2]
    wide = box.grown(*_SURROUNDINGS)
    left, top = (int(np.clip(wide.x, 0, width - 1)), int(np.clip(wide.y, 0, height - 1)))
    right = int(np.clip(np.ceil(wide.x + wide.width), left + 1, width))
    bottom = int(np.clip(np.ceil(wide.y + wide.height), top + 1, height))
    part = image[top:bottom, left:right]
    size = (right - left, bottom - top)
    if box.width > _WIDEST:
        factor = _SHRUNK_TO / box.width
        size = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    scale = np.array([size[0] / (right - left), size[1] / (bottom - top)], dtype=np.float32)
    step = 1 / float(scale.max())
    return Surroundings(
        part,
        np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), dtype=np.uint8),
        np.array([left, top], dtype=np.float32),
        scale,
        # The mean over a square of `step` pixels, measured in pixels of that size.
        (step**2 - 1) / 12 / step**2,
    )


def corner_window(around: Surroundings, box: Box) -> Image:
    """What the corner finder takes, 64 x 128 grey: the box with a part of what is round it."""
    wide = _inside(around, box.grown(*_AROUND))
    left, top = round(wide.x), round(wide.y)
    right, bottom = (
        max(round(wide.x + wide.width), left + _SMALLEST),
        max(round(wide.y + wide.height), top + _SMALLEST),
    )
    height, width = around.grey.shape
    seen = around.grey[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not seen.size:
        return np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    if seen.shape != (bottom - top, right - left):
        beyond = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
        seen = np.asarray(cv2.copyMakeBorder(seen, *beyond, cv2.BORDER_REPLICATE), dtype=np.uint8)
    method = cv2.INTER_AREA if seen.shape[1] > WIDTH else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(seen, (WIDTH, HEIGHT), interpolation=method), dtype=np.uint8)


def corners_in(box: Box, fractions: npt.NDArray[Any]) -> Quad:
    """The corners in the image that the corner finder gives as parts of the window of `box`."""
    wide = box.grown(*_AROUND)
    # No plate reaches far out of its window; whoever says so saw none.
    near = np.clip(fractions, *_FARTHEST)
    return Quad.of(near.reshape(4, 2) * np.array([wide.width, wide.height]) + np.array([wide.x, wide.y]))


def reading_window(around: Surroundings, quad: Quad) -> Image:
    """What the reader takes, 64 x 128 grey: the plate flat and upright."""
    return _rectified(around, around.grey, quad, WIDTH, HEIGHT)


def unrolled_window(around: Surroundings, quad: Quad, split: float) -> Image:
    """The same of a plate in two lines: the upper one in the left half, the lower one in the right."""
    upper_left, upper_right, lower_right, lower_left = quad.array()
    left, right = (
        upper_left + split * (lower_left - upper_left),
        upper_right + split * (lower_right - upper_right),
    )
    upper = Quad.of(np.array([upper_left, upper_right, right, left]))
    lower = Quad.of(np.array([left, right, lower_right, lower_left]))
    halves = [_rectified(around, around.grey, one, WIDTH // 2, HEIGHT) for one in (upper, lower)]
    return np.concatenate(halves, axis=1)


def issuer_window(around: Surroundings, quad: Quad, width: int, height: int) -> Image:
    """What the net of issuers takes, height x width x 3, BGR: the plate flat and upright.

    Args:
        around: What the window is cut from.
        quad: The plate's corners in the image.
        width: Of the window, as the version's net wants it.
        height: Likewise.
    """
    return _rectified(around, around.colour, quad, width, height)


def _rectified(around: Surroundings, image: Image, quad: Quad, width: int, height: int) -> Image:
    # A pixel's place is its middle, which is half a pixel from its edge whatever its size.
    corners = (quad.array() - around.origin + 0.5) * around.scale - 0.5
    # The window shows a little of what is round the plate, and the blur needs a little more.
    margin = _BESIDE + _SHARE_BESIDE * np.ptp(corners, axis=0)
    low = np.clip(np.floor(corners.min(axis=0) - margin).astype(int), 0, None)
    high = np.minimum(np.ceil(corners.max(axis=0) + margin).astype(int), image.shape[1::-1])
    if (high - low < _SMALLEST).any():
        return np.zeros((height, width, *image.shape[2:]), dtype=np.uint8)
    part = image[low[1] : high[1], low[0] : high[0]]
    corners = (corners - low).astype(np.float32)
    step = float(np.linalg.norm(corners[1] - corners[0])) / width
    if step > _BLUR_FROM:
        sigma = max((step * _BLUR) ** 2 - around.blurred, 0.0) ** 0.5
        if sigma > 0:
            blurred = cv2.GaussianBlur(part, (0, 0), min(sigma, _MOST_BLUR))
            part = np.asarray(blurred, dtype=np.uint8)
    x, y = _INSET[0] * width, _INSET[1] * height
    target = np.array([[x, y], [width - x, y], [width - x, height - y], [x, height - y]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(corners, target)
    flat = cv2.warpPerspective(
        part, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(flat, dtype=np.uint8)


def _inside(around: Surroundings, box: Box) -> Box:
    """The box in pixels of the surroundings."""
    (left, top), (across, down) = around.origin, around.scale
    return Box(
        float((box.x - left) * across),
        float((box.y - top) * down),
        float(box.width * across),
        float(box.height * down),
    )
