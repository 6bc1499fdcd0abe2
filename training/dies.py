"""A stroke alphabet like the dies that press plates: straight sides, rounded corners, one stroke width.

No free font looks like the dies of North and South American plates. A character here is a list of strokes in
a unit box (x to the right, y down); a stroke is a list of points (x, y, rounding), where a rounding of 0 is a
sharp corner and 1 as round as the width allows. A `Style` keeps the choices of one plate consistent.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import cv2
import numpy as np

Point = tuple[float, float, float]
GLYPH_HEIGHT = 110


@dataclass(frozen=True)
class Stroke:
    """Points to be joined; `closed` joins the last with the first."""

    points: tuple[Point, ...]
    closed: bool = False


@dataclass(frozen=True)
class Style:
    """What one set of dies looks like; widths and thicknesses are shares of the character's height."""

    width: float
    thickness: float
    roundness: float
    middle: float
    hook: float  # how round the bowl of 6 and 9 begins
    crossing: float  # where the middle strokes of M and W meet
    seven: float
    wide_m: float
    wide_i: float
    wide_o: float
    foot_of_one: bool
    flat_three: bool
    open_four: bool
    straight_six: bool
    flat_a: bool
    round_g: bool
    serif_i: bool
    slanted_w: bool
    serif_j: bool
    slashed_zero: bool
    tail_of_q: float
    leg_of_r: float


def random_style(rng: random.Random) -> Style:
    """Another set of dies."""
    return Style(
        width=rng.uniform(0.40, 0.64),
        thickness=rng.uniform(0.085, 0.18),
        roundness=rng.uniform(0.22, 1),
        middle=rng.uniform(0.44, 0.51),
        hook=rng.random(),
        crossing=rng.choice((0.45, 0.6, 0.7, 0.95)),
        seven=rng.uniform(0.15, 0.5),
        wide_m=rng.uniform(1.0, 1.28),
        wide_i=rng.uniform(0.35, 0.7),
        wide_o=rng.uniform(1, 1.1),
        foot_of_one=rng.random() < 0.25,
        flat_three=rng.random() < 0.2,
        open_four=rng.random() < 0.25,
        straight_six=rng.random() < 0.14,
        flat_a=rng.random() < 0.5,
        round_g=rng.random() < 0.6,
        serif_i=rng.random() < 0.65,
        slanted_w=rng.random() < 0.6,
        serif_j=rng.random() < 0.2,
        slashed_zero=rng.random() < 0.02,
        tail_of_q=rng.uniform(0.45, 0.7),
        leg_of_r=rng.uniform(0.35, 0.6),
    )


def _open(*points: tuple[float, float] | Point) -> Stroke:
    return Stroke(tuple((p[0], p[1], p[2] if len(p) > 2 else 0.0) for p in points))  # type: ignore[misc]


def _closed(*points: tuple[float, float] | Point) -> Stroke:
    return Stroke(_open(*points).points, closed=True)


_BOX = ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))


def _digits(s: Style) -> dict[str, list[Stroke]]:
    m = s.middle
    return {
        "0": [_closed(*_BOX)] + ([_open((0.15, 0.85), (0.85, 0.15))] if s.slashed_zero else []),
        "1": [_open((0.15, 0.2), (0.55, 0), (0.55, 1))]
        + ([_open((0.1, 1), (1, 1))] if s.foot_of_one else []),
        "2": [_open((0, 0.26), (0, 0, 1), (1, 0, 1), (1, 0.45, 0.8), (0, 1, 0.1), (1, 1))],
        "3": _three(s),
        "4": [_open((0.3, 0), (0, 0.68), (1, 0.68)), _open((0.75, 0.36), (0.75, 1))]
        if s.open_four
        else [_open((0.75, 1), (0.75, 0), (0, 0.7), (1, 0.7))],
        "5": [
            _open(
                (0.95, 0),
                (0.06, 0),
                (0.03, 0.44),
                (0.25, 0.38, 0.4),
                (1, 0.38, 1),
                (1, 1, 1),
                (0, 1, 1),
                (0, 0.78),
            )
        ],
        "6": [_six(s)],
        "7": [_open((0, 0), (1, 0), (s.seven, 1))],
        "8": [
            _closed((0.05, 0, 1), (0.95, 0, 1), (0.95, m, 1), (0.05, m, 1)),
            _closed((0, m, 1), (1, m, 1), (1, 1, 1), (0, 1, 1)),
        ],
        "9": [Stroke(tuple((1 - x, 1 - y, r) for x, y, r in _six(s).points))],
    }


