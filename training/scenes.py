"""Training pictures for the detector: real photographs seen anew, with real, replaced and added plates.

A photograph is zoomed, turned, mirrored and cut. Each of its plates is kept, or made to vanish and mostly
replaced by a drawn one, whose corners are then known; more drawn plates and things that are no plates are put
elsewhere; a camera takes the result. A mirrored plate is still a plate to be found: only boxes are learnt
from real ones, never corners, so mirroring teaches nothing false.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from training import distractors, pasting
from training.exposure import Exposure
from training.photographs import Box, Photograph
from training.targets import Plate, box_of, common_area
from training.views import View, corners_of, covers, plate_width, view_of, warp

# Smaller than this (pixels) nobody can say whether it is a plate: not counted either way.
_LEAST_WIDTH, _LEAST_HEIGHT = 12.0, 4.0
# Nor of one as even as this (standard deviation of the brightness): the night or the noise swallowed it.
_LEAST_CONTRAST = 6.0
# A plate of which less is inside the picture is not counted.
_LEAST_VISIBLE = 0.75
_WIDEST = 400.0
# Share of the pictures that show close-ups; those are so long, with grey of so much round them.
_CLOSE_UPS = 0.12
_SIDE, _MARGIN = 96, 32


@dataclass(frozen=True)
class Scene:
    """A picture with its plates; in the `ignored` boxes the detector may say what it likes."""

    image: np.ndarray
    plates: tuple[Plate, ...]
    ignored: tuple[Box, ...]


@dataclass(frozen=True)
class Stock:
    """What scenes are made of. `hard` are the places (photograph index, box) to show more often."""

    photographs: Sequence[Photograph]  # chosen by their weight
    plates: Sequence[np.ndarray]
    distractors: Sequence[distractors.Drawing]
    exposure: Exposure
    hard: Sequence[tuple[int, Box]] = ()


@dataclass
class _Draft:
    """A scene in the making."""

    canvas: np.ndarray
    plates: list[Plate] = field(default_factory=list)
    ignored: list[Box] = field(default_factory=list)
    vacant: list[Box] = field(default_factory=list)  # where a plate was made to vanish


def make_stock(
    photographs: Sequence[Photograph],
    draw_plate: Callable[[random.Random], np.ndarray],
    write: distractors.Writer,
    seed: int,
    sizes: tuple[int, int] = (6000, 2400),
) -> Stock:
    """Draws plates and distractors beforehand (`sizes` of each): every scene takes some of them."""
    rng = random.Random(seed)
    plates = [_at_most(draw_plate(rng), 320) for _ in range(sizes[0])]
    others = [distractors.draw(rng, write) for _ in range(sizes[1])]
    hard = [(index, box) for index, photograph in enumerate(photographs) for box in photograph.hard]
    return Stock(photographs, plates, others, Exposure(seed), hard)


def _any(rng: random.Random, stock: Stock) -> int:
    """The index of a photograph. A train of frames with the same cars must not outweigh all the rest."""
    weights = [photograph.weight for photograph in stock.photographs]
    return rng.choices(range(len(weights)), weights)[0]


def _at_most(picture: np.ndarray, widest: int) -> np.ndarray:
    scale = widest / picture.shape[1]
    if scale >= 1:
        return np.ascontiguousarray(picture)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def draw(rng: random.Random, stock: Stock, height: int, width: int) -> Scene:
    """A scene of `height` x `width` pixels. `rng` and the stock decide everything."""
    if rng.random() < _CLOSE_UPS:
        return _close_ups(rng, stock, height, width)
    draft = _Draft(np.full((height, width, 3), rng.choice([0, 114, rng.randint(0, 255)]), np.uint8))
    hard = rng.choice(stock.hard) if stock.hard and rng.random() < 0.2 else None
    index = hard[0] if hard else _any(rng, stock)
    photograph = stock.photographs[index]
    view = view_of(rng, photograph, (height, width), hard[1] if hard else None)
    if not covers(view, photograph, height, width) and rng.random() < 0.85:
        behind = stock.photographs[_any(rng, stock)]
        _lay(rng, draft, behind, view_of(rng, behind, (height, width), None, fill=True))
    _lay(rng, draft, photograph, view)
    if rng.random() < 0.1:  # dusk: what shines back stands out
        draft.canvas = cv2.convertScaleAbs(draft.canvas, alpha=rng.uniform(0.25, 0.7))
    for box in draft.vacant:
        if rng.random() < 0.8:
            _replace(rng, draft, stock, box, view.roll)
        elif rng.random() < 0.5:
            middle = (box[0] + box[2] / 2, box[1] + box[3] / 2)
            _put_other(rng, draft, *rng.choice(stock.distractors), middle, box[2])
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        _add_plate(rng, draft, stock)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        _add_other(rng, draft, stock)
    image = stock.exposure.take(rng, draft.canvas)
    return _finished(image, draft)


def _close_ups(rng: random.Random, stock: Stock, height: int, width: int) -> Scene:
    """Small pictures, each filled by a plate, side by side on grey: the second look of the service."""
    draft = _Draft(np.full((height, width, 3), 114, np.uint8))
    for top in range(_MARGIN, height - _SIDE, _SIDE + _MARGIN):
        for left in range(_MARGIN, width - _SIDE, _SIDE + _MARGIN):
            picture = rng.choice(stock.plates)
            wide = _SIDE * rng.uniform(0.6, 1.0)
            high = wide * picture.shape[0] / picture.shape[1]
            room = round(min(_SIDE, max(high * rng.uniform(1.0, 1.8), 12)))
            piece = _piece(rng, stock)
            if piece is None:
                piece = np.full((2, 2, 3), [rng.randint(0, 255) for _ in range(3)], np.uint8)
            small = cv2.resize(piece, (_SIDE, room), interpolation=cv2.INTER_AREA)
            quad = pasting.quad_at(rng, (_SIDE / 2, room / 2), wide, high)
            pasting.paste(rng, small, _recoloured(rng, picture), quad)
            draft.canvas[top : top + room, left : left + _SIDE] = small
            seen = np.clip(quad, (0, 0), (_SIDE, room))
            whole = np.array_equal(seen, quad)
            draft.plates.append(Plate(seen + np.array([left, top], np.float32), corners_known=whole))
    return _finished(stock.exposure.take(rng, draft.canvas), draft)


def _lay(rng: random.Random, draft: _Draft, photograph: Photograph, view: View) -> None:
    """Draws the photograph over the canvas and moves its plates along, some of them erased."""
    high, wide = photograph.image.shape[:2]
    extent = np.zeros(draft.canvas.shape[:2], np.uint8)
    outline = view.quad((0, 0, wide, high))
    cv2.fillConvexPoly(extent, np.round(outline).astype(np.int32), 1)
    _cover_up(draft, extent)
    erased: list[int] = []
    # An upright box round a turned real plate is no label: such plates are replaced.
    keep = 0.5 if abs(view.roll) <= 2 else 0.0
    for index, box in enumerate(photograph.plates):
        quad = view.quad(box)
        if not _touches(box_of(quad), draft.canvas.shape):
            continue
        if rng.random() < keep:
            upright = box_of(quad)
            draft.plates.append(Plate(corners_of(upright), corners_known=False))
        else:
            erased.append(index)
            draft.vacant.append(box_of(quad))
    draft.ignored += [box_of(view.quad(box)) for box in photograph.ignored]
    warp(draft.canvas, photograph, view.matrix, erased)


def _touches(box: Box, shape: tuple[int, ...]) -> bool:
    left, top, wide, high = box
    return left < shape[1] and top < shape[0] and left + wide > 0 and top + high > 0


def _cover_up(draft: _Draft, extent: np.ndarray) -> None:
    """Plates of what lies below: gone where the new photograph covers them, doubtful where it cuts them."""
    below = draft.plates + [Plate(corners_of(box), corners_known=False) for box in draft.ignored]
    draft.vacant = []
    kept: list[Plate] = []
    doubtful: list[Box] = []
    for index, plate in enumerate(below):
        left, top, wide, high = (int(value) for value in plate.box)
        part = extent[max(0, top) : max(0, top + high + 1), max(0, left) : max(0, left + wide + 1)]
        hidden = float(part.mean()) if part.size else 0.0
        if hidden < 0.02 and index < len(draft.plates):
            kept.append(plate)
        elif hidden < 0.95:
            doubtful.append(plate.box)
    draft.plates, draft.ignored = kept, doubtful


def _replace(rng: random.Random, draft: _Draft, stock: Stock, box: Box, roll: float) -> None:
    """A drawn plate where a real one was. A short plate on a long plate's place is narrower, as on a car."""
    left, top, wide, high = box
    picture = rng.choice(stock.plates)
    aspect = picture.shape[1] / picture.shape[0]
    new_width = min(wide * rng.uniform(0.85, 1.1), high * aspect * rng.uniform(0.9, 1.9), _WIDEST)
    centre = (left + wide / 2 + rng.gauss(0, 0.03) * wide, top + high / 2 + rng.gauss(0, 0.1) * high)
    _put(rng, draft, picture, pasting.quad_at(rng, centre, new_width, new_width / aspect, roll))


