"""Puts a flat picture (a plate, a sticker) into a photograph: perspective, light, shadow, surround."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np


def quad_at(
    rng: random.Random, centre: tuple[float, float], wide: float, high: float, roll: float = 0.0
) -> np.ndarray:
    """Corners of a flat thing turned in space; `wide` is about its width there, `roll` in degrees."""
    yaw, pitch = math.radians(bounded(rng.gauss(0, 18), 58)), math.radians(bounded(rng.gauss(0, 11), 40))
    turn = math.radians(roll + bounded(rng.gauss(0, 3), 15))
    flat = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    x, y = flat[:, 0] * math.cos(yaw), flat[:, 1] * math.cos(pitch)
    depth = flat[:, 0] * math.sin(yaw) + flat[:, 1] * math.sin(pitch)
    nearness = 1 / (1 + depth / (wide * rng.uniform(2.5, 12)))
    # A plate that is turned away looks narrower; the asked-for width is kept half-way.
    x, y = x * nearness / math.sqrt(math.cos(yaw)), y * nearness
    sheared = y + x * math.tan(math.radians(bounded(rng.gauss(0, 3), 12)))
    turned = np.stack(
        [x * math.cos(turn) - sheared * math.sin(turn), x * math.sin(turn) + sheared * math.cos(turn)], axis=1
    )
    return (turned + centre).astype(np.float32)


def bounded(value: float, limit: float) -> float:
    """`value`, but no further than `limit` from zero."""
    return max(-limit, min(limit, value))


def paste(
    rng: random.Random,
    canvas: np.ndarray,
    picture: np.ndarray,
    quad: np.ndarray,
    cover: np.ndarray | None = None,
) -> None:
    """Draws `picture` into `canvas` with its corners at `quad`, lit as its place is; `cover` is its alpha."""
    window = _window(quad, canvas.shape)
    if window is None:
        return
    left, top, right, bottom = window
    place = canvas[top:bottom, left:right]
    local = quad - np.array([left, top], np.float32)
    if cover is None and rng.random() < 0.4:
        _surround(rng, place, local)
    picture, cover = _shrunk(picture, cover, quad)
    lit = _lit(rng, picture, place)
    if rng.random() < 0.5:
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 0.9))
    high, wide = picture.shape[:2]
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(corners, local - np.float32(0.5))
    size = (right - left, bottom - top)
    drawn = cv2.warpPerspective(lit, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    whole = np.full((high, wide), 255, np.uint8) if cover is None else cover
    share = cv2.warpPerspective(whole, matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.15:
        drawn = _half_shaded(rng, drawn)
    mix(place, drawn, share)


def _window(quad: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the part of the canvas that the quad and its surround touch."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    margin = 0.3 * (high - low) + 3
    left, top = (max(0, int(value)) for value in low - margin)
    right = min(shape[1], int(high[0] + margin[0]) + 1)
    bottom = min(shape[0], int(high[1] + margin[1]) + 1)
    return (left, top, right, bottom) if right - left >= 4 and bottom - top >= 4 else None


def mix(place: np.ndarray, drawn: np.ndarray, share: np.ndarray) -> None:
    """Writes `drawn` over `place` by `share` (0..255) of each pixel."""
    weight = share[..., None].astype(np.float32) * (1 / 255)
    place[:] = (place + (drawn.astype(np.float32) - place) * weight + 0.5).astype(np.uint8)


def _shrunk(
    picture: np.ndarray, cover: np.ndarray | None, quad: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture at no more than about the size it will have, so that warping does not alias."""
    wide = max(float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[2] - quad[3])))
    high = max(float(np.linalg.norm(quad[3] - quad[0])), float(np.linalg.norm(quad[2] - quad[1])))
    size = (
        max(4, min(picture.shape[1], round(wide * 1.1))),
        max(4, min(picture.shape[0], round(high * 1.1))),
    )
    if size == (picture.shape[1], picture.shape[0]):
        return picture, cover
    small = None if cover is None else cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), small


def _lit(rng: random.Random, picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The picture in the light of the place: brightness, cast, veil and a slope of light across it."""
    around = place.reshape(-1, 3).mean(axis=0) + 1
    level = float(around.mean())
    white = float(np.percentile(picture[::3, ::3], 90)) + 1
    if rng.random() < 0.6:
        gain = min(255.0, max(35.0, level * math.exp(rng.gauss(0.35, 0.5)))) / white
    else:
        gain = rng.uniform(0.3, 1.15)
    cast = (around / level) ** rng.uniform(0, 0.8)
    veil = rng.uniform(0, 0.3) if rng.random() < 0.35 else 0.0
    factor = (gain * (1 - veil) * cast).astype(np.float32)
    slope = np.linspace(rng.uniform(0.75, 1.1), rng.uniform(0.75, 1.1), picture.shape[0], dtype=np.float32)
    lit = picture * (factor[None, None] * slope[:, None, None]) + veil * around * 1.2
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _surround(rng: random.Random, place: np.ndarray, quad: np.ndarray) -> None:
    """A holder, a recess or a shadow round the plate."""
    centre = quad.mean(axis=0)
    grown = centre + (quad - centre) * [rng.uniform(1.02, 1.2), rng.uniform(1.04, 1.35)]
    grown += [rng.gauss(0, 1), rng.gauss(0.5, 1.5)]
    mask: np.ndarray = np.zeros(place.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(grown * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    if rng.random() < 0.4:
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.6, 3))
    if rng.random() < 0.5:  # a shade of what is there
        drawn = np.clip(place * rng.uniform(0.2, 1.3), 0, 255).astype(np.uint8)
    else:
        level = rng.randint(5, 60) if rng.random() < 0.7 else rng.randint(60, 240)
        drawn = np.full_like(place, level)
    mix(place, drawn, mask)


def _half_shaded(rng: random.Random, drawn: np.ndarray) -> np.ndarray:
    """The edge of a shadow runs across."""
    high, wide = drawn.shape[:2]
    mask = np.zeros((high, wide), np.uint8)
    at, slope = rng.uniform(0.2, 0.8), rng.uniform(-0.5, 0.5)
    if rng.random() < 0.5:
        edge = [(0, int(high * (at - slope / 2))), (wide, int(high * (at + slope / 2))), (wide, 0), (0, 0)]
    else:
        edge = [(int(wide * (at - slope / 2)), 0), (int(wide * (at + slope / 2)), high), (0, high), (0, 0)]
    cv2.fillPoly(mask, [np.array(edge, np.int32)], 255)
    dark = np.clip(drawn * rng.uniform(0.35, 0.8), 0, 255).astype(np.uint8)
    mix(drawn, dark, mask)
    return drawn