def _three(s: Style) -> list[Stroke]:
    m = s.middle
    if s.flat_three:
        return [_open((0, 0), (1, 0), (0.4, 0.4), (1, 0.4, 1), (1, 1, 1), (0, 1, 1), (0, 0.78))]
    return [
        _open((0, 0.22), (0, 0, 1), (1, 0, 1), (1, m, 1), (0.35, m)),
        _open((0.35, m), (1, m, 1), (1, 1, 1), (0, 1, 1), (0, 0.78)),
    ]


def _six(s: Style) -> Stroke:
    m = s.middle
    if s.straight_six:
        return _open(
            (0.72, 0), (0, 0.6, 0.5), (0, 1, 1), (1, 1, 1), (1, m - 0.06, 1), (0.12, m - 0.06, 1), (0, 0.62)
        )
    return _open(
        (1, 0.24), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, m - 0.04, 1), (0.05, m - 0.04, s.hook)
    )


def _letters_to_m(s: Style) -> dict[str, list[Stroke]]:
    m = s.middle
    a = [_open((0, 1), (0.38, 0, 0.1), (0.62, 0, 0.1), (1, 1)), _open((0.12, 0.7), (0.88, 0.7))]
    pointed = [_open((0, 1), (0.5, 0), (1, 1)), _open((0.16, 0.7), (0.84, 0.7))]
    serif = [_open((0, 0), (1, 0)), _open((0, 1), (1, 1))] if s.serif_i else []
    return {
        "A": a if s.flat_a else pointed,
        "B": [
            _open((0, 0), (0.94, 0, 1), (0.94, m, 1), (0, m)),
            _open((0, m), (1, m, 1), (1, 1, 1), (0, 1), (0, 0)),
        ],
        "C": [_open((1, 0.26), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0.74))],
        "D": [_closed((0, 0), (1, 0, 1), (1, 1, 1), (0, 1))],
        "E": [_open((1, 0), (0, 0), (0, 1), (1, 1)), _open((0, m), (0.82, m))],
        "F": [_open((1, 0), (0, 0), (0, 1)), _open((0, m), (0.82, m))],
        "G": [
            _open(
                (1, 0.25),
                (1, 0, 1),
                (0, 0, 1),
                (0, 1, 1),
                (1, 1, 1 if s.round_g else 0),
                (1, 0.54),
                (0.55, 0.54),
            )
        ],
        "H": [_open((0, 0), (0, 1)), _open((1, 0), (1, 1)), _open((0, m), (1, m))],
        "I": [_open((0.5, 0), (0.5, 1)), *serif],
        "J": [_open((1, 0), (1, 1, 1), (0, 1, 1), (0, 0.7))]
        + ([_open((0.45, 0), (1, 0))] if s.serif_j else []),
        "K": [_open((0, 0), (0, 1)), _open((1, 0), (0, 0.62)), _open((0.32, 0.42), (1, 1))],
        "L": [_open((0, 0), (0, 1), (1, 1))],
        "M": [_open((0, 1), (0, 0), (0.5, s.crossing), (1, 0), (1, 1))],
    }


def _letters_from_n(s: Style) -> dict[str, list[Stroke]]:
    m = s.middle
    slant = 0.22 if s.slanted_w else 0
    return {
        "N": [_open((0, 1), (0, 0), (1, 1), (1, 0))],
        "O": [_closed(*_BOX)],
        "P": [_open((0, 1), (0, 0), (1, 0, 1), (1, 0.54, 1), (0, 0.54))],
        "Q": [_closed(*_BOX), _open((s.tail_of_q, 0.74), (1.04, 1.04))],
        "R": [_open((0, 1), (0, 0), (1, 0, 1), (1, 0.52, 1), (0, 0.52)), _open((s.leg_of_r, 0.52), (1, 1))],
        "S": [_open((1, 0.23), (1, 0, 1), (0, 0, 1), (0, m, 1), (1, m, 1), (1, 1, 1), (0, 1, 1), (0, 0.77))],
        "T": [_open((0, 0), (1, 0)), _open((0.5, 0), (0.5, 1))],
        "U": [_open((0, 0), (0, 1, 1), (1, 1, 1), (1, 0))],
        "V": [_open((0, 0), (0.5, 1), (1, 0))],
        "W": [_open((0, 0), (slant, 1), (0.5, 1 - s.crossing), (1 - slant, 1), (1, 0))],
        "X": [_open((0, 0), (1, 1)), _open((1, 0), (0, 1))],
        "Y": [_open((0, 0), (0.5, 0.5), (1, 0)), _open((0.5, 0.5), (0.5, 1))],
        "Z": [_open((0, 0), (1, 0), (0, 1), (1, 1))],
    }


