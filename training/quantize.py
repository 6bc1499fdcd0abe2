"""Turns the exported nets into ones that reckon in 8 bits: two to three times as fast, a third of the size.

python -m training.quantize --models DIR --windows DIR --data DIR --out DIR

The ranges of what flows between the layers are taken from training material: windows of make_windows
(text_*.npz, issuer_*.npz) and the labelled photographs. Weights keep 7 bits, so that processors without VNNI,
which add up pairs of products in 16 bits, come to the same sums. The corner net stays as it is: it costs
little, and its answers are places. Every net is then shown other material, and what it answers is compared
with what it answered before; the comparison is printed, and nothing is written for a net that answers
otherwise too often.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.labels import SETS
from training.train_windows import greedy
from training.windows import issuer_whole

_BATCH = 32
_LONG_SIDE = 640
_STEP = 32
_GREY = (114, 114, 114)
_MARKED = 0.3
# Logarithm of the probability of an answer that leaves not much doubt.
_PLAIN = -0.5


@dataclass(frozen=True)
class Material:
    """What a net is shown: its input's name, samples for the ranges, and others for the comparison."""

    name: str
    ranges: Sequence[np.ndarray]
    others: Sequence[np.ndarray]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, material: Material) -> None:
        self._left = iter(material.ranges)
        self._name = material.name

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next sample; None at the end."""
        sample = next(self._left, None)
        return None if sample is None else {self._name: sample}


def windows(folder: Path, pattern: str, array: str, batches: int = 16) -> Material:
    """Batches of windows: of the first chunk for the comparison, of the second for the ranges.

    Raises:
        FileNotFoundError: There are no two chunks.
    """
    chunks = sorted(folder.glob(pattern))
    if len(chunks) < 2:
        raise FileNotFoundError(f"{folder} holds no two chunks {pattern}")
    others, ranges = (np.load(path)[array][: batches * _BATCH] for path in chunks[:2])
    return Material("window", np.split(ranges, batches), np.split(others, batches))


def issuer_windows(folder: Path) -> Material:
    """The same of windows of the issuer net, whose chunks keep their parts.

    Raises:
        FileNotFoundError: There are no two chunks.
    """
    colour, strips = (windows(folder, "issuer_*.npz", name, 8) for name in ("colour", "strips"))
    ranges, others = (
        [
            np.stack([issuer_whole(*one) for one in zip(*batch, strict=True)])
            for batch in zip(*both, strict=True)
        ]
        for both in ((colour.ranges, strips.ranges), (colour.others, strips.others))
    )
    return Material("window", ranges, others)


def photographs(data: Path, count: int = 48) -> Material:
    """Photographs as the detector is shown them, every second one for the ranges."""
    shown = list(_shown(data, 2 * count))
    return Material("image", shown[::2], shown[1::2])


def _shown(data: Path, count: int) -> Iterator[np.ndarray]:
    for name in SETS:
        paths = sorted((data / name / "images").iterdir())
        for path in paths[:: max(1, len(paths) * len(SETS) // count)]:
            image = cv2.imread(str(path))
            if image is None:
                continue
            scale = _LONG_SIDE / max(image.shape[:2])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            below, beside = -image.shape[0] % _STEP, -image.shape[1] % _STEP
            image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=_GREY)
            yield image[None]


def same_texts(before: np.ndarray, after: np.ndarray) -> Iterable[bool]:
    """Whether the text of each window stayed that was read without much doubt."""
    plain = before.max(-1).sum(-1) > _PLAIN
    texts = zip(before[plain].argmax(-1), after[plain].argmax(-1), strict=True)
    return (greedy(a) == greedy(b) for a, b in texts)


def same_labels(before: np.ndarray, after: np.ndarray) -> Iterable[bool]:
    """Whether the label of each window stayed that was given without much doubt."""
    plain = before.max(-1) > np.exp(_PLAIN)
    return before[plain].argmax(-1) == after[plain].argmax(-1)


def same_marks(before: np.ndarray, after: np.ndarray) -> Iterable[bool]:
    """Whether what the detector marked is marked still, there or in a cell beside."""
    near = cv2.dilate(after[0], np.ones((3, 3), np.uint8))
    # A score may fall a little; a mark that is gone has none.
    return near[before[0] > _MARKED] > _MARKED / 2


_SAME = {"detector": same_marks, "characters": same_texts, "issuer": same_labels}
_LEAST_SAME = 0.98


def quantize(net: str, source: Path, out: Path, material: Material) -> dict[str, float]:
    """Writes the net in 8 bits to `out`; the share of answers that stayed, and milliseconds before and after.

    Raises:
        ValueError: Too many answers changed.
    """
    part = out.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(part),
            _Reader(material),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Add", "MatMul", "Gemm"],
            nodes_to_exclude=[_first_convolution(prepared)],
        )
    before, ms_before = _answers(source, material)
    after, ms_after = _answers(part, material)
    same = [one for a, b in zip(before, after, strict=True) for one in _SAME[net](a, b)]
    share = float(np.mean(same))
    if share < _LEAST_SAME:
        part.unlink()
        raise ValueError(f"{net}: in 8 bits only {share:.1%} of {len(same)} answers are the same")
    part.rename(out)
    return {"answers": len(same), "same": round(share, 4), "ms_before": ms_before, "ms_after": ms_after}


def _first_convolution(path: Path) -> str:
    """Its name. It sees few channels, so that it costs little, and the picture as it is: it stays exact."""
    nodes = onnx.load(path).graph.node
    return next(str(node.name) for node in nodes if node.op_type == "Conv")


def _answers(path: Path, material: Material) -> tuple[list[np.ndarray], float]:
    """The first output for every other sample, and the median CPU milliseconds of a run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    said, spent = [], []
    for sample in material.others:
        start = time.process_time()
        said.append(session.run(None, {material.name: sample})[0])
        spent.append(time.process_time() - start)
    return said, round(1000 * float(np.median(spent)), 2)


def main() -> None:
    """Quantizes the nets of a folder."""
    parser = argparse.ArgumentParser(description="Turns the exported nets into ones of 8 bits.")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--windows", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    shown = {
        "detector": photographs(options.data),
        "characters": windows(options.windows, "text_*.npz", "text"),
        "issuer": issuer_windows(options.windows),
    }
    for net, material in shown.items():
        file = f"{net}.onnx"
        print(json.dumps({"net": net, **quantize(net, options.models / file, options.out / file, material)}))
    shutil.copyfile(options.models / "corners.onnx", options.out / "corners.onnx")


if __name__ == "__main__":
    main()
