"""What more frames of a passage are worth: accuracy and calibration, as one JSON line on stdout.

`make bench NAME=ocr_video [DATA=folder]`. Passages are made: a plate of the training's generator on the rear
of something dark comes nearer or goes away through 1280 x 720 pictures. Dirt, light, turn and defocus are
those of the whole passage; motion blur, glare, grain, compression and what hides a part of the plate change
from frame to frame. Of the 12 frames some are drawn at random and read together. For each number of
frames, in per cent of passages, `fused` (core/fusion.py) beside the alternatives on the very same frames:
`best`, the surest frame alone, and `vote`, the text that most frames read; O and Q count as 0 and I as 1.
`ece` is the expected calibration error of fused and best, `paired_p` McNemar's exact test of fused against
each, two-sided. `tracked` is the whole of it: all frames of a passage through the tracker, and how many
passages it made of one.

With a folder laid out like the labelled training photographs (its part `ro` is frames of a drive), `real` is
the same for the plates of its validation part that stand in three pictures or more. The networks were trained
on other plates of those pictures and are at home there: `real` says what fusion adds, no more.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Before numpy, OpenCV and ONNX Runtime are loaded: one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import numpy.typing as npt

from services.ocr.core.fusion import FUSION, FusionSettings, fuse
from services.ocr.core.plates import Plate, Sight
from services.ocr.core.quad import Box
from services.ocr.core.reading import Reading
from services.ocr.core.tracks import Sighting, Tracker
from services.ocr.engine import Engine
from services.ocr.models import PACKAGED, known_versions
from training.fitting import calibration_error, mcnemar
from training.fonts import Faces
from training.labels import is_validation, labels
from training.plates import draw

_FOLD: Final = str.maketrans("OQI", "001")
_COUNTS: Final = (1, 2, 3, 5, 8, 12)
_FRAMES: Final = 12
_SECONDS: Final = 0.12
_DRAWS: Final = 4
_NEAR: Final = 0.3
_FEWEST_REAL: Final = 3

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Passage:
    """A plate's text and what each frame reads of it; None where it was not found."""

    text: str
    readings: tuple[Reading | None, ...]


Answers = dict[str, list[tuple[bool, float]]]
"""For each way to read frames together: whether it was right, and how sure it was; 0 for nothing read."""


def main() -> int:
    """Prints one JSON line; 1 when there are no models."""
    parser = argparse.ArgumentParser(description="What more frames of a passage are worth.")
    named = os.environ.get("DATA")
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        default=Path(named) if named else None,
        help="labelled photographs (DATA)",
    )
    parser.add_argument("--models", type=Path, default=PACKAGED, help="folder of the models")
    parser.add_argument("--passages", type=int, default=120, help="passages that are made")
    parser.add_argument("--seed", type=int, default=1, help="decides everything")
    parser.add_argument("--fonts", type=Path, help="fonts of the training; without, our own dies only")
    parser.add_argument("--correlation", type=float, default=FUSION.correlation, help="of frames' errors")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = list(known_versions(options.models).values())[-1]
    engine = Engine(model, threads=1)
    settings = FusionSettings(correlation=options.correlation)
    chance, faces = random.Random(options.seed), Faces(options.fonts)  # noqa: S311 - draws pictures
    passages, tracks = [], []
    for _ in range(options.passages):
        flat = draw(chance, faces)
        passage, found = _read_passage(engine, flat.image, flat.text, chance, settings)
        passages.append(passage)
        tracks.append(found)
    line: dict[str, Any] = {
        "benchmark": "ocr_video",
        "model": model.version,
        "passages": len(passages),
        "correlation": settings.correlation,
        "frames": _curve(passages, settings, options.seed),
        "tracked": _summary_of_tracks(passages, tracks),
    }
    if options.data:
        real = list(_real_passages(engine, options.data))
        line["real"] = {"plates": len(real)} | _curve(real, settings, options.seed)
    print(json.dumps(line))
    return 0


def _curve(passages: Sequence[Passage], settings: FusionSettings, seed: int) -> dict[str, Any]:
    """For each number of frames what `_figures` gives; passages with fewer frames are left out."""
    chance = random.Random(seed)  # noqa: S311 - draws frames
    curve = {}
    for count in _COUNTS:
        answers: Answers = defaultdict(list)
        for passage in (one for one in passages if len(one.readings) >= count):
            for _ in range(_DRAWS):
                _answer(answers, passage.text, chance.sample(passage.readings, count), settings)
        if answers:
            curve[str(count)] = _figures(answers)
    return curve


def _answer(answers: Answers, text: str, frames: Sequence[Reading | None], settings: FusionSettings) -> None:
    readings = [one for one in frames if one is not None and one.text]
    wanted = text.translate(_FOLD)
    for way, read in (("fused", lambda r: fuse(r, settings)), ("best", _surest), ("vote", _voted)):
        said = read(readings) if readings else None
        right = said is not None and said.text.translate(_FOLD) == wanted
        answers[way].append((right, said.probability if said else 0.0))


