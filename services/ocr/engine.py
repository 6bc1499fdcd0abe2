"""The engine: four ONNX networks and what is round them, from an image to plates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from services.ocr.core import grammar
from services.ocr.core.calibration import NOT_TURNED, tempered
from services.ocr.core.ctc import probabilities
from services.ocr.core.detection import (
    DetectionSettings,
    Found,
    Shown,
    detector_input,
    found_plates,
    once,
    resized,
)
from services.ocr.core.plates import FIRST_VIEWS, Likely, Plate, Sight, each_once, views
from services.ocr.core.quad import Box, Image, Quad
from services.ocr.core.reading import (
    LEAST_PROBABILITY,
    Clarity,
    Evidence,
    Marked,
    clarity,
    evidence,
    own_fits,
    read,
)
from services.ocr.core.windows import (
    Surroundings,
    corner_window,
    corners_in,
    issuer_window,
    reading_window,
    surroundings,
    unrolled_window,
)
from services.ocr.models import ModelSet

Tensor = npt.NDArray[np.float32]

# Between these the plate is read in one line and in two, and the better reading counts.
_ONE_LINE: Final = 0.2
_TWO_LINES: Final = 0.8
# A box that is smaller in both directions has no corners to be looked for once more.
_SMALLEST: Final = 4.0
# What fits worse than this for a character is no text, and nobody issued it.
_WORST_FIT: Final = -0.8
# A window without any text fits as badly as this.
_NO_TEXT: Final = -50.0
# Corners of a plate that is upside down, and of one that is mirrored, in the order of one that is neither.
_TURNED: Final = ((2, 3, 0, 1), (1, 0, 3, 2))
# How much better, for a character, a text must fit the other way round, and how well. A plate that hangs as
# it should and is hard to read fits some text turned round, too: of 660 on validation pictures none passes
# both, and of the same plates turned round two in three.
_PLAINLY_BETTER: Final = 0.05
_PLAIN_TEXT: Final = -0.05
# From this score of the detector on, what cannot be read is called a plate that cannot be read.
_SURELY_A_PLATE: Final = 0.5


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How plates are found; what else there is to set belongs to the models."""

    detection: DetectionSettings = field(default_factory=DetectionSettings)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to read a plate: `split` is where its two lines part, from 0 to 1; None for one line."""

    around: Surroundings
    outlines: tuple[Quad, ...]
    split: float | None

    def turned(self, order: Sequence[int]) -> _Way:
        """The same where the corners that come first as the plate is read are others."""
        outlines = tuple(Quad.of(quad.array()[list(order)]) for quad in self.outlines)
        upside_down = order[0] in (2, 3)
        split = 1 - self.split if self.split is not None and upside_down else self.split
        return _Way(self.around, outlines, split)

    def windows(self, start: int, end: int | None) -> list[Image]:
        """The reader's windows of these outlines."""
        if self.split is None:
            return [reading_window(self.around, quad) for quad in self.outlines[start:end]]
        return [unrolled_window(self.around, quad, self.split) for quad in self.outlines[start:end]]


@dataclass(frozen=True, slots=True)
class _Look:
    """A way, what the reader answered to its windows, what that says, and how much better it fits turned."""

    way: _Way
    windows: Tensor
    said: Evidence
    turned: float


