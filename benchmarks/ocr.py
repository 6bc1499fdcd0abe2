"""Accuracy, calibration and cost of the ocr engine on labelled photographs, as one JSON line on stdout.

`make bench NAME=ocr [DATA=folder]`: a folder with labels.csv (image, plate_text, x, y, w, h in pixels,
country) and the pictures beside it or in `images/`. Rows without a text are left out.

A plate is detected when the box of a read overlaps the label's by 0.3 or has its middle inside it, and read
when the best overlapping one has the label's text; `fold` takes O and Q as 0 and I as 1 on both sides,
because many labels and plate faces do not tell them apart. `top_fold` asks the same of the most probable
read of the whole picture. `extra_per_frame` counts reads that belong to no label; `found` and
`extra_boxes_per_frame` count boxes that could not be read, too. `ece` is the expected calibration error of
detected plates, `ece_95` its bootstrap interval. CPU time is that of one thread, without decoding. `peer` is
RapidOCR, end to end on the same pictures, where each line of text is a guess; `paired_p` is McNemar's exact
test on `fold`, two-sided. Without its package (extra `bench`) it is null, and `peer_reason` says why.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# Before numpy, OpenCV and ONNX Runtime are loaded: one thread, so that CPU time is the work itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from services.ocr.core.quad import Box, Image
from services.ocr.engine import Engine
from services.ocr.models import PACKAGED, known_versions
from training import fitting

ROOT: Final = Path(__file__).resolve().parent.parent
_PHOTOS: Final = ROOT / ".assets" / "photos"
# The fetched photograph comes without labels.
_PHOTO_LABELS: Final = Path(__file__).with_name("ocr_photos.csv")
_FOLD: Final = str.maketrans("OQI", "001")
_OVERLAP: Final = 0.3
_PEER: Final = "rapidocr"

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Guess:
    """One reading of a reader; `issuer` is empty where it names none, `text` where it could not read."""

    box: Box
    text: str
    score: float
    issuer: str = ""


Reader = Callable[[Image], Sequence[Guess]]


@dataclass
class Tally:
    """What is counted of one reader; lists hold one entry a row, in the order of the rows."""

    detected: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    strict: list[bool] = field(default_factory=list)
    fold: list[bool] = field(default_factory=list)
    top_fold: list[bool] = field(default_factory=list)
    states: list[bool] = field(default_factory=list)
    said: list[tuple[float, bool]] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    extra_boxes: list[int] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def frame(self, guesses: Sequence[Guess], rows: Sequence[Row], cpu_ms: float) -> None:
        """Counts one picture."""
        read = [one for one in guesses if one.text]
        self.cpu_ms.append(cpu_ms)
        self.extra.append(sum(not any(near(one.box, box_of(row)) for row in rows) for one in read))
        self.extra_boxes.append(sum(not any(near(one.box, box_of(row)) for row in rows) for one in guesses))
        top = max(read, key=lambda one: one.score, default=None)
        for row in rows:
            self._row(guesses, read, top, row)

    def _row(self, guesses: Sequence[Guess], read: Sequence[Guess], top: Guess | None, row: Row) -> None:
        label, wanted = box_of(row), plain(row["plate_text"])
        best = max(
            (one for one in read if near(one.box, label)),
            key=lambda one: one.box.overlap(label),
            default=None,
        )
        right = best is not None and folded(best.text) == folded(wanted)
        self.found.append(any(near(one.box, label) for one in guesses))
        self.detected.append(best is not None)
        self.strict.append(best is not None and plain(best.text) == wanted)
        self.fold.append(right)
        self.top_fold.append(top is not None and folded(top.text) == folded(wanted))
        if best is not None:
            self.said.append((best.score, right))
        country = row.get("country", "").upper()
        if re.fullmatch("US-[A-Z]{2}", country):
            self.states.append(best is not None and best.issuer == country)

    def summary(self) -> dict[str, Any]:
        """The figures, as shares of the rows or per picture."""
        return {
            "n": len(self.fold),
            "detected": share(self.detected),
            "found": share(self.found),
            "strict": share(self.strict),
            "fold": share(self.fold),
            "top_fold": share(self.top_fold),
            "extra_per_frame": round(float(np.mean(self.extra)), 3),
            "extra_boxes_per_frame": round(float(np.mean(self.extra_boxes)), 3),
            **calibration(self.said),
            "state_top1": share(self.states) if self.states else None,
            "cpu_ms_mean": round(float(np.mean(self.cpu_ms)), 2),
            "cpu_ms_p95": round(float(np.percentile(self.cpu_ms, 95)), 2),
        }


def main() -> int:
    """Prints one JSON line; 1 when there are no labelled pictures."""
    parser = argparse.ArgumentParser(description="Accuracy, calibration and CPU time of the ocr engine.")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("DATA") or _PHOTOS), help="folder (DATA)"
    )
    parser.add_argument("--models", type=Path, default=PACKAGED, help="folder of the versions of models")
    parser.add_argument("--version", help="version of the models; the newest without it")
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out")
    parser.add_argument("--wrong", action="store_true", help="name misread pictures on stderr")
    options = parser.parse_args()
    pictures = labelled(options.data)
    if not pictures:
        print(
            f"{options.data} holds no labels.csv with plate texts and the pictures that it names.",
            file=sys.stderr,
        )
        return 1
    cv2.setNumThreads(1)
    versions = known_versions(options.models)
    model = versions[options.version] if options.version else list(versions.values())[-1]
    ours = measured(our_reader(Engine(model, threads=1)), pictures, show_wrong=options.wrong)
    line: dict[str, Any] = {
        "benchmark": "ocr",
        "data": options.data.name,
        "model": model.version,
        **ours.summary(),
    }
    print(json.dumps({**line, **compared(ours, pictures, skip=options.no_peer)}))
    return 0


def compared(ours: Tally, pictures: dict[Path, list[Row]], *, skip: bool) -> dict[str, Any]:
    """The peer's figures on the same pictures, and the test of both."""
    missing = importlib.util.find_spec(_PEER) is None
    if skip or missing:
        reason = "left out" if skip else "rapidocr is not installed: pip install 'platewarden[bench]'"
        if missing and not skip:
            print(f"No peer: {reason}", file=sys.stderr)
        return {"peer": None, "peer_reason": reason, "paired_p": None}
    peer = measured(peer_reader(), pictures, show_wrong=False)
    p = fitting.mcnemar(ours.fold, peer.fold)
    return {"peer": {"name": _PEER, **peer.summary()}, "paired_p": float(f"{p:.3g}")}


