"""What the detector's maps mean: plates into maps, and maps back into plates. One cell is 8 x 8 pixels.

A plate is a quad: upper left, upper right, lower right, lower left as it is read, in pixels. Its box is the
upright rectangle round them. `box` is dx, dy (centre in cells from the cell's index), log(width / 32) and
log(height / 16); `corners` are relative to the centre in units of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STRIDE = 8
_BOX_UNIT = np.array([32.0, 16.0])
# The bump round a centre, as a share of the plate's size, and its least width in cells.
_SPREAD, _LEAST_SPREAD = 0.13, 0.6
# Cells this close to the centre (height of the bump) also learn the geometry.
_NEAR = 0.55


@dataclass(frozen=True)
class Plate:
    """A plate in a picture. `corners_known` is false where the quad is only the label's upright box."""

    quad: np.ndarray
    corners_known: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the upright rectangle round the corners."""
        return box_of(self.quad)


@dataclass(frozen=True)
class Maps:
    """What the net should say, and where each part counts. Leading size of all: [channels,] h, w."""

    heat: np.ndarray  # 1 at centres, falling off round them
    counted: np.ndarray  # 0 where the score is nobody's business
    box: np.ndarray  # [4, h, w]
    corners: np.ndarray  # [8, h, w]
    box_counts: np.ndarray
    corners_count: np.ndarray


def box_of(quad: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, width, height of the upright rectangle round a quad."""
    left, top = quad.min(axis=0)
    right, bottom = quad.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def encode(
    plates: Sequence[Plate],
    ignored: Sequence[tuple[float, float, float, float]],
    height: int,
    width: int,
) -> Maps:
    """The maps for a picture of `height` x `width` pixels. A centre outside the picture is left out."""
    rows, columns = height // STRIDE, width // STRIDE
    maps = Maps(
        heat=np.zeros((rows, columns), np.float32),
        counted=np.ones((rows, columns), np.float32),
        box=np.zeros((4, rows, columns), np.float32),
        corners=np.zeros((8, rows, columns), np.float32),
        box_counts=np.zeros((rows, columns), np.float32),
        corners_count=np.zeros((rows, columns), np.float32),
    )
    for left, top, wide, high in ignored:
        first_row, last_row = max(0, int(top // STRIDE)), int((top + high) // STRIDE) + 1
        first_column, last_column = max(0, int(left // STRIDE)), int((left + wide) // STRIDE) + 1
        maps.counted[first_row : max(0, last_row), first_column : max(0, last_column)] = 0
    for plate in sorted(plates, key=lambda plate: -plate.box[2]):
        _put(maps, plate)
    return maps


def _put(maps: Maps, plate: Plate) -> None:
    left, top, wide, high = plate.box
    centre = np.array([left + wide / 2, top + high / 2])
    column, row = (int(value) for value in centre // STRIDE)
    rows, columns = maps.heat.shape
    if not (0 <= column < columns and 0 <= row < rows):
        return
    spread_x = max(_LEAST_SPREAD, wide / STRIDE * _SPREAD)
    spread_y = max(_LEAST_SPREAD, high / STRIDE * _SPREAD)
    # Three spreads from the centre nothing is left of the bump.
    reach_x, reach_y = int(3 * spread_x) + 1, int(3 * spread_y) + 1
    x = np.arange(max(0, column - reach_x), min(columns, column + reach_x + 1))
    y = np.arange(max(0, row - reach_y), min(rows, row + reach_y + 1))
    bump = np.exp(
        -((y[:, None] - row) ** 2) / (2 * spread_y**2) - (x[None, :] - column) ** 2 / (2 * spread_x**2)
    ).astype(np.float32)
    area = np.s_[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    np.maximum(maps.heat[area], bump, out=maps.heat[area])
    maps.counted[row, column] = 1
    maps.heat[row, column] = 1
    near = bump >= _NEAR
    size = np.log(np.array([wide, high]) / _BOX_UNIT)
    relative = ((plate.quad - centre) / [wide, high]).reshape(8)
    maps.box[0][area][near] = np.broadcast_to(centre[0] / STRIDE - x[None, :], bump.shape)[near]
    maps.box[1][area][near] = np.broadcast_to(centre[1] / STRIDE - y[:, None], bump.shape)[near]
    maps.box[2][area][near], maps.box[3][area][near] = size
    for channel in range(8):
        maps.corners[channel][area][near] = relative[channel]
    maps.box_counts[area][near] = 1
    maps.corners_count[area][near] = float(plate.corners_known)


@dataclass(frozen=True)
class Found:
    """A plate as the maps tell it: `box` is left, top, width, height in pixels, `quad` its corners."""

    score: float
    box: tuple[float, float, float, float]
    quad: np.ndarray


def decode(
    score: np.ndarray, box: np.ndarray, corners: np.ndarray, threshold: float, overlap: float = 0.45
) -> list[Found]:
    """Plates of at least `threshold` in maps [h, w], [4, h, w], [8, h, w] with peaks only; best first.

    Of two that overlap by more than `overlap` (intersection over union) the better one stays.
    """
    found: list[Found] = []
    rows, columns = np.nonzero(score >= threshold)
    for index in np.argsort(-score[rows, columns], kind="stable"):
        row, column = rows[index], columns[index]
        dx, dy, wide, high = box[:, row, column]
        centre = np.array([(column + dx) * STRIDE, (row + dy) * STRIDE])
        size = np.exp([wide, high]) * _BOX_UNIT
        left, top = centre - size / 2
        candidate = (float(left), float(top), float(size[0]), float(size[1]))
        if all(iou(candidate, other.box) <= overlap for other in found):
            quad = centre + corners[:, row, column].reshape(4, 2) * size
            found.append(Found(float(score[row, column]), candidate, quad))
    return found


def iou(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    both = common_area(one, other)
    return both / (one[2] * one[3] + other[2] * other[3] - both + 1e-9)


def common_area(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes (left, top, width, height) have in common, square pixels."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)
