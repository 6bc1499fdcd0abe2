"""What a camera does to a whole frame: light, blur, motion, coarse sensors, noise, JPEG, infrared."""

from __future__ import annotations

import random

import cv2
import numpy as np

_NOISE_SIDE = 1024


class Exposure:
    """Takes frames. The noise is drawn once and cut at random: to draw it anew costs more than the rest."""

    def __init__(self, seed: int) -> None:
        noise = np.random.default_rng(seed).normal(0, 16, (_NOISE_SIDE, _NOISE_SIDE, 3))
        self._noise = np.clip(noise, -64, 64).astype(np.int8)

    def take(self, rng: random.Random, image: np.ndarray) -> np.ndarray:
        """A photograph of `image` (uint8 BGR), of the same size and geometry."""
        image = cv2.LUT(image, _curves(rng))
        image = _blur(rng, image)
        if rng.random() < 0.45:
            image = self._grain(rng, image)
        if rng.random() < 0.45:
            quality = int(rng.triangular(12, 95, 60))
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        if rng.random() < 0.15:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return image

    def _grain(self, rng: random.Random, image: np.ndarray) -> np.ndarray:
        high, wide = image.shape[:2]
        top, left = rng.randint(0, _NOISE_SIDE - high), rng.randint(0, _NOISE_SIDE - wide)
        cut = self._noise[top : top + high, left : left + wide]
        if rng.random() < 0.5:  # the same in all channels: brightness noise
            cut = np.repeat(cut[..., :1], 3, axis=2)
        noisy = cv2.scaleAdd(cut.astype(np.float32), rng.uniform(0.1, 0.9), image.astype(np.float32))
        return noisy.clip(0, 255).astype(np.uint8)


def _curves(rng: random.Random) -> np.ndarray:
    """A tone curve a channel, as a table [256, 1, 3]: gamma, gain, black level, a cast."""
    ramp = np.arange(256, dtype=np.float32) / 255
    gamma = float(np.exp(rng.gauss(0, 0.3)))
    gain, black = rng.uniform(0.7, 1.25), rng.uniform(-0.06, 0.1)
    if rng.random() < 0.1:  # night, or far too short an exposure
        gain *= rng.uniform(0.35, 0.65)
    table = []
    for _ in range(3):
        cast = float(np.exp(rng.gauss(0, 0.06)))
        table.append(np.clip(ramp**gamma * gain * cast + black, 0, 1) * 255)
    return np.stack(table, axis=-1)[:, None].astype(np.uint8)


def _blur(rng: random.Random, image: np.ndarray) -> np.ndarray:
    chance = rng.random()
    if chance < 0.3:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    if chance < 0.42:
        return cv2.filter2D(image, -1, _motion(rng))
    if chance < 0.55:  # a coarse sensor, enlarged
        share = rng.uniform(0.5, 0.9)
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        way = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])
        return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=way)
    if chance < 0.68:  # sharpened in the camera
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 1.6))
        amount = rng.uniform(0.3, 1.2)
        return cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    return image


def _motion(rng: random.Random) -> np.ndarray:
    """A line as a kernel: the way an object took while the shutter was open."""
    size = rng.choice([3, 5, 5, 7, 9])
    kernel = np.zeros((size, size), np.float32)
    slope = rng.uniform(-0.6, 0.6)
    middle = size // 2
    ends = [(0, round(middle - slope * middle)), (size - 1, round(middle + slope * middle))]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    if rng.random() < 0.3:
        kernel = kernel.T
    return np.asarray(kernel / kernel.sum())
