"""Finds photographs of the training set that are also in a measuring set, by perceptual hash.

python -m training.twins --train DIR --measure DIR   prints a line for each pair; exit status 1 with any.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

_SIDE = 16
# Of 256 bits: photographs of different things differ in about 100, the same one compressed anew in under 20.
_ALIKE = 30


def fingerprint(image: np.ndarray) -> np.ndarray:
    """256 bits: whether each cell is lighter than its right neighbour, in a picture of 16 x 17 cells."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


def twins(train: Path, measure: Path) -> Iterator[tuple[Path, Path, int]]:
    """Pairs of pictures that are alike, with the number of differing bits; a mirrored twin counts too."""
    prints = list(_prints(measure))
    known = np.array([mark for _, mark in prints])
    for path in _pictures(train):
        image = cv2.imread(str(path))
        for seen in (image, image[:, ::-1]):
            apart = (known != fingerprint(seen)).sum(1)
            for n in np.flatnonzero(apart <= _ALIKE):
                yield path, prints[n][0], int(apart[n])


def _prints(folder: Path) -> Iterator[tuple[Path, np.ndarray]]:
    for path in _pictures(folder):
        yield path, fingerprint(cv2.imread(str(path)))


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Finds training photographs that are in a measuring set.")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--measure", type=Path, required=True)
    options = parser.parse_args()
    found = list(twins(options.train, options.measure))
    for one, other, bits in found:
        print(f"{one.name} {other.name} {bits} bits apart")
    print(f"{len(found)} pairs")
    sys.exit(bool(found))
