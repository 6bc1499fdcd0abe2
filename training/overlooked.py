"""Finds what a detector sees in the training photographs beside their labels, for people to look at.

python -m training.overlooked --data FOLDER --model detector.onnx --out places.csv --sheet places.png

Some of it is plates that the labels leave out, which must not be learnt as background; the rest is what
the detector should see more often. Each row gets its note by hand: empty for a plate, `unsure` for what
may be one, `hard` for what is none, and goes into places.csv in this folder.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from training import detector_evaluation as evaluation
from training import photographs
from training.evaluate_detector import detector, sheet, tile
from training.labels import SETS
from training.photographs import Box, Photograph
from training.targets import decode, iou

_SIDES = (640, 960)  # of the frame's longer side, each tried


@dataclass(frozen=True)
class Place:
    """Where the detector saw something."""

    photograph: Photograph
    box: Box
    score: float


def places(detect: evaluation.Detector, photograph: Photograph, least: float) -> Iterator[Place]:
    """What is found with at least this score and meets no label; the best of several that overlap."""
    known = [*photograph.plates, *photograph.ignored, *photograph.hard]
    for side in _SIDES:
        image, scale = evaluation.frame(photograph.image, side)
        for one in decode(*detect(image), least):
            box = evaluation.scaled(one.box, 1 / scale)
            if not any(evaluation.meets(box, other) or iou(box, other) > 0.2 for other in known):
                known.append(box)
                yield Place(photograph, box, one.score)


def main() -> None:
    """Writes the places and their picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--known", type=Path, default=photographs.PLACES, help="of earlier rounds: left out")
    parser.add_argument("--least", type=float, default=0.25)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, required=True)
    given = parser.parse_args()
    detect = detector(given.model)
    found: list[Place] = []
    for name in SETS:
        for photograph in photographs.load(given.data / name, given.known):
            found += places(detect, photograph, given.least)
    with given.out.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["image", "x", "y", "w", "h", "note", "score"])
        for place in found:
            box = [round(value, 1) for value in place.box]
            writer.writerow([place.photograph.name, *box, "unsure", round(place.score, 3)])
    tiles = [
        tile(place.photograph.image, place.box, f"{number} {place.score:.2f} {place.box[2]:.0f}px")
        for number, place in enumerate(found)
    ]
    cv2.imwrite(str(given.sheet), sheet(tiles))
    print(f"{len(found)} places")


if __name__ == "__main__":
    main()