def measured(reader: Reader, pictures: dict[Path, list[Row]], *, show_wrong: bool) -> Tally:
    """Reads every picture once; decoding is not counted."""
    tally = Tally()
    for path, rows in pictures.items():
        image = np.asarray(cv2.imread(str(path)), dtype=np.uint8)
        start = time.process_time()
        guesses = reader(image)
        cpu_ms = 1000 * (time.process_time() - start)
        before = len(tally.fold)
        tally.frame(guesses, rows, cpu_ms)
        if show_wrong and not all(tally.fold[before:]):
            texts = ", ".join(row["plate_text"] for row in rows)
            read = ", ".join(f"{one.text or '-'} {one.score:.2f}" for one in guesses)
            print(f"{path.name}: wanted {texts}, read {read or 'nothing'}", file=sys.stderr)
    return tally


def our_reader(engine: Engine) -> Reader:
    """The engine; what it found and could not read has no text."""

    def read(image: Image) -> list[Guess]:
        sight = engine.look(image)
        guesses = [
            Guess(p.box, p.text, p.probability, p.issuers[0][0] if p.issuers else "") for p in sight.plates
        ]
        return guesses + [Guess(p.box, "", p.probability) for p in sight.unreadable]

    return read


def peer_reader() -> Reader:
    """RapidOCR as its package comes, on one thread: every text line is a guess."""
    made = importlib.import_module(_PEER).RapidOCR
    one_thread = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = made(params={**one_thread, "Global.log_level": "error"})

    def read(image: Image) -> list[Guess]:
        found = engine(image)
        if found.boxes is None:
            return []
        guesses = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
            box = Box(float(left), float(top), float(right - left), float(bottom - top))
            if plain(text):
                guesses.append(Guess(box, plain(text), float(score)))
        return guesses

    return read


def labelled(folder: Path) -> dict[Path, list[Row]]:
    """The rows with a text by their picture; only pictures that are there."""
    labels = folder / "labels.csv"
    if not labels.is_file() and folder == _PHOTOS:
        labels = _PHOTO_LABELS
    if not labels.is_file():
        return {}
    with labels.open(encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["plate_text"]]
    images = folder / "images" if (folder / "images").is_dir() else folder
    pictures: defaultdict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        if (images / row["image"]).is_file():
            pictures[images / row["image"]].append(row)
    return dict(pictures)


def near(box: Box, label: Box) -> bool:
    """Whether a box belongs to a label."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    inside = label.x <= x <= label.x + label.width and label.y <= y <= label.y + label.height
    return inside or box.overlap(label) >= _OVERLAP


def box_of(row: Row) -> Box:
    """The label's box."""
    return Box(*(float(row[name]) for name in ("x", "y", "w", "h")))


def plain(text: str) -> str:
    """Capitals and digits only."""
    return re.sub("[^A-Z0-9]", "", text.upper())


def folded(text: str) -> str:
    """With the look-alikes that labels do not tell apart as one."""
    return plain(text).translate(_FOLD)


def share(values: Sequence[bool]) -> float:
    """How many of them are true, 0 to 1."""
    return round(float(np.mean(values)), 4)


def calibration(said: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """Expected calibration error, and the middle 95 % of it over samples drawn anew; null without reads."""
    if not said:
        return {"ece": None, "ece_95": None}
    values = np.array(said, dtype=float)
    error = fitting.calibration_error(values[:, 0], values[:, 1])
    between = fitting.interval(fitting.calibration_error, values[:, 0], values[:, 1])
    return {"ece": round(error, 4), "ece_95": [round(end, 4) for end in between]}


if __name__ == "__main__":
    sys.exit(main())
