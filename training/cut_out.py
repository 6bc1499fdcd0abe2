"""How versions read plates that fill their picture: labelled plates, cut out of their photographs.

python -m training.cut_out --models DIR --version plates-4 --data DATA --set mixed

Each plate of at least 50 pixels is cut twice: closely, and with up to half of its size round it. Prints one
JSON line. Most plates of a training set were trained on, so that the figures compare versions with one
another and do not tell how well plates are read; `training.evaluate` does.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from services.ocr.engine import Engine
from services.ocr.models import known_versions
from training.labels import SETS, cut, labels

_LEAST_WIDTH = 50
_FOLD = str.maketrans("OQI", "001")
# The least and the most that is left round the plate, shares of its width and of its height.
_LEFT = {"closely": ((0.0, 0.1), (0.0, 0.15)), "widely": ((0.1, 0.5), (0.1, 0.6))}


def cut_out(data: Path, name: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """Way of cutting, text, and picture (BGR) of each plate of the set `name`; the same in every run."""
    rng = random.Random(3)
    for label in labels(data):
        if data / name not in label.path.parents or not label.text or label.box[2] < _LEAST_WIDTH:
            continue
        image = np.asarray(cv2.imread(str(label.path)))
        for way, (across, down) in _LEFT.items():
            part = cut(image, label.box, (rng.uniform(*across), rng.uniform(*down)))
            yield way, label.text, np.ascontiguousarray(part)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Reads plates that are cut out of photographs.")
    parser.add_argument("--models", type=Path, required=True, help="folder of the versions")
    parser.add_argument("--version", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled photographs")
    parser.add_argument("--set", choices=SETS, default="mixed")
    options = parser.parse_args()
    engine = Engine(known_versions(options.models)[options.version], threads=1)
    counts = {way: {"n": 0, "marked": 0, "fold": 0} for way in _LEFT}
    for way, text, picture in cut_out(options.data, options.set):
        sight, count = engine.look(picture), counts[way]
        count["n"] += 1
        count["marked"] += bool(sight.plates or sight.unreadable)
        best = sight.plates[0].text if sight.plates else ""
        count["fold"] += best.translate(_FOLD) == text.translate(_FOLD)
    print(json.dumps({"version": options.version, **counts}))


if __name__ == "__main__":
    main()