def _add_plate(rng: random.Random, draft: _Draft, stock: Stock) -> None:
    height, width = draft.canvas.shape[:2]
    picture = rng.choice(stock.plates)
    wide = plate_width(rng)
    centre = (rng.uniform(0, width), rng.uniform(0, height))
    high = wide * picture.shape[0] / picture.shape[1]
    _put(rng, draft, picture, pasting.quad_at(rng, centre, wide, high))


def _put(rng: random.Random, draft: _Draft, picture: np.ndarray, quad: np.ndarray) -> None:
    """Pastes a plate unless something is in the way or it would be cut by the edge."""
    if _occupied(draft, box_of(quad), 0.1) or _visible(box_of(quad), draft.canvas.shape) < 1:
        return
    pasting.paste(rng, draft.canvas, _recoloured(rng, picture), quad)
    draft.plates.append(Plate(quad, corners_known=True))


def _recoloured(rng: random.Random, picture: np.ndarray) -> np.ndarray:
    """At times another colour scheme: a plate is not known by its colours, and red is not only for lamps."""
    chance = rng.random()
    if chance < 0.08:
        return picture[..., rng.sample(range(3), 3)]
    if chance > 0.16:
        return picture
    light = np.array([rng.uniform(170, 255) for _ in range(3)])
    dark = np.array([rng.uniform(0, 90) for _ in range(3)])
    dark[rng.randrange(3)] = rng.uniform(0, 230)
    share = picture.mean(axis=2, keepdims=True) / 255
    if rng.random() < 0.6:
        share = 1 - share
    return np.asarray(dark + (light - dark) * share, np.uint8)


