"""The labelled photographs: reading labels.csv and splitting it by plate text."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SETS = ("ro", "mixed", "br-mixed")
_VALIDATION_PERCENT = 15


@dataclass(frozen=True)
class Label:
    """A plate in a photograph: box in pixels, text (maybe empty), country as labelled, note, text lines."""

    path: Path
    text: str
    box: tuple[float, float, float, float]
    country: str
    note: str
    lines: int


def labels(data: Path) -> Iterator[Label]:
    """Every label of the training sets in the folder `data`, those without a text too."""
    stacked = _two_line(data)
    for name in SETS:
        with (data / name / "labels.csv").open(encoding="utf-8", newline="") as opened:
            for number, row in enumerate(csv.DictReader(opened)):
                text = re.sub("[^A-Z0-9]", "", row["plate_text"].upper())
                x, y, w, h = (float(row[k]) for k in "xywh")
                lines = 2 if (name, number) in stacked else 1
                yield Label(
                    data / name / "images" / row["image"],
                    text,
                    (x, y, w, h),
                    row["country"],
                    row["note"],
                    lines,
                )


def readable(data: Path, *, validation: bool) -> list[Label]:
    """Labels with a text and without a note; all photographs of one plate are in the same part."""
    return [x for x in labels(data) if x.text and not x.note and is_validation(x.text) == validation]


def is_validation(text: str) -> bool:
    """Whether the plate with this text belongs to the validation part."""
    return int(hashlib.sha256(f"v:{text}".encode()).hexdigest(), 16) % 100 < _VALIDATION_PERCENT


def cut(
    image: np.ndarray, box: tuple[float, float, float, float], margin: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """The part of `image` in `box`, enlarged by shares of its width and height, as far as the image goes."""
    x, y, w, h = box
    top, left = max(0, int(y - margin[1] * h)), max(0, int(x - margin[0] * w))
    return image[top : int(y + h + margin[1] * h), left : int(x + w + margin[0] * w)]


def surroundings(data: Path, most: int) -> list[np.ndarray]:
    """Pictures (uint8, 96 x 160, BGR) of what really stands above and below plates."""
    found: list[np.ndarray] = []
    for label in sorted(
        readable(data, validation=False), key=lambda x: hashlib.sha256(str(x.box).encode()).digest()
    ):
        x, y, w, h = label.box
        image = cv2.imread(str(label.path)) if w >= 25 else None
        for shift in (-1.3, 1.3):
            part = (
                cut(image, (x, y + shift * h, w, h), (0.3, 0.5)) if image is not None else np.zeros((0, 0, 3))
            )
            if part.shape[0] > 16 and part.shape[1] > 32:
                found.append(cv2.resize(part, (160, 96)))
        if len(found) >= most:
            break
    return found


def _two_line(data: Path) -> set[tuple[str, int]]:
    with (data / "two_line.csv").open(encoding="utf-8", newline="") as opened:
        return {(row["set"], int(row["row"])) for row in csv.DictReader(opened) if row["flag"] == "two-line"}
