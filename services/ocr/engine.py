"""The recogniser: two ONNX models and what is round them, from an image to plates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from services.ocr.core.alphabet import Alphabet
from services.ocr.core.ctc import read
from services.ocr.core.detection import DetectionSettings, Tensor, detector_input, normalised, text_regions
from services.ocr.core.plates import Line, Plate, PlateSettings, choose, in_doubt, split_plates, worth_reading
from services.ocr.core.quad import Image, Quad, cut_out

# What the recogniser takes: lines 48 pixels high, of any width.
_LINE_HEIGHT: Final = 48
_COLUMN_WIDTH: Final = 8
_NARROWEST: Final = 48
# The further views of a line in doubt: how far its outline is moved outwards, in line heights.
_MARGINS: Final = (0.08, -0.06)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How plates are found and read; see the parts."""

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    plates: PlateSettings = field(default_factory=PlateSettings)


class Engine:
    """Finds and reads plates. Its method blocks and uses CPU: call it in an executor, also side by side."""

    def __init__(
        self, detector: bytes, recognizer: bytes, *, threads: int, settings: EngineSettings | None = None
    ) -> None:
        """Loads both models.

        Args:
            detector: PP-OCR text detector, ONNX.
            recognizer: PP-OCR CTC recogniser, ONNX, its alphabet under the metadata key `character`.
            threads: Threads inside one model run; runs side by side are the caller's choice.
            settings: How plates are found and read.
        """
        self._settings = settings or EngineSettings()
        self._detector = _session(detector, threads)
        self._recognizer = _session(recognizer, threads)
        listed = self._recognizer.get_modelmeta().custom_metadata_map["character"]
        self._alphabet = Alphabet.of(listed.split("\n"))

    def plates(self, image: Image) -> tuple[Plate, ...]:
        """The plates in `image` (BGR, rows x columns x 3), most to least certain."""
        height, width = image.shape[:2]
        scores = _run(self._detector, detector_input(image, self._settings.detection))[0, 0]
        regions = text_regions(scores, width, height, self._settings.detection)
        lines = self._read(image, worth_reading(regions, self._settings.plates))
        wholes = self._read(image, split_plates(lines))
        return choose(lines, wholes, self._settings.plates)

    def _read(self, image: Image, quads: Iterable[Quad]) -> list[Line]:
        return [self._line(image, quad) for quad in quads]

    def _line(self, image: Image, quad: Quad) -> Line:
        probabilities = self._probabilities(image, quad)
        views = [self._alphabet.plate_probabilities(probabilities)]
        line = Line(quad, self._alphabet.raw_text(probabilities), read(views))
        if not in_doubt(line):
            return line
        for margin in _MARGINS:
            seen = self._probabilities(image, quad.grown(margin * quad.height))
            views.append(self._alphabet.plate_probabilities(seen))
        return Line(quad, line.raw, read(views))

    def _probabilities(self, image: Image, quad: Quad) -> npt.NDArray[np.float32]:
        # A width of its own for each line: padding to a common one costs more than a batch saves on a CPU.
        columns = ceil(_LINE_HEIGHT * quad.width / max(quad.height, 1) / _COLUMN_WIDTH)
        cut = cut_out(image, quad, _LINE_HEIGHT, max(_NARROWEST, columns * _COLUMN_WIDTH))
        return np.asarray(_run(self._recognizer, normalised(cut)[None])[0])


def _session(model: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning: the cores belong to the other frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, tensor: Tensor) -> npt.NDArray[np.float32]:
    outputs: list[Any] = session.run(None, {session.get_inputs()[0].name: tensor})
    return np.asarray(outputs[0], dtype=np.float32)