def _rounded(stroke: Stroke, radius: float) -> np.ndarray:
    """The points of the stroke (pixels) with its corners rounded."""
    points, out = stroke.points, []
    last = len(points) - 1
    for n, (x, y, rounding) in enumerate(points):
        before, after = points[n - 1], points[(n + 1) % len(points)]
        to_before, to_after = math.hypot(before[0] - x, before[1] - y), math.hypot(after[0] - x, after[1] - y)
        ends = not stroke.closed and n in (0, last)
        if ends or rounding <= 0 or min(to_before, to_after) < 1e-6:
            out.append((x, y))
            continue
        # Two rounded neighbours share the line between them.
        room = min(to_before / (2 if before[2] else 1), to_after / (2 if after[2] else 1))
        reach = min(radius * rounding, room)
        start = (x + (before[0] - x) * reach / to_before, y + (before[1] - y) * reach / to_before)
        end = (x + (after[0] - x) * reach / to_after, y + (after[1] - y) * reach / to_after)
        out += _arc(start, (x, y), end)
    return np.array(out, np.float32)


def _arc(
    start: tuple[float, float], corner: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """A rational quadratic curve that is nearly a circle's."""
    out = []
    for s in (0, 0.15, 0.3, 0.5, 0.7, 0.85, 1):
        u, pull = 1 - s, 2 * (1 - s) * s * 0.945
        whole = u * u + pull + s * s
        out.append(tuple((u * u * start[k] + pull * corner[k] + s * s * end[k]) / whole for k in (0, 1)))
    return out  # type: ignore[return-value]


class Dies:
    """The characters A-Z and 0-9 in one style, drawn when they are first asked for."""

    def __init__(self, style: Style, height: int = GLYPH_HEIGHT) -> None:
        self._style, self._height = style, height
        self._strokes = {**_digits(style), **_letters_to_m(style), **_letters_from_n(style)}
        self._widths = {
            "M": style.wide_m,
            "W": style.wide_m,
            "1": 0.62,
            "O": style.wide_o,
            "J": 0.92,
            "L": 0.92,
        }
        self._widths |= {"4": 1.05, "I": style.wide_i if style.serif_i else 0.01}
        self._drawn: dict[str, np.ndarray] = {}

    def __getitem__(self, character: str) -> np.ndarray:
        """The mask of `character`: uint8, tight round the strokes, `height` rows high."""
        if character not in self._drawn:
            width = self._style.width * self._widths.get(character, 1)
            self._drawn[character] = _drawn(self._strokes[character], self._style, width, self._height)
        return self._drawn[character]


def _drawn(strokes: list[Stroke], style: Style, width_share: float, height: int) -> np.ndarray:
    thickness = max(4, int(style.thickness * height))
    width, tall = max(0, width_share * height - thickness), height - thickness
    image = np.zeros((height + 8, int(width + thickness) + 10), np.uint8)
    radius = max(width, 1) * 0.5 * style.roundness + thickness * 0.1
    for stroke in strokes:
        placed = tuple(
            (x * width + thickness / 2 + 4, y * tall + thickness / 2 + 2, r) for x, y, r in stroke.points
        )
        points = _rounded(Stroke(placed, stroke.closed), radius)
        cv2.polylines(
            image, [np.round(points * 16).astype(np.int32)], stroke.closed, 255, thickness, cv2.LINE_AA, 4
        )
    columns, rows = np.where(image.max(0) > 30)[0], np.where(image.max(1) > 30)[0]
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
