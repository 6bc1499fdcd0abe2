"""Four-cornered outlines: ordering, growing, joining, and cutting them out of an image upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

_CORNERS: Final = 4


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels; the origin is the upper left corner of the image."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Quad:
    """Corners of a line of text in pixels: upper left, upper right, lower right, lower left as it is read."""

    points: tuple[tuple[float, float], ...]

    @property
    def width(self) -> float:
        """Length along the line, the mean of both long edges."""
        upper_left, upper_right, lower_right, lower_left = self.array()
        return float(np.linalg.norm(upper_right - upper_left) + np.linalg.norm(lower_right - lower_left)) / 2

    @property
    def height(self) -> float:
        """Height of the line, the mean of both short edges."""
        upper_left, upper_right, lower_right, lower_left = self.array()
        return float(np.linalg.norm(lower_left - upper_left) + np.linalg.norm(lower_right - upper_right)) / 2

    @property
    def center(self) -> tuple[float, float]:
        """Mean of the corners."""
        x, y = self.array().mean(axis=0)
        return float(x), float(y)

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector along the line, as it is read."""
        upper_left, upper_right, lower_right, lower_left = self.array()
        along = (upper_right - upper_left) + (lower_right - lower_left)
        x, y = along / max(float(np.linalg.norm(along)), 1e-6)
        return float(x), float(y)

    def array(self) -> Points:
        """The corners as a 4 x 2 array."""
        return np.array(self.points, dtype=np.float32)

    def box(self) -> Box:
        """The smallest upright rectangle round the corners, to whole pixels."""
        low, high = np.floor(self.array().min(axis=0)), np.ceil(self.array().max(axis=0))
        return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))

    def scaled(self, x: float, y: float) -> Quad:
        """The same outline where a pixel is `x` wide and `y` high."""
        return _quad(self.array() * np.array([x, y], dtype=np.float32))

    def clipped(self, width: int, height: int) -> Quad:
        """The same outline with every corner inside an image of this size."""
        return _quad(np.clip(self.array(), 0, np.array([width - 1, height - 1], dtype=np.float32)))

    def grown(self, distance: float) -> Quad:
        """The outline with every edge moved outwards by `distance` pixels."""
        along = np.array(self.direction, dtype=np.float32) * distance
        down = np.array([-along[1], along[0]], dtype=np.float32)
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return _quad(self.array() + np.array([a * along + d * down for a, d in signs], dtype=np.float32))


def around(points: npt.NDArray[Any]) -> Quad:
    """The smallest rectangle, at any angle, round `points` (n x 2), for a line within 45° of level."""
    corners = np.asarray(cv2.boxPoints(cv2.minAreaRect(points.reshape(-1, 1, 2))), dtype=np.float32)
    by_angle = corners[np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T[::-1]))]
    edges = np.roll(by_angle, -1, axis=0) - by_angle
    # The upper edge is the one that runs most to the right; y grows downwards, so angles grow clockwise.
    first = int(np.argmax(edges[:, 0] / np.maximum(np.linalg.norm(edges, axis=1), 1e-6)))
    return _quad(np.roll(by_angle, -first, axis=0))


def joined(left: Quad, right: Quad) -> Quad:
    """The smallest rectangle round both."""
    return around(np.concatenate([left.array(), right.array()]))


def cut_out(image: Image, quad: Quad, height: int, width: int) -> Image:
    """The part of `image` inside `quad`, upright, `height` x `width` pixels."""
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    shrink = quad.height / height
    # Cubic sampling skips pixels when it shrinks by more than about two; the mean over an area does not.
    if shrink > 2:  # noqa: PLR2004
        image, quad = _shrunk(image, quad, shrink)
    transform = cv2.getPerspectiveTransform(quad.array(), target)
    warped = cv2.warpPerspective(
        image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, dtype=np.uint8)


def _shrunk(image: Image, quad: Quad, shrink: float) -> tuple[Image, Quad]:
    """The surroundings of `quad`, 1 / `shrink` of the size, and where it is in them."""
    low = np.maximum(np.floor(quad.array().min(axis=0)).astype(int) - 8, 0)
    high = np.ceil(quad.array().max(axis=0)).astype(int) + 8
    part = image[low[1] : high[1], low[0] : high[0]]
    part = np.asarray(
        cv2.resize(part, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
    return part, _quad((quad.array() - low.astype(np.float32)) / np.float32(shrink))


def _quad(points: npt.NDArray[Any]) -> Quad:
    return Quad(tuple((float(x), float(y)) for x, y in points.reshape(_CORNERS, 2)))
