"""Measures a version of the models on validation plates, and shows its worst errors as pictures.

python -m training.evaluate --models DIR --version plates-2 --data DIR --fonts DIR --out REPORT

Prints one JSON line a part (drawn plates, real photographs that no net was trained on) and writes REPORT.md
with the same figures and REPORT.png with the errors most believed, each above what was meant / read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from services.ocr.core.plates import Plate
from services.ocr.core.quad import Box
from services.ocr.engine import Engine
from services.ocr.models import known_versions
from training.fitting import calibration_error
from training.validation import Example, Truth, drawn, photographed

_OVERLAP = 0.3
_TILE = (240, 120)
_COLUMNS = 6
_FOLD = str.maketrans("OQI", "001")
_TEXT = dict(fontFace=cv2.FONT_HERSHEY_SIMPLEX, fontScale=0.45, thickness=1)


@dataclass(frozen=True)
class Judged:
    """A known plate and what was read: empty when it was not found; `picture` shows it."""

    part: str
    wanted: str
    read: str
    probability: float
    issuer_right: bool | None
    picture: np.ndarray

    @property
    def right(self) -> bool:
        """Whether the text is right when O and Q count as 0 and I as 1."""
        return self.wanted.translate(_FOLD) == self.read.translate(_FOLD)


def judged(engine: Engine, examples: Iterator[Example]) -> Iterator[Judged]:
    """What the engine makes of each known plate."""
    for example in examples:
        sight = engine.look(example.image)
        plates = (*sight.plates, *sight.unreadable)
        for truth in example.plates:
            plate = _nearest(plates, truth)
            yield Judged(
                "photographs" if example.real else "drawn",
                truth.text,
                plate.text if plate else "",
                plate.probability if plate else 0.0,
                _issuer_right(plate, truth),
                _tile(example.image, truth),
            )


def figures(plates: list[Judged]) -> dict[str, float | int]:
    """Counts and shares over `plates`, 0 to 1."""
    read = [p for p in plates if p.read]
    said, right = np.array([p.probability for p in read]), np.array([p.right for p in read], float)
    issuers = [p.issuer_right for p in plates if p.issuer_right is not None]
    return {
        "n": len(plates),
        "detected": round(len(read) / len(plates), 4),
        "strict": round(float(np.mean([p.wanted == p.read for p in plates])), 4),
        "fold": round(float(np.mean([p.right for p in plates])), 4),
        "ece": round(calibration_error(said, right), 4),
        "issuer_top1": round(float(np.mean(issuers)), 4) if issuers else 0.0,
    }


def _nearest(plates: tuple[Plate, ...], truth: Truth) -> Plate | None:
    best = max(plates, key=lambda plate: _overlap(plate.box, truth), default=None)
    return best if best is not None and _overlap(best.box, truth) >= _OVERLAP else None


def _overlap(box: Box, truth: Truth) -> float:
    x, y, w, h = truth.box
    across = min(box.x + box.width, x + w) - max(box.x, x)
    down = min(box.y + box.height, y + h) - max(box.y, y)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (box.width * box.height + w * h - shared)


def _issuer_right(plate: Plate | None, truth: Truth) -> bool | None:
    if not truth.issuer or plate is None or not plate.issuers:
        return None
    return plate.issuers[0][0] == truth.issuer


def _tile(image: np.ndarray, truth: Truth) -> np.ndarray:
    x, y, w, h = truth.box
    part = image[max(0, int(y - 0.3 * h)) : int(y + 1.3 * h), max(0, int(x - 0.2 * w)) : int(x + 1.2 * w)]
    return cv2.resize(part, _TILE, interpolation=cv2.INTER_AREA if w > _TILE[0] else cv2.INTER_LINEAR)


def sheet(worst: list[Judged]) -> np.ndarray:
    """The pictures in rows, each with what was meant, what was read and how probable it was said to be."""
    tiles = []
    for one in worst:
        tile = cv2.copyMakeBorder(one.picture, 0, 24, 1, 1, cv2.BORDER_CONSTANT)
        words = f"{one.wanted} / {one.read or 'not found'} {one.probability:.2f}"
        cv2.putText(tile, words, (4, _TILE[1] + 17), color=(0, 255, 255), **_TEXT)
        tiles.append(tile)
    while not tiles or len(tiles) % _COLUMNS:
        tiles.append(np.zeros((_TILE[1] + 24, _TILE[0] + 2, 3), np.uint8))
    rows = [np.hstack(tiles[n : n + _COLUMNS]) for n in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def main() -> None:
    """Prints the figures and writes the report."""
    parser = argparse.ArgumentParser(description="Measures the models on validation plates.")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=1000, help="drawn plates")
    parser.add_argument("--worst", type=int, default=60, help="pictures of errors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    engine = Engine(known_versions(options.models)[options.version], threads=1)
    examples = chain(photographed(options.data), drawn(options.data, options.fonts, options.drawn))
    plates = list(judged(engine, examples))
    lines = [f"# {options.version} on validation plates", ""]
    for part in ("photographs", "drawn"):
        values = figures([p for p in plates if p.part == part])
        print(json.dumps({"part": part, **values}))
        lines += [f"- {part}: " + ", ".join(f"{k} {v}" for k, v in values.items())]
    wrong = sorted((p for p in plates if not p.right), key=lambda p: -p.probability)[: options.worst]
    cv2.imwrite(str(options.out.with_suffix(".png")), sheet(wrong))
    lines += [
        "",
        f"![worst errors]({options.out.name}.png): meant / read, and how probable it was said to be.",
    ]
    options.out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
