"""Makes training windows: photographs of drawn plates, and of real ones cut out and photographed again.

python -m training.make_windows --what text|issuer|real --out PREFIX --fonts DIR --data DIR [--chunks N]

Writes PREFIX_000.npz, PREFIX_001.npz, ... one after another, each under its name only when it is whole, so
that a training can take them as they come; those that are there already are left. Arrays of n samples:
text, real: `text` n x 64 x 128 uint8, `label` n x 14 int8 (symbols from 1, ended by 0), `width` n float32
(pixels of the plate); every third sample also in `corner` m x 64 x 128 uint8, `quad` m x 8, `lines`, `split`.
issuer: `colour` n x 64 x 128 x 3 uint8, `strips` n x 2 x 40 x 256 uint8, `issuer` n int16, `kind` n int8,
`words` n x 2 x 32 int8 (letters from 1, ended by 0; -1 where what stands there is not known).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from training.camera import Camera, Shot
from training.fonts import Faces
from training.labels import Label, cut, readable, surroundings
from training.plates import ISSUERS, KINDS, FlatPlate, draw, draw_us
from training.windows import ISSUER_SIZE, corner_window, issuer_parts, rectified, shaken, text_window

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LONGEST = 14
_SHOTS = 4
_SHOTS_OF_A_REAL_ONE = 22
_CORNER_SHARE = 3
_MORE_STATES = 0.5
_LONGEST_WORDS = 31
# Share of the issuer's windows without a camera between: letters are learned from those first.
_PLAIN = 0.2


def symbols(text: str) -> np.ndarray:
    """The characters of `text` as numbers from 1, ended by 0."""
    numbers = [ALPHABET.index(character) + 1 for character in text[:LONGEST]]
    return np.array(numbers + [0] * (LONGEST - len(numbers)), np.int8)


def letters(words: tuple[str, str] | None) -> np.ndarray:
    """The letters above and below a number from 1, ended by 0: 2 x 32; first -1 where they are not known."""
    out = np.zeros((2, _LONGEST_WORDS + 1), np.int8)
    if words is None:
        out[:, 0] = -1
    for row, text in zip(out, words or (), strict=False):
        shown = text[:_LONGEST_WORDS]
        row[: len(shown)] = [ord(letter) - ord("A") + 1 for letter in shown]
    return out


class Chunk:
    """Samples on their way to a file."""

    def __init__(self) -> None:
        self._rows: dict[str, list[np.ndarray | float | int]] = {}

    def add(self, **values: np.ndarray | float | int) -> None:
        """One more value of each of the named arrays."""
        for name, value in values.items():
            self._rows.setdefault(name, []).append(value)

    def write(self, path: Path, order: np.random.Generator | None) -> None:
        """Writes all; in another order when `order` is given and all arrays have the same length."""
        arrays = {name: np.array(rows) for name, rows in self._rows.items()}
        if order is not None:
            shuffled = order.permutation(len(next(iter(arrays.values()))))
            arrays = {name: array[shuffled] for name, array in arrays.items()}
        part = path.with_suffix(".part.npz")
        np.savez(part, **arrays)  # type: ignore[arg-type]
        part.rename(path)


def drawn(rng: random.Random, faces: Faces, states: float = 0.0) -> Iterator[FlatPlate]:
    """Drawn plates, each as often as it is photographed; a share `states` more of the United States."""
    while True:
        plate = draw_us(rng, faces) if rng.random() < states else draw(rng, faces)
        for _ in range(_SHOTS):
            yield plate


class Looker:
    """Rectifies as the service does: with the corner net's answer on a box as the detector gives it.

    Args:
        corners: The corner net, ONNX; None shakes the true corners instead.
    """

    def __init__(self, corners: Path | None) -> None:
        self._net = None
        if corners:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            self._net = ort.InferenceSession(str(corners), options)

    def quad(self, shot: Shot, rng: random.Random) -> np.ndarray:
        """The corners as they would be found."""
        if self._net is None or rng.random() < 0.3:
            return shaken(shot.quad, rng)
        low, high = shot.quad.min(0), shot.quad.max(0)
        span = high - low
        low = low + span * [rng.gauss(0, 0.04), rng.gauss(0, 0.06)]
        high = high + span * [rng.gauss(0, 0.04), rng.gauss(0, 0.06)]
        grey = shot.image if shot.image.ndim == 2 else cv2.cvtColor(shot.image, cv2.COLOR_BGR2GRAY)
        quad = self._found(self._net, grey, low, high)
        if rng.random() < 0.75:
            again = self._found(self._net, grey, quad.min(0), quad.max(0))
            quad = again if rng.random() < 0.6 else (quad + again) / 2
        if rng.random() < 0.2:
            centre = quad.mean(0)
            quad = (quad - centre) * [rng.uniform(0.98, 1.06), rng.uniform(0.94, 1.11)] + centre
        return quad.astype(np.float32)

    def _found(
        self, net: ort.InferenceSession, grey: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        span = np.maximum(high - low, 4)
        a, b = low - span * [0.2, 0.3], high + span * [0.2, 0.3]
        scale = np.array([128, 64]) / (b - a)
        target = np.array([[scale[0], 0, -a[0] * scale[0]], [0, scale[1], -a[1] * scale[1]]], np.float32)
        # The canvas may end before the enlarged box does; the border is repeated as in the service.
        if scale[0] < 0.8:
            grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / scale[0])
        window = cv2.warpAffine(
            grey, target, (128, 64), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        found = net.run(None, {"window": window[None]})[0][0].reshape(4, 2)
        return found * (b - a) + a


def text_chunk(
    plates: Iterator[FlatPlate], size: int, camera: Camera, look: Looker, rng: random.Random
) -> Chunk:
    """Windows for the character net, and some for the corner net."""
    chunk = Chunk()
    for n in range(size):
        plate = next(plates)
        shot = camera.photograph(plate.image, rng)
        _add_text(chunk, shot, plate.text, plate.lines, plate.split, look, rng)
        if n % _CORNER_SHARE == 0:
            scale = np.array([shot.image.shape[1], shot.image.shape[0]], np.float32)
            chunk.add(
                corner=corner_window(shot.image),
                quad=(shot.quad / scale).ravel(),
                lines=plate.lines,
                split=np.float32(plate.split),
            )
    return chunk


def _add_text(
    chunk: Chunk, shot: Shot, text: str, lines: int, split: float, look: Looker, rng: random.Random
) -> None:
    quad = look.quad(shot, rng)
    middle = split + rng.gauss(0, 0.02) if lines > 1 else split
    width = float(np.linalg.norm(shot.quad[1] - shot.quad[0]))
    chunk.add(text=text_window(shot.image, quad, lines, middle), label=symbols(text), width=np.float32(width))


def issuer_chunk(
    plates: Iterator[FlatPlate], size: int, camera: Camera, look: Looker, rng: random.Random
) -> Chunk:
    """Windows for the issuer net."""
    chunk = Chunk()
    for _ in range(size):
        plate = next(plates)
        if rng.random() < _PLAIN:
            window = _plain(plate.image, rng)
        else:
            width = float(np.clip(rng.lognormvariate(4.8, 0.45), 50, 500))
            shot = camera.photograph(plate.image, rng, width)
            window = rectified(shot.image, look.quad(shot, rng), ISSUER_SIZE)
        colour, strips = issuer_parts(window)
        issuer, kind = ISSUERS.index(plate.issuer), KINDS.index(plate.kind)
        chunk.add(colour=colour, strips=strips, issuer=issuer, kind=kind, words=letters(plate.words))
    return chunk


def _plain(image: np.ndarray, rng: random.Random) -> np.ndarray:
    """A plate from near and in good light, as the issuer net is shown it."""
    high, wide = image.shape[:2]
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    quad = shaken(corners, rng)
    light = np.clip(image.astype(np.float32) * rng.uniform(0.6, 1.1) + rng.uniform(0, 30), 0, 255)
    return rectified(light.astype(np.uint8), quad, ISSUER_SIZE)


def real_chunk(labels: list[Label], camera: Camera, look: Looker, rng: random.Random) -> Chunk:
    """Windows of every labelled real plate, photographed again."""
    chunk = Chunk()
    for label in labels:
        image = cv2.imread(str(label.path))
        plate = cut(image, label.box) if image is not None else np.zeros((0, 0, 3), np.uint8)
        wide = label.box[2]
        if plate.size == 0 or wide < 30 or not 2 <= len(label.text) <= LONGEST:
            continue
        for _ in range(_SHOTS_OF_A_REAL_ONE):
            width = min(float(np.clip(rng.lognormvariate(4.6, 0.48), 42, 320)), wide * 1.3)
            shot = camera.photograph(plate, rng, max(width, 36.0), 1.0 if wide > 1.5 * width else 0.5)
            _add_text(chunk, shot, label.text, label.lines, 0.5, look, rng)
    return chunk


def main() -> None:
    """Writes chunks until there are as many as asked for."""
    parser = argparse.ArgumentParser(description="Makes training windows.")
    parser.add_argument("--what", choices=("text", "issuer", "real"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--data", type=Path, help="folder train of the labelled photographs")
    parser.add_argument("--corners", type=Path, help="corner net, ONNX: rectify with what it finds")
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--size", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    faces = Faces(options.fonts)
    around = surroundings(options.data, 600) if options.data else []
    camera, look = Camera(around, colour=options.what == "issuer"), Looker(options.corners)
    real = readable(options.data, validation=False) if options.what == "real" else []
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for number in range(options.chunks):
        path = options.out.parent / f"{options.out.name}_{number:03d}.npz"
        if path.exists():
            continue
        # A row of its own for every chunk, so that a run that is started again goes on where it was.
        rng, start = random.Random(f"{options.seed} {number}"), time.process_time()
        # States are many and alike, other countries few and easily told.
        plates = drawn(rng, faces, _MORE_STATES if options.what == "issuer" else 0.0)
        if options.what == "text":
            text_chunk(plates, options.size, camera, look, rng).write(path, None)
        elif options.what == "issuer":
            issuer_chunk(plates, options.size, camera, look, rng).write(path, None)
        else:
            real_chunk(real, camera, look, rng).write(path, np.random.default_rng(rng.getrandbits(64)))
        print(f"{path.name}: {time.process_time() - start:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