def _add_other(rng: random.Random, draft: _Draft, stock: Stock) -> None:
    """Something that is no plate: drawn, or a piece of another photograph with its plates erased."""
    height, width = draft.canvas.shape[:2]
    wide = plate_width(rng) * rng.uniform(0.7, 1.6)
    centre = (rng.uniform(0, width), rng.uniform(0, height))
    cover = None
    if rng.random() < 0.35:
        piece = _piece(rng, stock)
        if piece is None:
            return
        picture = piece
    else:
        picture, cover = rng.choice(stock.distractors)
    _put_other(rng, draft, picture, cover, centre, wide)


def _put_other(
    rng: random.Random,
    draft: _Draft,
    picture: np.ndarray,
    cover: np.ndarray | None,
    centre: tuple[float, float],
    wide: float,
) -> None:
    quad = pasting.quad_at(rng, centre, wide, wide * picture.shape[0] / picture.shape[1])
    if not _occupied(draft, box_of(quad), 0.02):
        pasting.paste(rng, draft.canvas, picture, quad, cover)


def _piece(rng: random.Random, stock: Stock) -> np.ndarray | None:
    """A plate-shaped piece of a photograph, away from its plates."""
    photograph = stock.photographs[_any(rng, stock)]
    image_height, image_width = photograph.image.shape[:2]
    wide = rng.uniform(0.06, 0.3) * image_width
    high = min(wide / rng.choice([1.3, 2, 2, 4.5]), image_height * 0.5)
    left, top = rng.uniform(0, image_width - wide), rng.uniform(0, image_height - high)
    box = (left, top, wide, high)
    if any(common_area(box, other) > 0 for other in photograph.plates + photograph.ignored):
        return None
    return photograph.image[int(top) : int(top + high), int(left) : int(left + wide)]


def _occupied(draft: _Draft, box: Box, margin: float) -> bool:
    left, top, wide, high = box
    grown = (left - margin * wide, top - margin * high, wide * (1 + 2 * margin), high * (1 + 2 * margin))
    taken = [plate.box for plate in draft.plates] + draft.ignored
    return any(common_area(grown, other) > 0 for other in taken)


def _visible(box: Box, shape: tuple[int, ...]) -> float:
    return common_area(box, (0, 0, shape[1], shape[0])) / max(1e-6, box[2] * box[3])


def _contrast(image: np.ndarray, box: Box) -> float:
    left, top, wide, high = box
    part = image[max(0, int(top)) : int(top + high) + 1, max(0, int(left)) : int(left + wide) + 1]
    return float(cv2.blur(part, (3, 3)).mean(axis=2).std()) if part.size else 0.0


def _finished(image: np.ndarray, draft: _Draft) -> Scene:
    """Plates that can be asked for; the rest is not counted."""
    plates: list[Plate] = []
    ignored = list(draft.ignored)
    for plate in draft.plates:
        _, _, wide, high = plate.box
        fits = _LEAST_WIDTH <= wide <= _WIDEST * 1.3 and high >= _LEAST_HEIGHT
        shown = _visible(plate.box, image.shape) >= _LEAST_VISIBLE
        if fits and shown and _contrast(image, plate.box) >= _LEAST_CONTRAST:
            plates.append(plate)
        else:
            ignored.append(plate.box)
    return Scene(image, tuple(plates), tuple(ignored))