def _surest(readings: Sequence[Reading]) -> Reading:
    return max(readings, key=lambda one: one.probability)


def _voted(readings: Sequence[Reading]) -> Reading:
    """The surest reading of the text that most read; of texts with as many, the one with more probability."""
    votes: defaultdict[str, list[float]] = defaultdict(list)
    for one in readings:
        votes[one.text].append(one.probability)
    text = max(votes, key=lambda one: (len(votes[one]), sum(votes[one])))
    return _surest([one for one in readings if one.text == text])


def _figures(answers: Answers) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": len(answers["fused"])}
    for way, said in answers.items():
        figures[way] = round(100 * sum(right for right, _ in said) / len(said), 1)
    figures["ece"] = {way: _calibration_error(answers[way]) for way in ("fused", "best")}
    # The first draw of each passage: the others are not independent of it.
    fused = [right for right, _ in answers["fused"][::_DRAWS]]
    figures["paired_p"] = {
        way: round(mcnemar(fused, [right for right, _ in answers[way][::_DRAWS]]), 5)
        for way in ("best", "vote")
    }
    return figures


def _calibration_error(said: Sequence[tuple[bool, float]]) -> float | None:
    """Mean distance of what was said from what was right, in per cent, where something was read."""
    read = np.array([(probability, right) for right, probability in said if probability > 0], dtype=float)
    return round(100 * calibration_error(read[:, 0], read[:, 1]), 1) if len(read) else None


def _read_passage(
    engine: Engine, flat: Picture, text: str, chance: random.Random, settings: FusionSettings
) -> tuple[Passage, list[str]]:
    """A made passage, and the texts of the passages that the tracker makes of it."""
    tracker, readable, readings = Tracker(), set[int](), list[Reading | None]()
    texts: dict[int, str] = {}
    for number, (picture, box) in enumerate(Road(flat, chance).frames()):
        sight = engine.look(picture)
        readings.append(_reading_at(sight, box))
        plates = [*sight.plates, *sight.unreadable]
        step = tracker.step([Sighting(one.quad, one.reading) for one in plates], number * _SECONDS)
        readable.update(track.number for track in step.tracks[: len(sight.plates)])
        texts |= {track.number: fuse(track.readings, settings).text for track in step.tracks}
    return Passage(text, tuple(readings)), [texts[number] for number in sorted(readable)]


def _summary_of_tracks(passages: Sequence[Passage], tracks: Sequence[Sequence[str]]) -> dict[str, float]:
    right = [
        one.text.translate(_FOLD) in {text.translate(_FOLD) for text in texts}
        for one, texts in zip(passages, tracks, strict=True)
    ]
    return {
        "read": round(100 * sum(right) / len(right), 1),
        "passages_per_passage": round(sum(map(len, tracks)) / len(tracks), 3),
    }


def _reading_at(sight: Sight, box: Box) -> Reading | None:
    """What was read of the plate in `box`, surely or not."""
    plates: list[Plate] = [*sight.plates, *sight.unreadable]
    near = max(plates, key=lambda plate: plate.box.overlap(box), default=None)
    return near.reading if near and near.box.overlap(box) >= _NEAR else None


