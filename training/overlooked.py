"""Finds what a detector sees in the training photographs beside their labels, for people to look at.

python -m training.overlooked --data FOLDER --model detector.onnx --out places.csv --sheet places.png

Some of it is plates that the labels leave out, which must not be learnt as background; the rest is what
the detector should see more often. Each row gets its note by hand: empty for a plate, `unsure` for what
may be one, `hard` for what is none. `training.train_detector --places FILE` takes the file.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from training import detector_evaluation as evaluation
from training import photographs
from training.labels import SETS
from training.photographs import Box, Photograph
from training.targets import decode, iou

_TILE = (150, 110)
_COLUMNS = 12
_SIDES = (640, 1280)  # of the frame's longer side, each tried


@dataclass(frozen=True)
class Place:
    """Where the detector saw something."""

    photograph: Photograph
    box: Box
    score: float


def detector(model: Path) -> evaluation.Detector:
    """The exported net on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def detect(image: np.ndarray) -> evaluation.Maps:
        score, box, corners = session.run(None, {"image": image[None]})
        return score[0], box[0], corners[0]

    return detect


def places(detect: evaluation.Detector, photograph: Photograph, least: float) -> Iterator[Place]:
    """What is found with at least this score and meets no label; the best of several that overlap."""
    known = [*photograph.plates, *photograph.ignored]
    for side in _SIDES:
        image, scale = evaluation.frame(photograph.image, side)
        for one in decode(*detect(image), least):
            box = evaluation.scaled(one.box, 1 / scale)
            if not any(evaluation.meets(box, other) or iou(box, other) > 0.2 for other in known):
                known.append(box)
                yield Place(photograph, box, one.score)


def sheet(found: list[Place]) -> np.ndarray:
    """A picture of all places, numbered, with some of what is round them."""
    tiles = []
    for number, place in enumerate(found):
        left, top, wide, high = place.box
        centre = (left + wide / 2, top + high / 2)
        half = max(wide * 1.1, high * 1.6)
        scale = _TILE[0] / (2 * half)
        matrix = np.array(
            [(scale, 0, _TILE[0] / 2 - centre[0] * scale), (0, scale, _TILE[1] / 2 - centre[1] * scale)]
        )
        tile = cv2.warpAffine(place.photograph.image, matrix, _TILE, flags=cv2.INTER_AREA)
        text = f"{number} {place.score:.2f} {wide:.0f}"
        cv2.putText(tile, text, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 255, 255), 1)
        tiles.append(tile)
    tiles += [np.zeros((_TILE[1], _TILE[0], 3), np.uint8)] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[at : at + _COLUMNS]) for at in range(0, len(tiles), _COLUMNS)])


def main() -> None:
    """Writes the places and their picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--known", type=Path, help="places of an earlier round, which are left out")
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
    cv2.imwrite(str(given.sheet), sheet(found))
    print(f"{len(found)} places")


if __name__ == "__main__":
    main()
