"""What the nets are shown: the enlarged box for the corner net, the rectified plate for the other two.

The service cuts the same windows (services/ocr/engine.py); a test holds both together.
"""

from __future__ import annotations

import random

import cv2
import numpy as np

CORNER_SIZE = (128, 64)
TEXT_SIZE = (128, 64)
ISSUER_SIZE = (256, 128)
# Rows of the issuer window, from above and from below, in which names and mottoes stand.
NAME_ROWS = 40
# Where the plate's corners lie in a rectified window, as shares of its width and height.
INSET = (0.03, 0.05)
# How much a box is enlarged at either side for the corner net, as shares of its width and height.
MARGIN = (0.2, 0.3)


def corner_window(image: np.ndarray) -> np.ndarray:
    """The enlarged box, grey, as the corner net takes it: uint8, 64 x 128."""
    method = cv2.INTER_AREA if image.shape[1] > CORNER_SIZE[0] else cv2.INTER_LINEAR
    return cv2.resize(image, CORNER_SIZE, interpolation=method)


def rectified(image: np.ndarray, quad: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The plate with corners `quad` (4 x 2 pixels), upright: size[1] x size[0], channels as in `image`."""
    wide, high = size
    x, y = INSET[0] * wide, INSET[1] * high
    shrink = float(np.linalg.norm(quad[1] - quad[0])) / wide
    if shrink > 1.25:
        image = cv2.GaussianBlur(image, (0, 0), shrink * 0.33)
    target = np.array([[x, y], [wide - x, y], [wide - x, high - y], [x, high - y]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    return cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def issuer_parts(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the issuer net sees of its window: the whole in half the size, and the strips that names stand in.

    Returns:
        The whole, uint8, 64 x 128 x 3; the upper and the lower strip in grey, uint8, 2 x NAME_ROWS x 256.
    """
    small = cv2.resize(window, (ISSUER_SIZE[0] // 2, ISSUER_SIZE[1] // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(window, cv2.COLOR_BGR2GRAY)
    return small, np.stack([grey[:NAME_ROWS], grey[-NAME_ROWS:]])


def issuer_whole(colour: np.ndarray, strips: np.ndarray) -> np.ndarray:
    """An issuer window of which `issuer_parts` are these: uint8, 128 x 256 x 3."""
    window = cv2.resize(colour, ISSUER_SIZE, interpolation=cv2.INTER_LINEAR).astype(np.int16)
    grey = cv2.cvtColor(window.astype(np.uint8), cv2.COLOR_BGR2GRAY)
    for rows, strip in ((slice(NAME_ROWS), strips[0]), (slice(-NAME_ROWS, None), strips[1])):
        window[rows] += (strip.astype(np.int16) - grey[rows])[..., None]
    return np.clip(window, 0, 255).astype(np.uint8)


def text_window(image: np.ndarray, quad: np.ndarray, lines: int, split: float) -> np.ndarray:
    """What the recogniser is shown: uint8, 64 x 128; the halves of a two-line plate side by side."""
    if lines == 1:
        return rectified(image, quad, TEXT_SIZE)
    upper, lower = halves(quad, split)
    half = (TEXT_SIZE[0] // 2, TEXT_SIZE[1])
    return np.hstack([rectified(image, upper, half), rectified(image, lower, half)])


def halves(quad: np.ndarray, split: float) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the upper and lower line of a plate whose lines part at `split` of its height."""
    left = quad[0] + (quad[3] - quad[0]) * split
    right = quad[1] + (quad[2] - quad[1]) * split
    return (
        np.array([quad[0], quad[1], right, left], np.float32),
        np.array([left, right, quad[2], quad[3]], np.float32),
    )


def shaken(quad: np.ndarray, rng: random.Random) -> np.ndarray:
    """The corners as an imperfect corner net, or now and then only the detector's box, would give them."""
    low, high = quad.min(0), quad.max(0)
    span = high - low
    if rng.random() < 0.15:
        a = low - span * [rng.uniform(-0.02, 0.1), rng.uniform(-0.03, 0.15)]
        b = high + span * [rng.uniform(-0.02, 0.1), rng.uniform(-0.03, 0.15)]
        return np.array([a, [b[0], a[1]], b, [a[0], b[1]]], np.float32)
    each = np.array([[rng.gauss(0, 0.011), rng.gauss(0, 0.022)] for _ in range(4)]) * span
    centre = quad.mean(0)
    grown = [1 + rng.gauss(0.01, 0.02), 1 + rng.gauss(0.02, 0.045)]
    moved = [rng.gauss(0, 0.012) * span[0], rng.gauss(0, 0.025) * span[1]]
    return ((quad + each - centre) * grown + centre + moved).astype(np.float32)
