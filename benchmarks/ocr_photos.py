"""Accuracy and cost of the ocr engine on labelled photographs: one JSON line on stdout.

`--photos` is a folder with labels.csv (image, plate_text, x, y, w, h in pixels) and the images beside it or
in `images/`. A plate counts as found when a box overlaps the label's by 0.3 or has its centre inside it, and
as read when the best overlapping one has the label's text; `fold` takes O and Q as 0 and I as 1 on both
sides, because many labels and plate faces do not tell them apart. Rows without a text are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

# Before numpy, OpenCV and ONNX Runtime are loaded: one thread, so that CPU time is the work itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from services.ocr.core.plates import Plate
from services.ocr.core.quad import Box
from services.ocr.engine import Engine
from services.ocr.models import load_models

ROOT = Path(__file__).resolve().parent.parent
_FOLD = str.maketrans("OQI", "001")
_OVERLAP = 0.3

Row = dict[str, str]


def main() -> int:
    """Prints one JSON line; 1 when there are no labelled photographs."""
    parser = argparse.ArgumentParser(
        description="Accuracy and CPU time of the ocr engine on labelled photographs."
    )
    parser.add_argument(
        "--photos", type=Path, default=ROOT / ".assets" / "photos", help="folder with labels.csv"
    )
    parser.add_argument(
        "--models", type=Path, default=ROOT / ".assets" / "models", help="folder of the models"
    )
    parser.add_argument("--wrong", action="store_true", help="name the images that were misread, on stderr")
    options = parser.parse_args()
    photographs = _labelled(options.photos)
    if not photographs:
        print(f"{options.photos} holds no labels.csv with plate texts.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    models = load_models(options.models)
    engine = Engine(models.detector, models.recognizer, threads=1)
    print(json.dumps(_measure(engine, photographs, options.wrong)))
    return 0


def _measure(engine: Engine, photographs: dict[Path, list[Row]], show_wrong: bool) -> dict[str, object]:
    counts: defaultdict[str, int] = defaultdict(int)
    seconds, said = [], []
    for path, rows in photographs.items():
        image = np.asarray(cv2.imread(str(path)), dtype=np.uint8)
        start = time.process_time()
        plates = engine.plates(image)
        seconds.append(time.process_time() - start)
        counts["near"] += sum(any(_near(p.box, row) for row in rows) for p in plates)
        counts["found_any"] += len(plates)
        for row in rows:
            plate = _best(plates, row)
            wanted, text = row["plate_text"], plate.text if plate else ""
            right = text.translate(_FOLD) == wanted.translate(_FOLD)
            counts["labels"] += 1
            counts["detected"] += plate is not None
            counts["strict"] += text == wanted
            counts["fold"] += right
            counts["listed"] += plate is not None and any(
                c.text.translate(_FOLD) == wanted.translate(_FOLD) for c in plate.reading.candidates
            )
            if plate:
                said.append((plate.probability, right))
            if show_wrong and not right:
                print(f"{path.name}: wanted {wanted}, read {text or 'nothing'}", file=sys.stderr)
    return _summary(counts, seconds, said)


def _summary(
    counts: dict[str, int], seconds: list[float], said: list[tuple[float, bool]]
) -> dict[str, object]:
    labels = counts["labels"]
    parts = {name: round(100 * counts[name] / labels, 1) for name in ("detected", "strict", "fold", "listed")}
    return {
        "benchmark": "ocr_photos",
        "frames": len(seconds),
        "plates": labels,
        **{f"{name}_percent": value for name, value in parts.items()},
        "other_plates_per_frame": round((counts["found_any"] - counts["near"]) / len(seconds), 3),
        "mean_probability": round(float(np.mean([p for p, _ in said])), 3) if said else None,
        "right_when_found_percent": round(100 * float(np.mean([r for _, r in said])), 1) if said else None,
        "brier": round(float(np.mean([(p - r) ** 2 for p, r in said])), 4) if said else None,
        "cpu_ms_per_frame": round(1000 * float(np.mean(seconds)), 1),
    }


def _labelled(folder: Path) -> dict[Path, list[Row]]:
    labels = folder / "labels.csv"
    if not labels.is_file():
        return {}
    with labels.open(encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["plate_text"]]
    images = folder / "images" if (folder / "images").is_dir() else folder
    photographs: defaultdict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        photographs[images / row["image"]].append(row)
    return dict(photographs)


def _best(plates: tuple[Plate, ...], row: Row) -> Plate | None:
    near = [plate for plate in plates if _near(plate.box, row)]
    return max(near, key=lambda plate: _overlap(plate.box, _box(row)), default=None)


def _near(box: Box, row: Row) -> bool:
    label = _box(row)
    x, y = box.x + box.width / 2, box.y + box.height / 2
    inside = label.x <= x <= label.x + label.width and label.y <= y <= label.y + label.height
    return inside or _overlap(box, label) >= _OVERLAP


def _overlap(a: Box, b: Box) -> float:
    width = max(0.0, min(a.x + a.width, b.x + b.width) - max(a.x, b.x))
    height = max(0.0, min(a.y + a.height, b.y + b.height) - max(a.y, b.y))
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def _box(row: Row) -> Box:
    x, y, width, height = (float(row[name]) for name in ("x", "y", "w", "h"))
    return Box(x, y, width, height)


if __name__ == "__main__":
    sys.exit(main())
