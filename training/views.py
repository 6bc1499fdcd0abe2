"""How the detector's training sees a photograph: zoomed, turned, mirrored, cut, with some plates erased."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training import pasting
from training.photographs import Box, Photograph


@dataclass(frozen=True)
class View:
    """How a photograph is seen: a matrix [2, 3] from its pixels to the scene's, and the turn in degrees."""

    matrix: np.ndarray
    roll: float

    def quad(self, box: Box) -> np.ndarray:
        """The corners of a box of the photograph in the scene, upper left first as it appears there."""
        corners = corners_of(box)
        seen = corners @ self.matrix[:, :2].T + self.matrix[:, 2]
        if self.matrix[0, 0] < 0:  # mirrored
            seen = seen[[1, 0, 3, 2]]
        return np.asarray(seen, np.float32)


def view_of(
    rng: random.Random, photograph: Photograph, size: tuple[int, int], aim: Box | None, fill: bool = False
) -> View:
    """A view round one of the photograph's plates (or a chance place), with the plate at a random width.

    With `fill` the photograph is large enough to fill the scene.
    """
    height, width = size
    image_height, image_width = photograph.image.shape[:2]
    nominal = 0.14 * image_width
    if aim is None and photograph.plates and rng.random() < 0.85:
        aim = rng.choice(photograph.plates)
    if aim is None:
        aim = (rng.random() * image_width, rng.random() * image_height, nominal, nominal / 3)
    wanted = plate_width(rng)
    scale = min(3.0, max(0.12, wanted / max(8.0, aim[2])))
    if fill:
        scale = max(scale, height / image_height, width / image_width)
    stretch = math.exp(rng.gauss(0, 0.05))
    roll = 0.0 if rng.random() < 0.6 else pasting.bounded(rng.gauss(0, 4), 14)
    mirror = -1 if rng.random() < 0.25 else 1
    angle = math.radians(roll)
    turn = np.array([(math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))])
    linear = turn @ np.diag([mirror * scale * stretch, scale / stretch])
    to = np.array([rng.uniform(0.06, 0.94) * width, rng.uniform(0.06, 0.94) * height])
    shift = to - linear @ (aim[0] + aim[2] / 2, aim[1] + aim[3] / 2)
    if fill or rng.random() < 0.8:
        shift += _moved_in(linear, shift, photograph.image.shape, size)
    return View(np.column_stack([linear, shift]), roll)


def _moved_in(
    linear: np.ndarray, shift: np.ndarray, shape: tuple[int, ...], size: tuple[int, int]
) -> np.ndarray:
    """The least move after which the photograph leaves no margin that it could fill."""
    corners = np.array([(0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0])]) @ linear.T + shift
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.array([size[1], size[0]], float)
    move = np.where(low > 0, -low, np.where(high < room, room - high, 0))
    return np.where(high - low >= room, move, 0)


def plate_width(rng: random.Random) -> float:
    """Mostly what a camera at the roadside or in a car sees, at times anything from tiny to huge."""
    if rng.random() < 0.7:
        return math.exp(rng.uniform(math.log(20), math.log(110)))
    return math.exp(rng.uniform(math.log(12), math.log(360)))


def covers(view: View, photograph: Photograph, height: int, width: int) -> bool:
    """Whether the photograph leaves nothing of a scene of this size empty."""
    high, wide = photograph.image.shape[:2]
    back = np.linalg.inv(np.vstack([view.matrix, (0, 0, 1)]))
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ back.T
    return bool((corners[:, :2] >= 0).all() and (corners[:, :2] <= (wide, high)).all())


def corners_of(box: Box) -> np.ndarray:
    """An upright box as a quad."""
    left, top, wide, high = box
    return np.array(
        [(left, top), (left + wide, top), (left + wide, top + high), (left, top + high)], np.float32
    )


def warp(canvas: np.ndarray, photograph: Photograph, matrix: np.ndarray, erased: Sequence[int]) -> None:
    """Draws the part of the photograph that the canvas shows, without the erased plates.

    Coordinates are continuous (a pixel's centre is at .5); OpenCV's are those of centres.
    """
    height, width = canvas.shape[:2]
    high, wide = photograph.image.shape[:2]
    back = np.linalg.inv(matrix[:, :2])
    corners = (np.array([(0, 0), (width, 0), (width, height), (0, height)]) - matrix[:, 2]) @ back.T
    x0, y0 = (max(0, int(value) - 3) for value in corners.min(axis=0))
    x1 = min(wide, int(corners[:, 0].max()) + 4)
    y1 = min(high, int(corners[:, 1].max()) + 4)
    if x1 - x0 < 16 or y1 - y0 < 16:
        return
    part = photograph.image[y0:y1, x0:x1]
    if erased:
        part = part.copy()
        for index in erased:
            _insert(part, photograph, index, x0, y0)
    shift = matrix[:, 2] + matrix[:, :2] @ (x0, y0)
    linear = matrix[:, :2]
    times = int(1 / math.sqrt(abs(np.linalg.det(linear))))
    if times > 1:  # whole numbers are several times as fast
        size = (part.shape[1] // times, part.shape[0] // times)
        part = cv2.resize(part[: size[1] * times, : size[0] * times], size, interpolation=cv2.INTER_AREA)
        linear = linear * times
    centred = shift + linear @ (0.5, 0.5) - 0.5
    cv2.warpAffine(
        part,
        np.column_stack([linear, centred]),
        (width, height),
        dst=canvas,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def _insert(part: np.ndarray, photograph: Photograph, index: int, x0: int, y0: int) -> None:
    patch = photograph.patches[index]
    left, top = patch.left - x0, patch.top - y0
    high, wide = patch.pixels.shape[:2]
    a, b = max(0, left), max(0, top)
    c, d = min(part.shape[1], left + wide), min(part.shape[0], top + high)
    if c > a and d > b:
        part[b:d, a:c] = patch.pixels[b - top : d - top, a - left : c - left]