class Road:
    """A plate on the rear of something dark, through the picture of a camera beside the road."""

    def __init__(self, flat: Picture, chance: random.Random) -> None:
        self._chance = chance
        self._noise = np.random.default_rng(chance.getrandbits(64))
        self._plate = self._dirty(flat.astype(np.float32))
        self._far = chance.uniform(34, 60)
        self._near = self._far * chance.uniform(1.2, 2.6)
        self._comes = chance.random() < 0.6  # noqa: PLR2004
        self._path = [(chance.uniform(200, 1080), chance.uniform(200, 600)) for _ in range(2)]
        self._turn, self._slant = chance.gauss(0, 0.05), chance.gauss(0, 0.08)
        self._squeeze = chance.uniform(0.7, 1.0)
        self._defocus = chance.uniform(0.25, 1.3)
        self._light, self._contrast = chance.uniform(-40, 40), chance.uniform(0.35, 1.05)
        self._grain, self._quality = chance.choice((2, 5, 9, 14)), chance.randint(25, 85)
        self._back = self._background()

    def frames(self) -> Iterator[tuple[Picture, Box]]:
        """Each frame (BGR) and where the plate is in it."""
        for number in range(_FRAMES):
            share = number / (_FRAMES - 1)
            quad = self._corners(share)
            low, high = quad.min(axis=0), quad.max(axis=0)
            yield self._taken(self._scene(quad), quad), Box(*low.tolist(), *(high - low).tolist())

    def _corners(self, share: float) -> Floats:
        near = share if self._comes else 1 - share
        width = self._far * (self._near / self._far) ** near
        height = width * self._plate.shape[0] / self._plate.shape[1] / self._squeeze
        turn = self._turn + self._chance.gauss(0, 0.006)
        unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32) * (width, height)
        unit[:, 1] += unit[:, 0] * self._slant
        turned = unit @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        middle = [(1 - share) * a + share * b for a, b in zip(*self._path, strict=True)]
        return np.asarray(turned + middle + self._noise.normal(0, 0.4, 2), dtype=np.float32)

    def _scene(self, quad: Floats) -> Floats:
        scene = self._back.copy()
        width = float(np.linalg.norm(quad[1] - quad[0]))
        centre = quad.mean(axis=0)
        cv2.fillConvexPoly(scene, ((quad - centre) * (2.4, 4.0) + centre).astype(np.int32), (38, 36, 34))
        rows, columns = self._plate.shape[:2]
        flat, shrink = self._plate, columns / width
        if shrink > 1:
            flat = cv2.GaussianBlur(flat, (0, 0), 0.4 * shrink).astype(np.float32)
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, quad)
        size = (scene.shape[1], scene.shape[0])
        mask = cv2.warpPerspective(np.ones((rows, columns, 1), np.float32), matrix, size)[..., None]
        scene += (cv2.warpPerspective(flat, matrix, size) - scene) * mask
        return scene * np.float32(self._contrast) + np.float32(127 * (1 - self._contrast) + self._light)

    def _taken(self, scene: Floats, quad: Floats) -> Picture:
        """What differs from frame to frame: glare, something before the plate, motion, grain, compression."""
        chance, width = self._chance, float(np.linalg.norm(quad[1] - quad[0]))
        x, y = (chance.uniform(low, high) for low, high in zip(quad.min(0), quad.max(0), strict=True))
        if chance.random() < 0.12:  # noqa: PLR2004
            glare = np.zeros(scene.shape[:2], np.float32)
            cv2.circle(glare, (int(x), int(y)), max(2, int(width * chance.uniform(0.08, 0.3))), 220, -1)
            scene = scene + cv2.GaussianBlur(glare, (0, 0), max(1.0, 0.06 * width))[..., None]
        if chance.random() < 0.06:  # noqa: PLR2004
            thick = max(2, int(width * chance.uniform(0.05, 0.15)))
            cv2.line(scene, (int(x), int(y - width)), (int(x), int(y + width)), (60, 60, 60), thick)
        scene = cv2.GaussianBlur(scene, (0, 0), max(0.3, self._defocus * width / 110)).astype(np.float32)
        length = chance.randint(0, max(1, round(width / 14)))
        if length > 1:
            kernel = np.zeros((length, length), np.float32)
            kernel[length // 2] = 1 / length
            if chance.random() < 0.3:  # noqa: PLR2004
                kernel = kernel.T
            scene = cv2.filter2D(scene, -1, kernel).astype(np.float32)
        scene = scene + self._noise.standard_normal(scene.shape, np.float32) * self._grain
        picture = np.clip(scene, 0, 255).astype(np.uint8)
        quality = max(10, min(95, self._quality + chance.randint(-10, 10)))
        encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)

    def _dirty(self, flat: Floats) -> Floats:
        if self._chance.random() > 0.3:  # noqa: PLR2004
            return flat
        spots = (self._noise.random((10, 20)) < self._chance.uniform(0.03, 0.15)).astype(np.float32)
        dirt = cv2.resize(spots, (flat.shape[1], flat.shape[0]))[..., None] * 0.65
        return np.asarray(flat + (self._chance.uniform(40, 150) - flat) * dirt, dtype=np.float32)

    def _background(self) -> Floats:
        blotches = self._noise.normal(self._chance.uniform(70, 150), 30, (9, 16, 3)).astype(np.float32)
        return np.asarray(cv2.resize(blotches, (1280, 720)), dtype=np.float32)


def _real_passages(engine: Engine, data: Path) -> Iterator[Passage]:
    """The plates of the validation part that stand in several frames of one drive."""
    places: defaultdict[str, list[tuple[Path, Box]]] = defaultdict(list)
    for label in labels(data):
        if label.path.parts[-3] == "ro" and label.text and not label.note and is_validation(label.text):
            places[label.text].append((label.path, Box(*label.box)))
    sights: dict[Path, Sight] = {}
    for text, seen in places.items():
        if len(seen) < _FEWEST_REAL:
            continue
        for path, _ in seen:
            if path not in sights:
                sights[path] = engine.look(np.asarray(cv2.imread(str(path)), dtype=np.uint8))
        yield Passage(text, tuple(_reading_at(sights[path], box) for path, box in seen))


if __name__ == "__main__":
    sys.exit(main())
