"""Sets two readers beside each other on windows that neither was trained on.

python -m training.evaluate_reader --model FILE --other FILE --chunks DIR

Prints one JSON line: windows, the share of each whose text is right (`fold`: O and Q as 0, I as 1), how many
only the first reads rightly and how many only the other, and McNemar's exact test, two-sided. Chunks are
those of `make_windows --what text` with a seed of their own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort

from training.fitting import mcnemar
from training.train_windows import folded, greedy, spelled

_BATCH = 60


def right(model: Path, windows: np.ndarray, texts: list[str]) -> list[bool]:
    """For each window whether the reader says its text."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model), options)
    said: list[bool] = []
    for first in range(0, len(windows), _BATCH):
        columns = session.run(None, {"window": windows[first : first + _BATCH]})[0].argmax(-1)
        meant = texts[first : first + _BATCH]
        said += [folded(greedy(one)) == folded(text) for one, text in zip(columns, meant, strict=True)]
    return said


def chunks(folder: Path) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Windows of each chunk with their texts."""
    for path in sorted(folder.glob("text_*.npz")):
        with np.load(path) as arrays:
            yield arrays["text"], [spelled(one) for one in arrays["label"]]


def main() -> None:
    """Compares two readers."""
    parser = argparse.ArgumentParser(description="Sets two readers beside each other.")
    parser.add_argument("--model", type=Path, required=True, help="characters.onnx of one version")
    parser.add_argument("--other", type=Path, required=True, help="that of another")
    parser.add_argument("--chunks", type=Path, required=True, help="folder of windows, text_*.npz")
    options = parser.parse_args()
    ours: list[bool] = []
    theirs: list[bool] = []
    for windows, texts in chunks(options.chunks):
        ours += right(options.model, windows, texts)
        theirs += right(options.other, windows, texts)
    pairs = list(zip(ours, theirs, strict=True))
    line = {
        "n": len(pairs),
        "fold": [round(float(np.mean(one)), 4) for one in (ours, theirs)],
        "only": [sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)],
        "paired_p": float(f"{mcnemar(ours, theirs):.3g}"),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
