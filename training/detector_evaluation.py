"""How well a detector finds plates: recall by width, false boxes a frame, error of the corners.

A frame goes in with its longer side at 624 pixels (`frame`): 1280 x 720 becomes 640 x 352 with its
margin, a tenth cheaper than at 640 and no worse. Where nothing was found, a second
pass at 1024 or 320 pixels found half a point more at 0.35, two points at 0.40. Boxes count from
THRESHOLD on; where a frame has none, its best is worth reading from 0.2 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from training.photographs import Box
from training.targets import Found, Plate, decode, iou

Maps = tuple[np.ndarray, np.ndarray, np.ndarray]  # score [h, w], box [4, h, w], corners [8, h, w]
Detector = Callable[[np.ndarray], Maps]  # takes uint8 [H, W, 3]

LONGEST = 624
THRESHOLD = 0.33
_EDGES = (16, 30, 60, 100, 160, 10_000)  # of the buckets of plate widths, in pixels of the net's input
_LOWEST = 0.02  # scores below are never looked at
_TIGHT, _LOOSE = 0.5, 0.3  # intersection over union


@dataclass(frozen=True)
class Example:
    """A picture with its plates."""

    image: np.ndarray
    plates: tuple[Plate, ...]
    ignored: tuple[Box, ...]


@dataclass
class Report:
    """One set's figures; `scores` of plates are 0 where nothing was found."""

    frames: int = 0
    plates: int = 0
    scores: list[float] = field(default_factory=list)  # by centre inside or IoU >= .3
    tight: list[float] = field(default_factory=list)  # by IoU >= .5
    widths: list[float] = field(default_factory=list)
    false: list[float] = field(default_factory=list)
    corner_errors: list[float] = field(default_factory=list)  # share of the plate's width

    def threshold(self, recall: float) -> float:
        """The score above which this share of the plates is found."""
        return float(np.quantile(self.scores, 1 - recall, method="lower")) if self.scores else 0.0

    def lines(self, threshold: float) -> list[str]:
        """The figures at a threshold, for people."""
        scores, tight, widths = (np.array(values) for values in (self.scores, self.tight, self.widths))
        parts = []
        for low, high in zip((0, *_EDGES), _EDGES, strict=False):
            here = (widths >= low) & (widths < high)
            if here.any():
                parts.append(f"{low}-{high}px {np.mean(scores[here] >= threshold):.3f} (n={here.sum()})")
        corner = np.array(self.corner_errors or [0.0])
        wrong = sum(score >= threshold for score in self.false) / max(1, self.frames)
        return [
            f"at {threshold:.2f}: found {np.mean(scores >= threshold):.4f}, "
            f"IoU.5 {np.mean(tight >= threshold):.4f}, false/frame {wrong:.3f}",
            "  by width: " + ", ".join(parts),
            f"  corners: mean {corner.mean():.4f}, p95 {np.quantile(corner, 0.95):.4f} of the plate's width",
            "  " + ", ".join(self._at_recall(recall) for recall in (0.9, 0.95, 0.98, 0.99)),
        ]

    def _at_recall(self, recall: float) -> str:
        score = self.threshold(recall)
        wrong = sum(other >= score for other in self.false) / max(1, self.frames)
        return f"recall {recall}: score {score:.2f} false {wrong:.2f}"


def frame(image: np.ndarray, longest: int = LONGEST) -> tuple[np.ndarray, float]:
    """The picture as the detector takes it, and its scale. Grey fills it up to multiples of 32."""
    scale = longest / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    below, right = -small.shape[0] % 32, -small.shape[1] % 32
    return cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(114,) * 3), scale


def evaluate(
    detect: Detector, examples: Iterable[Example], longest: int | None = LONGEST, overlap: float = 0.45
) -> Report:
    """Runs the detector over all examples. `longest` None takes the pictures as they are."""
    report = Report()
    for example in examples:
        image, scale = (example.image, 1.0) if longest is None else frame(example.image, longest)
        found = decode(*detect(image), _LOWEST, overlap)
        plates = [Plate(plate.quad * scale, plate.corners_known) for plate in example.plates]
        ignored = [scaled(box, scale) for box in example.ignored]
        _count(report, found, plates, ignored)
    return report


def scaled(box: Box, scale: float) -> Box:
    """The box in a picture enlarged so many times."""
    left, top, wide, high = box
    return left * scale, top * scale, wide * scale, high * scale


def _count(report: Report, found: Sequence[Found], plates: Sequence[Plate], ignored: Sequence[Box]) -> None:
    report.frames += 1
    report.plates += len(plates)
    for plate in plates:
        near = [one for one in found if meets(one.box, plate.box)]
        tight = [one for one in near if iou(one.box, plate.box) >= _TIGHT]
        report.scores.append(max((one.score for one in near), default=0.0))
        report.tight.append(max((one.score for one in tight), default=0.0))
        report.widths.append(plate.box[2])
        if plate.corners_known and tight:
            best = max(tight, key=lambda one: one.score)
            distance = np.linalg.norm(best.quad - plate.quad, axis=1).mean()
            report.corner_errors.append(float(distance) / plate.box[2])
    boxes = [plate.box for plate in plates] + list(ignored)
    report.false += [one.score for one in found if not any(meets(one.box, box) for box in boxes)]


def meets(box: Box, label: Box) -> bool:
    """The found box's centre lies in the label, or they overlap by at least .3."""
    x, y = box[0] + box[2] / 2 - label[0], box[1] + box[3] / 2 - label[1]
    return (0 <= x <= label[2] and 0 <= y <= label[3]) or iou(box, label) >= _LOOSE
