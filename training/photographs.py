"""Real photographs with labelled plates, in memory, each plate with the patch that makes it vanish."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from training.labels import is_validation

Box = tuple[float, float, float, float]  # left, top, width, height in pixels

# Made with training.overlooked and looked through by eye.
PLACES = Path(__file__).with_name("places.csv")
_LONGEST_SIDE = 1280
_BLACK = 3.0  # mean brightness of a frame in which nothing can be seen


@dataclass(frozen=True)
class Patch:
    """Pixels that replace a part of a photograph, and where."""

    left: int
    top: int
    pixels: np.ndarray


@dataclass(frozen=True)
class Photograph:
    """A photograph. `patches[i]` hides `plates[i]`; in `ignored` there may or may not be a plate.

    `hard` are places without a plate in which a detector once saw one.
    """

    name: str
    image: np.ndarray
    plates: tuple[Box, ...]
    ignored: tuple[Box, ...] = ()
    hard: tuple[Box, ...] = ()
    texts: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = field(default=(), repr=False)
    weight: float = 1.0  # how often it is taken, next to the others


def load(folder: Path, places: Path | None = None) -> list[Photograph]:
    """The photographs of a folder with images/ and labels.csv, without black ones.

    `places` is a file like labels.csv of what its labels leave out: plates (no note), what may be one
    (`unsure`), and what is none but looks like one (`hard`).

    Raises:
        FileNotFoundError: a labelled picture is missing or cannot be decoded.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder / "labels.csv"):
        rows.setdefault(row["image"], []).append(row)
    for row in _rows(places) if places else ():
        if row["image"] in rows:
            rows[row["image"]].append(row)
    photographs = (_read(folder / "images" / name, labels) for name, labels in rows.items())
    return [photograph for photograph in photographs if photograph.image.mean() >= _BLACK]


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _read(path: Path, labels: Sequence[dict[str, str]]) -> Photograph:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(path)
    scale = min(1.0, _LONGEST_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    plates: list[Box] = []
    ignored: list[Box] = []
    hard: list[Box] = []
    texts: list[str] = []
    for row in labels:
        left, top, wide, high = (float(row[key]) * scale for key in ("x", "y", "w", "h"))
        note = row.get("note")
        if note in ("not-a-plate", "unsure"):
            ignored.append((left, top, wide, high))
        elif note == "hard":
            hard.append((left, top, wide, high))
        else:
            plates.append((left, top, wide, high))
            texts.append(row.get("plate_text", ""))
    return with_patches(
        Photograph(path.name, image, tuple(plates), tuple(ignored), tuple(hard), tuple(texts))
    )


def with_patches(photograph: Photograph) -> Photograph:
    """The same photograph with a patch for each plate."""
    patches = tuple(_patch(photograph.image, box) for box in photograph.plates)
    return replace(photograph, patches=patches)


def _patch(image: np.ndarray, box: Box) -> Patch:
    """The surroundings of a plate drawn in over it. Large ones are filled at a small scale: it is faster."""
    left, top, wide, high = box
    x0, y0 = max(0, int(left - 0.25 * wide)), max(0, int(top - 0.5 * high))
    x1 = min(image.shape[1], int(left + 1.25 * wide) + 1)
    y1 = min(image.shape[0], int(top + 1.5 * high) + 1)
    area = image[y0:y1, x0:x1]
    if area.size == 0:
        return Patch(0, 0, image[:0, :0].copy())
    scale = min(1.0, 80 / wide)
    small = cv2.resize(area, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else area
    ratio_y, ratio_x = small.shape[0] / area.shape[0], small.shape[1] / area.shape[1]
    mask = np.zeros(small.shape[:2], np.uint8)
    low = (int((left - 0.05 * wide - x0) * ratio_x), int((top - 0.12 * high - y0) * ratio_y))
    high_end = (
        int((left + 1.05 * wide - x0) * ratio_x) + 1,
        int((top + 1.12 * high - y0) * ratio_y) + 1,
    )
    cv2.rectangle(mask, low, high_end, 255, -1)
    filled = cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA)
    full = (area.shape[1], area.shape[0])
    inside = cv2.resize(mask, full, interpolation=cv2.INTER_NEAREST)[..., None] > 0
    return Patch(x0, y0, np.where(inside, cv2.resize(filled, full), area))


def split(photographs: Sequence[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Training and validation, parted by plate text: no text stands on both sides.

    The same car recurs in many frames, so a frame goes where its texts go. A frame with texts of both
    sides is left out. A frame without any text goes by its name.
    """
    sides: tuple[list[Photograph], list[Photograph]] = ([], [])
    for photograph in photographs:
        keys = {text for text in photograph.texts if text} or {photograph.name}
        held = {is_validation(key) for key in keys}
        if len(held) == 1:
            sides[held.pop()].append(photograph)
    return sides
