"""Metrics of the ocr service: numbers of frames and plates, and times; never what was read."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

FRAMES: Final = Counter(
    "platewarden_ocr_frames", "Frames that were taken, by what became of them.", ["outcome"]
)
PLATES: Final = Counter(
    "platewarden_ocr_plates", "Plates that were sent on, by what became of them.", ["status"]
)
PUSHES: Final = Counter(
    "platewarden_ocr_pushes",
    "Messages that cameras pushed, by layout and status of the answer.",
    ["layout", "status"],
)
UNREADABLE: Final = Counter(
    "platewarden_ocr_unreadable_plates", "Plates that were found and not read surely enough."
)
FRAMES_REFUSED: Final = Counter(
    "platewarden_ocr_frames_refused", "Frames that were refused for the load, by why.", ["why"]
)
WAITING_BYTES: Final = Gauge("platewarden_ocr_image_bytes_under_way", "Bytes of images that are under way.")
PASSAGES: Final = Counter(
    "platewarden_ocr_passages", "Passages of videos that got a read, by why then.", ["why"]
)
RECOGNITION_SECONDS: Final = Histogram(
    "platewarden_ocr_recognition_seconds",
    "Time from the image to its plates, waiting for a worker not included.",
    buckets=(0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5),
)
BATCH_READS: Final = Histogram(
    "platewarden_ocr_batch_reads",
    "Reads of a batch sent to the matcher.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)

for _outcome in ("plates", "unreadable", "empty", "failed"):
    FRAMES.labels(_outcome)
for _why in ("late", "memory"):
    FRAMES_REFUSED.labels(_why)
