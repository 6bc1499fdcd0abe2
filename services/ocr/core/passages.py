"""When a passage gets its read, which of its frames is the best, and when a second read is owed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from services.ocr.core.reading import Reading

_SHARPNESS_WIDTH: Final = 128
_UNREADABLE: Final = 0.01


@dataclass(frozen=True, slots=True)
class PassageSettings:
    """When a read is written, in seconds of the frames' own clock since the plate was seen first.

    Attributes:
        sure: A text this probable, from `least_frames` frames, waits no longer.
        least_frames: One frame alone is never sure enough.
        fair: A text this probable waits `patience_seconds` at most: a hit must not wait for the car to go.
        patience_seconds: See `fair`.
        longest_seconds: No text waits longer: a plate still too far to be read well, and the sender's memory.
    """

    sure: float = 0.97
    least_frames: int = 2
    fair: float = 0.8
    patience_seconds: float = 1.0
    longest_seconds: float = 4.0


def is_due(fused: Reading, frames: int, seconds: float, settings: PassageSettings) -> bool:
    """Whether the read is to be written now, while the plate is still in sight."""
    sure = fused.probability >= settings.sure and frames >= settings.least_frames
    fair = fused.probability >= settings.fair and seconds >= settings.patience_seconds
    return sure or fair or seconds >= settings.longest_seconds


def is_corrected(fused: Reading, written: str, settings: PassageSettings) -> bool:
    """Whether later frames show for sure another text than the one that was written."""
    return fused.text != written and fused.probability >= settings.sure


def quality(reading: Reading, width: float, sharpness: float) -> float:
    """How good a picture of its plate a frame is: large, sharp and surely read; more is better."""
    return (reading.probability + _UNREADABLE) * math.sqrt(width) * (1 + sharpness)


def sharpness(crop: bytes) -> float:
    """0 for a blurred crop (JPEG) of a plate, towards 1 for a sharp one; size and light do not matter."""
    grey = cv2.imdecode(np.frombuffer(crop, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        return 0.0
    height = max(3, round(grey.shape[0] * _SHARPNESS_WIDTH / grey.shape[1]))
    small = cv2.resize(grey, (_SHARPNESS_WIDTH, height), interpolation=cv2.INTER_AREA)
    edges, light = float(cv2.Laplacian(small, cv2.CV_64F).var()), float(small.astype(np.float64).var())
    return edges / (edges + light + 1.0)
