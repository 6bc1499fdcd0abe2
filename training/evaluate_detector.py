"""Measures an exported detector on the held-back photographs, at several input sizes, and shows its errors.

python -m training.evaluate_detector --data FOLDER --model detector.onnx [--sheet errors.png]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from training import detector_evaluation as evaluation
from training import photographs
from training.labels import SETS
from training.photographs import Box, Photograph
from training.targets import Plate, decode
from training.views import corners_of

_TILE = (200, 140)
_COLUMNS = 8
_SHOWN = 64


def detector(model: Path) -> evaluation.Detector:
    """The exported net on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def detect(image: np.ndarray) -> evaluation.Maps:
        score, box, corners = session.run(None, {"image": image[None]})
        return score[0], box[0], corners[0]

    return detect


def held_back(data: Path, places: Path | None) -> list[Photograph]:
    """The photographs that no training sees."""
    return [one for name in SETS for one in photographs.split(photographs.load(data / name, places))[1]]


def examples(pictures: list[Photograph]) -> list[evaluation.Example]:
    """Photographs as they are, with their labels."""
    return [
        evaluation.Example(
            picture.image,
            tuple(Plate(corners_of(box), corners_known=False) for box in picture.plates),
            picture.ignored,
        )
        for picture in pictures
    ]


def tile(image: np.ndarray, box: Box, text: str) -> np.ndarray:
    """The box with some of what is round it, and a line of text."""
    left, top, wide, high = box
    half = max(wide * 1.1, high * 1.6)
    scale = _TILE[0] / (2 * half)
    shift = (_TILE[0] / 2 - (left + wide / 2) * scale, _TILE[1] / 2 - (top + high / 2) * scale)
    matrix = np.array([(scale, 0, shift[0]), (0, scale, shift[1])])
    cut = cv2.warpAffine(image, matrix, _TILE, flags=cv2.INTER_AREA)
    x, y = round(wide * scale / 2), round(high * scale / 2)
    middle = (_TILE[0] // 2, _TILE[1] // 2)
    cv2.rectangle(cut, (middle[0] - x, middle[1] - y), (middle[0] + x, middle[1] + y), (0, 255, 0), 1)
    cv2.putText(cut, text, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 255, 255), 1)
    return cut


def sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """Tiles in rows."""
    filled = tiles + [np.zeros((_TILE[1], _TILE[0], 3), np.uint8)] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(filled[at : at + _COLUMNS]) for at in range(0, len(filled), _COLUMNS)])


def errors(
    detect: evaluation.Detector, pictures: list[Photograph], longest: int, threshold: float
) -> list[np.ndarray]:
    """Tiles of missed plates and of false boxes, the worst first."""
    missed: list[tuple[float, np.ndarray]] = []
    false: list[tuple[float, np.ndarray]] = []
    for picture in pictures:
        image, scale = evaluation.frame(picture.image, longest)
        found = [(one.score, evaluation.scaled(one.box, 1 / scale)) for one in decode(*detect(image), 0.02)]
        for plate in picture.plates:
            score = max((score for score, box in found if evaluation.meets(box, plate)), default=0.0)
            if score < threshold:
                text = f"missed {score:.2f} {plate[2] * scale:.0f}px {picture.name[-12:]}"
                missed.append((score, tile(picture.image, plate, text)))
        known = [*picture.plates, *picture.ignored]
        for score, box in found:
            if score >= threshold and not any(evaluation.meets(box, other) for other in known):
                text = f"false {score:.2f} {box[2] * scale:.0f}px {picture.name[-12:]}"
                false.append((-score, tile(picture.image, box, text)))
    return [drawn for kind in (missed, false) for _, drawn in sorted(kind, key=lambda pair: pair[0])[:_SHOWN]]


def main() -> None:
    """Prints the figures, writes the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--places", type=Path, default=photographs.PLACES)
    parser.add_argument("--threshold", type=float, default=evaluation.THRESHOLD)
    parser.add_argument("--sizes", type=int, nargs="*", default=[evaluation.LONGEST])
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    detect, pictures = detector(given.model), held_back(given.data, given.places)
    for longest in given.sizes:
        start = time.process_time()
        report = evaluation.evaluate(detect, examples(pictures), longest)
        spent = (time.process_time() - start) / len(pictures) * 1000
        print(f"[longer side {longest}] {report.plates} plates, {spent:.1f} CPU ms a frame")
        print("\n".join(report.lines(given.threshold)))
    if given.sheet:
        cv2.imwrite(str(given.sheet), sheet(errors(detect, pictures, evaluation.LONGEST, given.threshold)))


if __name__ == "__main__":
    main()
