"""Pictures with known plates that no net was trained on: drawn ones in photographs, and real ones."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.camera import Camera
from training.fonts import Faces
from training.labels import Label, labels, readable, surroundings
from training.plates import draw

Box = tuple[float, float, float, float]

_LONG_SIDE = 1280
_HEIGHT = 720
# Seeds of trainings are small numbers; these plates are of another row.
_SEED = 77_000_000
_FEATHER = 0.08
# Share of pictures that are upside down or mirrored: a reading must know that it may be wrong for that.
_TURNED = 0.02
_WIDEST_ERASED = 0.15


@dataclass(frozen=True)
class Truth:
    """A plate in a picture. `issuer` is empty where the labels do not say."""

    box: Box
    text: str
    issuer: str


@dataclass(frozen=True)
class Example:
    """A picture (BGR) and its plates with a known text; `real` for photographs of real plates."""

    name: str
    image: np.ndarray
    plates: tuple[Truth, ...]
    real: bool


def drawn(data: Path, fonts: Path, count: int, start: int = 0) -> Iterator[Example]:
    """Photographs without their plates, with one drawn plate each, numbers `start` to `count` - 1."""
    faces = Faces(fonts)
    camera = Camera(surroundings(data, 300), colour=True)
    backgrounds = _backgrounds(data)
    for number in range(start, count):
        rng = random.Random(_SEED + number)
        plate = draw(rng, faces)
        shot = camera.photograph(plate.image, rng)
        canvas = _canvas(backgrounds, rng)
        if shot.image.shape[0] >= canvas.shape[0] or shot.image.shape[1] >= canvas.shape[1]:
            continue
        left = rng.randrange(canvas.shape[1] - shot.image.shape[1])
        top = rng.randrange(canvas.shape[0] - shot.image.shape[0])
        _lay(canvas, shot.image, left, top)
        quad = shot.quad + np.array([left, top], np.float32)
        low, high = quad.min(axis=0), quad.max(axis=0)
        if rng.random() < _TURNED:
            canvas, low, high = _turned(canvas, low, high, rng)
        box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        yield Example(f"drawn-{number}", canvas, (Truth(box, plate.text, plate.issuer),), real=False)


def _turned(
    canvas: np.ndarray, low: np.ndarray, high: np.ndarray, rng: random.Random
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture upside down or mirrored, and the box's corners in it."""
    size = np.array([canvas.shape[1], canvas.shape[0]], np.float32)
    if rng.random() < 0.5:
        return np.ascontiguousarray(canvas[::-1, ::-1]), size - high, size - low
    moved = (np.array([size[0] - high[0], low[1]]), np.array([size[0] - low[0], high[1]]))
    return np.ascontiguousarray(canvas[:, ::-1]), *moved


def photographed(data: Path) -> Iterator[Example]:
    """The photographs of the validation part, with the plates of that part."""
    rows: defaultdict[Path, list[Label]] = defaultdict(list)
    for label in readable(data, validation=True):
        rows[label.path].append(label)
    for path, found in sorted(rows.items()):
        image = cv2.imread(str(path))
        if image is not None:
            plates = tuple(Truth(one.box, one.text, _issuer(one.country)) for one in found)
            yield Example(path.name, image, plates, real=True)


def _issuer(country: str) -> str:
    code = country.upper()
    return "" if code in ("", "OTHER", "US") else code


def _backgrounds(data: Path) -> list[tuple[Path, list[Box]]]:
    """Photographs of the training part with the boxes of their plates."""
    boxes: defaultdict[Path, list[Box]] = defaultdict(list)
    for label in labels(data):
        boxes[label.path].append(label.box)
    return sorted(boxes.items())


def _canvas(backgrounds: list[tuple[Path, list[Box]]], rng: random.Random) -> np.ndarray:
    """A frame of 1280 x 720 from a photograph, its plates smeared out of it."""
    while True:
        path, boxes = rng.choice(backgrounds)
        image = cv2.imread(str(path))
        # A photograph that is all plate is no background.
        if max(w for _, _, w, _ in boxes) < _WIDEST_ERASED * image.shape[1]:
            break
    for x, y, w, h in boxes:
        x0, y0 = max(0, int(x - 0.1 * w)), max(0, int(y - 0.2 * h))
        part = image[y0 : int(y + 1.2 * h) + 1, x0 : int(x + 1.1 * w) + 1]
        if part.size:
            small = cv2.resize(part, (2, 2), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)
    scale = max(_LONG_SIDE / image.shape[1], _HEIGHT / image.shape[0])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    return np.ascontiguousarray(image[:_HEIGHT, :_LONG_SIDE])


def _lay(canvas: np.ndarray, picture: np.ndarray, left: int, top: int) -> None:
    """Puts the picture into the canvas, with soft edges."""
    high, wide = picture.shape[:2]
    mask = np.zeros((high, wide), np.float32)
    edge = max(2, int(_FEATHER * min(high, wide)))
    mask[edge // 2 : high - edge // 2, edge // 2 : wide - edge // 2] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), edge / 3)[..., None]
    place = canvas[top : top + high, left : left + wide]
    place[:] = (picture * mask + place * (1 - mask)).astype(np.uint8)
