"""The camera: photographs a flat plate in its surroundings, with all that goes wrong on the way."""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np

_GREY = np.array([0.114, 0.587, 0.299], np.float32)


@dataclass(frozen=True)
class Shot:
    """A photograph cut as a detector's box, enlarged, would cut it.

    Attributes:
        image: uint8, rows x columns (grey) or rows x columns x 3 (BGR).
        quad: float32, 4 x 2: the plate's corners in pixels, upper left first, clockwise as the plate is read.
    """

    image: np.ndarray
    quad: np.ndarray


class Camera:
    """Photographs plates.

    Args:
        surroundings: Pictures (uint8, BGR) of what stands round plates, for backgrounds; may be empty.
        colour: Whether the photographs keep their colours.
    """

    def __init__(self, surroundings: list[np.ndarray], *, colour: bool) -> None:
        self._colour = colour
        self._surroundings = surroundings if colour else [_grey(p, None) for p in surroundings]

    def photograph(
        self, plate: np.ndarray, rng: random.Random, width: float = 0.0, care: float = 1.0
    ) -> Shot:
        """A photograph of `plate` (BGR or grey).

        Args:
            plate: The flat plate, or the cut-out of a real one.
            rng: Decides everything.
            width: Of the plate in pixels; 0 draws one, mostly 60 to 180, from 40 to 500.
            care: Below 1 for cut-outs of real photographs, which have faults of their own.
        """
        noise = np.random.default_rng(rng.getrandbits(64))
        flat = plate.astype(np.float32)
        if not self._colour and flat.ndim == 3:
            flat = _grey(flat, rng)
        quad, size = _pose(flat.shape[1], flat.shape[0], rng, width or _some_width(rng))
        plate_width = float(np.linalg.norm(quad[1] - quad[0]))
        scene = self._background(size, rng, noise)
        if rng.random() < 0.5:
            _recess(scene, quad, rng)
        scene = _mounted(scene, flat, quad, plate_width, rng)
        if self._colour:
            scene = _tinted(scene, rng)
        scene = _lit(scene, plate_width, rng, noise)
        scene = _taken(scene, plate_width, rng, noise, care)
        return Shot(scene, quad)

    def _background(
        self, size: tuple[int, int], rng: random.Random, noise: np.random.Generator
    ) -> np.ndarray:
        columns, rows = size
        if self._surroundings and rng.random() < 0.75:
            picture = cv2.resize(rng.choice(self._surroundings), (columns, rows)).astype(np.float32)
            return picture * np.float32(rng.uniform(0.5, 1.2))
        depth = (3,) if self._colour else ()
        blotches = noise.standard_normal((5, 8, *depth)).astype(np.float32) * rng.uniform(0, 40)
        return cv2.resize(blotches, (columns, rows)) + np.float32(rng.uniform(5, 235))


def _grey(image: np.ndarray, rng: random.Random | None) -> np.ndarray:
    if image.ndim == 2:
        return image.astype(np.float32)
    # An infrared camera sees the colours of a plate otherwise than the eye does.
    if rng is not None and rng.random() < 0.08:
        return image[..., rng.randrange(3)].astype(np.float32)
    return image.astype(np.float32) @ _GREY


def _some_width(rng: random.Random) -> float:
    return float(np.clip(rng.lognormvariate(4.6, 0.48), 40, 500))


