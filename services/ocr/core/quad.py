"""Boxes and four-cornered outlines in pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

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

    def overlap(self, other: Box) -> float:
        """Shared area over the area of both together, 0 to 1."""
        shared = self.shared(other)
        return shared / max(self.width * self.height + other.width * other.height - shared, 1e-9)

    def inside(self, other: Box) -> float:
        """Share of the smaller of both that lies inside the larger, 0 to 1."""
        return self.shared(other) / max(min(self.width * self.height, other.width * other.height), 1e-9)

    def shared(self, other: Box) -> float:
        """Area that both cover, in pixels."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0.0, width) * max(0.0, height)

    def grown(self, across: float, down: float) -> Box:
        """The box moved outwards at each side by `across` of its width and `down` of its height."""
        x, y = across * self.width, down * self.height
        return Box(self.x - x, self.y - y, self.width + 2 * x, self.height + 2 * y)

    def quad(self) -> Quad:
        """Its four corners."""
        right, bottom = self.x + self.width, self.y + self.height
        return Quad(((self.x, self.y), (right, self.y), (right, bottom), (self.x, bottom)))


@dataclass(frozen=True, slots=True)
class Quad:
    """Corners of a plate in pixels: upper left, upper right, lower right, lower left as it is read."""

    points: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, points: npt.NDArray[Any]) -> Quad:
        """The outline of a 4 x 2 array."""
        return cls(tuple((float(x), float(y)) for x, y in points.reshape(_CORNERS, 2)))

    @property
    def width(self) -> float:
        """Length along the text, the mean of both long edges."""
        upper_left, upper_right, lower_right, lower_left = self.array()
        return float(np.linalg.norm(upper_right - upper_left) + np.linalg.norm(lower_right - lower_left)) / 2

    @property
    def height(self) -> float:
        """Height of the plate, the mean of both short edges."""
        upper_left, upper_right, lower_right, lower_left = self.array()
        return float(np.linalg.norm(lower_left - upper_left) + np.linalg.norm(lower_right - upper_right)) / 2

    def array(self) -> Points:
        """The corners as a 4 x 2 array."""
        return np.array(self.points, dtype=np.float32)

    def bounds(self) -> Box:
        """The smallest upright rectangle round the corners."""
        (left, top), (right, bottom) = self.array().min(axis=0), self.array().max(axis=0)
        return Box(float(left), float(top), float(right - left), float(bottom - top))

    def box(self) -> Box:
        """The same to whole pixels."""
        low, high = np.floor(self.array().min(axis=0)), np.ceil(self.array().max(axis=0))
        return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))

    def clipped(self, width: int, height: int) -> Quad:
        """The same outline with every corner inside an image of this size."""
        return Quad.of(np.clip(self.array(), 0, np.array([width - 1, height - 1], dtype=np.float32)))

    def grown(self, across: float, down: float) -> Quad:
        """The outline stretched about its middle, by `across` of its width and `down` of its height."""
        points = self.array()
        middle = points.mean(axis=0)
        return Quad.of((points - middle) * np.array([1 + across, 1 + down], dtype=np.float32) + middle)