class Engine:
    """Finds and reads plates. Its methods block and use CPU: call them in an executor, also side by side."""

    def __init__(self, model: ModelSet, *, threads: int, settings: EngineSettings | None = None) -> None:
        """Loads the networks.

        Args:
            model: The version; each of its files is checked here.
            threads: Threads inside one model run; runs side by side are the caller's choice.
            settings: How plates are found.

        Raises:
            ModelsError: A file is missing, or is another than the version names.
        """
        # Threads of OpenCV would fight those of the networks for the cores.
        cv2.setNumThreads(1)
        networks = model.networks()
        self.model = model
        self._detection = (settings or EngineSettings()).detection
        self._detector = _session(networks["detector"], threads)
        self._corners = _session(networks["corners"], threads)
        self._characters = _session(networks["characters"], threads)
        self._issuer = _session(networks["issuer"], threads)
        # Versions differ in how large they want the plate for this one.
        _, self._issuer_height, self._issuer_width, _ = self._issuer.get_inputs()[0].shape

    def plates(self, image: Image) -> tuple[Plate, ...]:
        """The plates that can be read in `image` (BGR, rows x columns x 3), most to least certain."""
        return self.look(image).plates

    def look(self, image: Image) -> Sight:
        """What is in `image` (BGR, rows x columns x 3)."""
        plates = self.read(image, self.find(image))
        readable = self.model.calibration.readable
        return Sight(
            tuple(one for one in plates if one.probability >= readable),
            tuple(one for one in plates if one.probability < readable and one.clues.score >= _SURELY_A_PLATE),
        )

    def find(self, image: Image) -> tuple[Found, ...]:
        """Where the detector marks plates, highest score first.

        It looks twice: a plate that fills the image is larger than any it knows, and is seen in a small copy,
        which costs next to nothing.
        """
        settings = self._detection
        side, width = max(image.shape[:2]), image.shape[1]
        scale = settings.long_side / side
        seen = resized(image, scale)
        far = self._marked(seen, Shown(scale))
        small = resized(seen, settings.close_side / settings.long_side)
        close = self._marked(small, Shown(settings.close_side / side, settings.close_margin))
        large = [one for one in close if one.box.width >= settings.close_share * width]
        return once((*far, *large), settings)

    def _marked(self, image: Image, shown: Shown) -> tuple[Found, ...]:
        score, box, _ = self._detector.run(
            ["score", "box", "corners"], {"image": detector_input(image, shown.margin)}
        )
        threshold = self.model.calibration.threshold
        return found_plates(score[0], box[0], shown, threshold, self._detection)

    def read(self, image: Image, found: Sequence[Found]) -> tuple[Plate, ...]:
        """A plate for each of `found`, most to least certain; of two at one place the more certain one."""
        if not found:
            return ()
        arounds = [surroundings(image, one.box) for one in found]
        ways = self._ways(arounds, [one.box for one in found])
        seen = self._looks([way for several in ways for way in several])
        plates = []
        for several in ways:
            options, seen = seen[: len(several)], seen[len(several) :]
            plates.append(max(options, key=lambda look: _best_fit(look.said)))
        return self._plates(plates, found, image.shape[1], image.shape[0])

    def _ways(self, arounds: Sequence[Surroundings], boxes: Sequence[Box]) -> list[list[_Way]]:
        """For each plate one way to read it, or two where it is not clear whether it has two lines."""
        first, _, _ = self._corner_run(arounds, boxes)
        tight = [
            around if min(around.width, around.height) > _SMALLEST else box
            for around, box in zip((quad.bounds() for quad in first), boxes, strict=True)
        ]
        second, two_line, split = self._corner_run(arounds, tight)
        ways = []
        for n, around in enumerate(arounds):
            outlines = views(boxes[n], first[n], second[n])
            splits: list[float | None] = [None] if two_line[n] < _TWO_LINES else []
            if two_line[n] > _ONE_LINE:
                splits.append(float(np.clip(split[n], 0.2, 0.8)))
            ways.append([_Way(around, outlines, one) for one in splits])
        return ways

    def _corner_run(
        self, arounds: Sequence[Surroundings], boxes: Sequence[Box]
    ) -> tuple[list[Quad], Tensor, Tensor]:
        windows = [corner_window(around, box) for around, box in zip(arounds, boxes, strict=True)]
        names = ["quad", "two_line", "split"]
        quads, two_line, split = self._corners.run(names, {"window": np.stack(windows)})
        return [corners_in(box, one) for box, one in zip(boxes, quads, strict=True)], two_line, split

    def _looks(self, ways: Sequence[_Way]) -> list[_Look]:
        """What each way shows the reader, and what that says: first two windows, more where they doubt."""
        ways = list(ways)
        shown = self._character_run([way.windows(0, FIRST_VIEWS) for way in ways])
        clear = [clarity(probabilities(windows)) for windows in shown]
        doubtful = [n for n, one in enumerate(clear) if one is Clarity.DOUBTFUL]
        turned = [NOT_TURNED] * len(ways)
        closer = self._closer([ways[n] for n in doubtful], [shown[n] for n in doubtful])
        for n, (way, windows, better) in zip(doubtful, closer, strict=True):
            ways[n], shown[n], turned[n] = way, windows, better
        return [
            _Look(way, windows, evidence(probabilities(windows), search=one is not Clarity.HOPELESS), better)
            for way, windows, one, better in zip(ways, shown, clear, turned, strict=True)
        ]

    def _closer(self, ways: Sequence[_Way], first: Sequence[Tensor]) -> list[tuple[_Way, Tensor, float]]:
        """Each way with all its windows, or that in which a plate reads that is upside down or mirrored.

        Such a plate never reads as well as it does the right way round, but it does read as something. The
        number says how much better the best of the ways that were not taken fits, for a character.
        """
        shown = self._character_run(
            [
                [*way.windows(FIRST_VIEWS, None), *(way.turned(order).windows(0, 1)[0] for order in _TURNED)]
                for way in ways
            ]
        )
        closer = []
        for way, upright, more in zip(ways, first, shown, strict=True):
            further, turned = more[: -len(_TURNED)], more[-len(_TURNED) :]
            fits = np.maximum(own_fits(probabilities(np.concatenate([upright[:1], turned]))), _NO_TEXT)
            best = int(np.argmax(fits[1:]))
            better = float(np.clip(fits[1 + best] - fits[0], NOT_TURNED, -NOT_TURNED))
            if fits[1 + best] < max(fits[0] + _PLAINLY_BETTER, _PLAIN_TEXT):
                closer.append((way, np.concatenate([upright, further]), better))
                continue
            other = way.turned(_TURNED[best])
            closer.append((other, self._character_run([other.windows(0, None)])[0], -better))
        return closer

    def _character_run(self, windows: Sequence[Sequence[Image]]) -> list[Tensor]:
        """Columns x 37 logarithms for each window, grouped as given."""
        if not windows:
            return []
        flat = np.stack([one for several in windows for one in several])
        (answers,) = self._characters.run(["log_probabilities"], {"window": flat})
        ends = np.cumsum([len(several) for several in windows])[:-1]
        return list(np.split(answers, ends))

    def _plates(
        self,
        seen: Sequence[_Look],
        found: Sequence[Found],
        width: int,
        height: int,
    ) -> tuple[Plate, ...]:
        issued = self._issuers(seen)
        plates = []
        calibration = self.model.calibration
        for look, one, (issuers, kinds) in zip(seen, found, issued, strict=True):
            if not look.said.texts:
                continue
            quad = look.way.outlines[0]
            marked = Marked(quad.width, one.score, look.turned)
            reading, clues = read(look.said, issuers, calibration, marked)
            if grammar.SHORTEST <= len(reading.text) <= grammar.LONGEST:
                inside = quad.clipped(width, height)
                # What the plate looks like, and then what its text says of who issues such texts.
                likely = _likely(grammar.weighed(reading.text, issuers), calibration.issuer_temperature)
                plates.append(Plate(reading, inside, clues, likely, kinds, look.windows))
        return each_once(plates)

    def _issuers(self, seen: Sequence[_Look]) -> list[tuple[Mapping[str, float], Likely]]:
        """Issuers and kinds of each plate by its looks; empty where there is no text that anybody issued."""
        issued: list[tuple[Mapping[str, float], Likely]] = [({}, ())] * len(seen)
        texts = [n for n, look in enumerate(seen) if _best_fit(look.said) > _WORST_FIT]
        if not texts:
            return issued
        windows = [
            issuer_window(
                look.way.around,
                look.way.outlines[look.said.best_window],
                self._issuer_width,
                self._issuer_height,
            )
            for look in (seen[n] for n in texts)
        ]
        issuers, kinds = self._issuer.run(["issuer", "kind"], {"window": np.stack(windows)})
        model, calibration = self.model, self.model.calibration
        for n, issuer, kind in zip(texts, issuers, kinds, strict=True):
            looks = dict(zip(model.issuers, issuer.tolist(), strict=True))
            kind_of = dict(zip(model.kinds, kind.tolist(), strict=True))
            issued[n] = (looks, _likely(kind_of, calibration.kind_temperature))
        return issued


def _best_fit(said: Evidence) -> float:
    """How well the best text fits, for one of its characters; nothing fits nothing."""
    return float(said.together[said.best]) / len(said.texts[said.best]) if said.texts else -np.inf


def _likely(values: Mapping[str, float], temperature: float) -> Likely:
    pairs = zip(values, tempered(list(values.values()), temperature), strict=True)
    kept = [(label, value) for label, value in pairs if value >= LEAST_PROBABILITY]
    return tuple(sorted(kept, key=lambda pair: -pair[1]))


def _session(model: bytes, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning: the cores belong to the other frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