def _pose(wide: int, high: int, rng: random.Random, width: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The corners of a plate `width` pixels wide in the enlarged box, and that box's size (columns, rows)."""
    extreme = 1.8 if rng.random() < 0.12 else 1.0
    turn = rng.gauss(0, 3.5) * extreme * np.pi / 180
    shear, across, along = (
        rng.gauss(0, 0.06) * extreme,
        rng.gauss(0, 0.04) * extreme,
        rng.gauss(0, 0.03) * extreme,
    )
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    flat = unit * [wide * rng.uniform(0.80 if extreme == 1 else 0.5, 1.03), high]
    quad = flat.copy()
    quad[:, 1] += quad[:, 0] * shear
    quad = quad @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    quad *= 1 + across * np.sign(flat[:, :1]) * [[0, 1]] + along * np.sign(flat[:, 1:]) * [[1, 0]]
    low, span = quad.min(0), quad.max(0) - quad.min(0)
    left, right = (max(0.01, rng.gauss(0.2, 0.06)) for _ in range(2))
    above, below = (max(0.02, rng.gauss(0.3, 0.1)) for _ in range(2))
    scale = width / span[0]
    size = int(span[0] * scale * (1 + left + right)), int(span[1] * scale * (1 + above + below))
    return ((quad - [low[0] - left * span[0], low[1] - above * span[1]]) * scale).astype(np.float32), size


def _recess(scene: np.ndarray, quad: np.ndarray, rng: random.Random) -> None:
    """The dark hollow that a plate sits in."""
    centre = quad.mean(0)
    wider = (quad - centre) * [rng.uniform(1.01, 1.12), rng.uniform(1.02, 1.3)] + centre
    shade = rng.uniform(0, 120)
    cv2.fillConvexPoly(scene, wider.astype(np.int32), (shade, shade, shade))


def _mounted(
    scene: np.ndarray, flat: np.ndarray, quad: np.ndarray, width: float, rng: random.Random
) -> np.ndarray:
    """The scene with the plate in its place."""
    high, wide = flat.shape[:2]
    shrink = wide / width
    if shrink > 1.2:
        flat = cv2.GaussianBlur(flat, (0, 0), shrink * rng.uniform(0.28, 0.5))
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, quad)
    size = (scene.shape[1], scene.shape[0])
    mask = cv2.warpPerspective(_rounded(wide, high, int(high * rng.uniform(0, 0.14))), matrix, size)
    seen = cv2.warpPerspective(flat, matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        seen = seen * np.float32(rng.uniform(0.6, 1)) + np.float32(rng.uniform(0, 25))
    if scene.ndim == 3:
        mask = mask[..., None]
    return scene + (seen - scene) * mask


def _rounded(wide: int, high: int, radius: int) -> np.ndarray:
    mask = np.zeros((high, wide), np.float32)
    mask[:, radius : wide - radius] = 1
    mask[radius : high - radius] = 1
    for x in (radius, wide - radius - 1):
        for y in (radius, high - radius - 1):
            if radius:
                cv2.circle(mask, (x, y), radius, 1.0, -1)
    return mask


def _tinted(scene: np.ndarray, rng: random.Random) -> np.ndarray:
    """White balance, saturation; at times no colour at all (infrared)."""
    pick = rng.random()
    if pick < 0.08:
        return np.repeat((scene @ _GREY)[..., None], 3, axis=2)
    balance = np.array([rng.uniform(0.82, 1.15) for _ in range(3)], np.float32)
    scene = scene * balance
    if pick < 0.7:
        grey = (scene @ _GREY)[..., None]
        scene = grey + (scene - grey) * np.float32(rng.uniform(0.25, 1.3))
    return scene


def _lit(scene: np.ndarray, width: float, rng: random.Random, noise: np.random.Generator) -> np.ndarray:
    """Uneven light, shadow edges, glare, dirt, exposure and contrast."""
    rows, columns = scene.shape[:2]
    spread = (lambda m: m[..., None]) if scene.ndim == 3 else (lambda m: m)
    if rng.random() < 0.4:
        shade = cv2.resize(noise.random((2, 3), np.float32), (columns, rows))
        scene = scene * spread(1 - np.float32(rng.uniform(0.1, 0.65)) * shade)
    if rng.random() < 0.1:
        shadow = np.ones((rows, columns), np.float32)
        points = np.array([[rng.randint(0, columns), rng.randint(0, rows)] for _ in range(4)], np.int32)
        cv2.fillPoly(shadow, [points], rng.uniform(0.3, 0.7))
        scene = scene * spread(shadow)
    if rng.random() < 0.07:
        glare = np.zeros((rows, columns), np.float32)
        at = (rng.randint(0, columns), rng.randint(0, rows))
        cv2.circle(glare, at, int(width * rng.uniform(0.08, 0.3)), rng.uniform(60, 200), -1)
        scene = scene + spread(cv2.GaussianBlur(glare, (0, 0), max(1, width * 0.08)))
    if rng.random() < 0.13:
        clean = noise.random((12, 24), np.float32) < rng.uniform(0.85, 0.97)
        dirt = cv2.resize(1 - clean.astype(np.float32), (columns, rows)) * 0.6
        scene = scene + (np.float32(rng.uniform(30, 160)) - scene) * spread(dirt)
    scene = 255 * np.power(np.clip(scene, 0, 255) / 255, np.float32(rng.uniform(0.5, 1.7)))
    contrast = rng.uniform(0.2, 1.15) if rng.random() < 0.6 else rng.uniform(0.8, 1.1)
    scene = scene * np.float32(contrast) + np.float32(rng.uniform(0, 255) * (1 - min(contrast, 1)))
    return scene * 1.4 + 20 if rng.random() < 0.12 else scene


def _taken(
    scene: np.ndarray, width: float, rng: random.Random, noise: np.random.Generator, care: float
) -> np.ndarray:
    """Defocus, motion, a coarser sensor, sharpening, noise, compression."""
    rows, columns = scene.shape[:2]
    pick, unit = rng.random(), max(0.6, width / 150) * care
    if pick < 0.5:
        scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.3, 1.4) * unit)
    elif pick < 0.68:
        scene = cv2.filter2D(
            scene, -1, _motion(rng.randint(2, max(3, int(width * care / 22))), rng.uniform(0, 180))
        )
    if rng.random() < 0.27 and width > 60:
        share = max(0.4, 40 / width, rng.uniform(0.45, 0.95))
        shrinking = rng.choice((cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST))
        coarse = cv2.resize(scene, None, fx=share, fy=share, interpolation=shrinking)
        scene = cv2.resize(
            coarse, (columns, rows), interpolation=rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC))
        )
    if rng.random() < 0.35:
        scene = scene + np.float32(rng.uniform(0.4, 2)) * (
            scene - cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.8, 2))
        )
    grain = rng.choice((0, 1, 3, 6, 10, 16)) * care
    if grain:
        scene = scene + noise.standard_normal(scene.shape, np.float32) * np.float32(grain)
    image = np.clip(scene, 0, 255).astype(np.uint8)
    if rng.random() < 0.75:
        flag = cv2.IMREAD_COLOR if image.ndim == 3 else cv2.IMREAD_GRAYSCALE
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(18, 92)]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], flag)
    return 255 - image if rng.random() < 0.015 else image


def _motion(length: int, angle: float) -> np.ndarray:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), angle, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return kernel / max(float(kernel.sum()), 1e-3)
