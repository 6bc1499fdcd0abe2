"""Drawing on a plate: grounds, bands, lettering, emblems, stickers, frames, and rows of characters.

A canvas is float32, rows x columns x 3, BGR, 0 to 255; colours are arrays of 3.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

import cv2
import numpy as np

from training.fonts import Alphabet, Faces, lettering

Canvas = np.ndarray
Colour = np.ndarray
# A character, or a thing between characters with its width as a share of the characters' height.
Segment = str | tuple[str, float]

SWATCHES: dict[str, tuple[int, int, int]] = {
    "white": (238, 241, 243), "cream": (205, 232, 242), "gold": (45, 180, 240), "yellow": (70, 215, 245),
    "orange": (50, 130, 240), "peach": (160, 200, 245), "sky": (235, 205, 160), "blue": (200, 130, 50),
    "navy": (115, 45, 20), "teal": (150, 140, 30), "green": (85, 115, 25), "lime": (120, 200, 140),
    "red": (40, 30, 190), "maroon": (40, 20, 110), "purple": (120, 40, 90), "pink": (190, 160, 240),
    "black": (25, 22, 20), "grey": (165, 165, 165), "silver": (200, 200, 200), "brown": (40, 70, 110),
    "tan": (150, 190, 215),
}  # fmt: skip
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DEALERS = (
    "TOYOTA", "HONDA OF TOWN", "FORD COUNTY", "LEXUS OF", "KIA", "CHEVROLET", "AUTO MALL", "ACURA", "SUBARU",
    "moving forward", "MAZDA", "NISSAN", "AUTOHAUS", "LEGENDS", "CITY MOTORS", "ALUMNI", "MY OTHER CAR",
    "PROUD PARENT", "BMW", "Audi", "VOLVO", "www.autos.com", "555 0142", "DODGE CHRYSLER JEEP", "STATE UNIVERSITY",
)  # fmt: skip


def any_colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    """A colour with every part between `low` and `high`."""
    return np.array([rng.randint(low, high) for _ in range(3)], np.float32)


def swatch(name: str, rng: random.Random, shift: float = 20) -> Colour:
    """A colour near the named one."""
    return np.clip(np.array(SWATCHES[name], np.float32) + any_shift(rng, shift), 0, 255)


def any_shift(rng: random.Random, most: float) -> Colour:
    """Three numbers of at most `most` either way, mostly moved together, as light does."""
    together = rng.uniform(-most, most)
    return np.array([together + rng.uniform(-most, most) * 0.4 for _ in range(3)], np.float32)


def contrast_to(ground: Colour, rng: random.Random) -> Colour:
    """A colour that can be seen on `ground`."""
    return any_colour(rng, 150, 255) if ground.mean() < 120 else any_colour(rng, 0, 90)


def plain(width: int, height: int, colour: Colour) -> Canvas:
    """A canvas of one colour."""
    return np.full((height, width, 3), colour, np.float32)


def shaded(width: int, height: int, stops: Sequence[Colour], rng: random.Random) -> Canvas:
    """A ground that runs from the first to the last of `stops`, mostly downwards."""
    down = rng.random() < 0.9
    places = np.linspace(0, 1, len(stops))
    at = np.linspace(0, 1, height if down else width)
    ramp = np.stack([np.interp(at, places, [s[k] for s in stops]) for k in range(3)], axis=1).astype(
        np.float32
    )
    line = ramp[:, None, :] if down else ramp[None, :, :]
    return np.broadcast_to(line, (height, width, 3)).copy()


def paste(
    canvas: Canvas, mask: np.ndarray, x: float, y: float, colour: Colour | float, strength: float = 1.0
) -> None:
    """Paints `colour` where `mask` (uint8) is, its upper left corner at x, y."""
    at_x, at_y = round(x), round(y)
    high, wide = canvas.shape[:2]
    left, top = max(0, at_x), max(0, at_y)
    right, bottom = min(wide, at_x + mask.shape[1]), min(high, at_y + mask.shape[0])
    if right <= left or bottom <= top:
        return
    part = canvas[top:bottom, left:right]
    seen = mask[top - at_y : bottom - at_y, left - at_x : right - at_x, None].astype(np.float32)
    part += (colour - part) * (seen * (strength / 255))


def label(
    canvas: Canvas, text: str, centre: tuple[float, float], size: float, colour: Colour, face: object,
    *, slant: float = 0.0, most_width: float = 0.92, stretch: float = 1.0,
) -> None:  # fmt: skip
    """Small lettering round `centre`; `face` is a font file of Faces.label."""
    mask = lettering(face, max(7, int(size)), text)  # type: ignore[arg-type]
    if mask is None:
        return
    if slant:
        shift = slant * mask.shape[0]
        matrix = np.array([[1, -slant, shift], [0, 1, 0]], np.float32)
        mask = cv2.warpAffine(mask, matrix, (int(mask.shape[1] + shift) + 2, mask.shape[0]))
    width = min(int(mask.shape[1] * stretch), int(canvas.shape[1] * most_width))
    if width != mask.shape[1]:
        mask = cv2.resize(mask, (max(2, width), mask.shape[0]), interpolation=cv2.INTER_AREA)
    paste(canvas, mask, centre[0] - mask.shape[1] / 2, centre[1] - mask.shape[0] / 2, colour)


def art(canvas: Canvas, rng: random.Random) -> None:
    """A faint landscape or shape behind the characters."""
    high, wide = canvas.shape[:2]
    painted = canvas.copy()
    if rng.random() < 0.5:
        points = [[rng.randint(0, wide), rng.randint(0, high)] for _ in range(rng.randint(3, 6))]
    else:
        horizon = high * rng.uniform(0.3, 0.9)
        hills = [[int(wide * k / 8), int(horizon + high * rng.uniform(-0.12, 0.12))] for k in range(9)]
        points = [*hills, [wide, high], [0, high]]
    cv2.fillPoly(painted, [np.array(points, np.int32)], any_colour(rng, 60, 255).tolist())
    canvas += (painted - canvas) * rng.uniform(0.06, 0.45)


def hills(canvas: Canvas, colour: Colour, top: float, rng: random.Random, strength: float = 1.0) -> None:
    """Mountains along the foot, their ridge near `top` (share of the height)."""
    high, wide = canvas.shape[:2]
    painted = canvas.copy()
    count = rng.randint(5, 9)
    ridge = [[int(wide * k / count), int(high * (top + rng.uniform(-0.1, 0.08)))] for k in range(count + 1)]
    cv2.fillPoly(painted, [np.array([*ridge, [wide, high], [0, high]], np.int32)], colour.tolist())
    canvas += (painted - canvas) * strength


def symbol(
    canvas: Canvas, kind: str, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random
) -> None:
    """A thing between groups of characters, in the box x, y, w, h."""
    _SYMBOLS[kind](canvas, x, y, w, h, ink, rng)


def _dash(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    top, bottom = y + h * rng.uniform(0.42, 0.46), y + h * rng.uniform(0.5, 0.58)
    cv2.rectangle(canvas, (int(x + w * 0.15), int(top)), (int(x + w * 0.85), int(bottom)), ink.tolist(), -1)


def _dot(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    centre = (int(x + w / 2), int(y + h * rng.uniform(0.42, 0.6)))
    cv2.circle(canvas, centre, max(2, int(h * rng.uniform(0.04, 0.1))), ink.tolist(), -1)


def _polygon(
    canvas: Canvas, box: tuple[float, float, float, float], shape: Sequence[tuple[float, float]], c: Colour
) -> None:
    x, y, w, h = box
    points = np.array([[x + w * a, y + h * b] for a, b in shape], np.int32)
    cv2.fillPoly(canvas, [points], c.tolist())


_DIAMOND = ((0.5, 0.38), (0.85, 0.5), (0.5, 0.62), (0.15, 0.5))
_SHIELD = ((0.1, 0.2), (0.9, 0.2), (0.9, 0.55), (0.5, 0.85), (0.1, 0.55))
_STAR = tuple(
    (0.5 + 0.5 * r * np.sin(k * np.pi / 5), 0.5 - 0.28 * r * np.cos(k * np.pi / 5))
    for k, r in enumerate((1, 0.4) * 5)
)
_KEYSTONE = ((0.1, 0.25), (0.9, 0.25), (0.72, 0.78), (0.28, 0.78))


def _diamond(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    _polygon(canvas, (x, y, w, h), _DIAMOND, ink)


def _shield(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    shape = rng.choice((_SHIELD, _SHIELD, _KEYSTONE))
    _polygon(canvas, (x, y, w, h), shape, any_colour(rng, 10, 240))
    _polygon(canvas, (x + w * 0.2, y + h * 0.15, w * 0.6, h * 0.65), shape, any_colour(rng, 10, 250))


def _star(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    _polygon(canvas, (x, y, w, h), _STAR, ink if rng.random() < 0.5 else any_colour(rng))


def _seals(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    for height in (0.24, 0.74):
        radius = min(w * 0.42, h * 0.2) * rng.uniform(0.75, 1)
        centre = (int(x + w / 2), int(y + h * height))
        cv2.circle(canvas, centre, max(2, int(radius)), any_colour(rng, 20, 250).tolist(), -1)
        if rng.random() < 0.6:
            cv2.circle(canvas, centre, max(1, int(radius * 0.55)), any_colour(rng, 20, 250).tolist(), -1)


def _sticker(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    """Registration stickers, one over the other."""
    count = rng.choice((1, 2, 2))
    top, bottom = y + h * rng.uniform(0, 0.15), y + h * rng.uniform(0.82, 1)
    colour = any_colour(rng, 30, 250)
    for k in range(count):
        a, b = top + (bottom - top) * k / count, top + (bottom - top) * (k + 1) / count - 1
        colour = colour if rng.random() < 0.4 else any_colour(rng, 30, 250)
        cv2.rectangle(canvas, (int(x + w * 0.08), int(a)), (int(x + w * 0.92), int(b)), colour.tolist(), -1)
        text = rng.choice((*MONTHS, "12", "08", "13", "07", "99", "14", "21"))
        label(canvas, text, (x + w / 2, (a + b) / 2), max(8, w * 0.5), contrast_to(colour, rng), None)


def _blob(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    """The outline of a state, a flower, a fruit: something of any shape."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        points = [
            [x + w * rng.random(), y + h * (0.12 + 0.76 * rng.random())] for _ in range(rng.randint(3, 9))
        ]
        cv2.fillPoly(canvas, [cv2.convexHull(np.array(points, np.int32))], any_colour(rng).tolist())


def _figure(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    """A wheelchair, a rider, a tree: something of limbs and rounds, mostly in the characters' colour."""
    colour = (ink if rng.random() < 0.65 else any_colour(rng)).tolist()
    thick = max(2, int(h * rng.uniform(0.05, 0.16)))

    def anywhere() -> tuple[int, int]:
        return int(x + w * rng.uniform(0.08, 0.92)), int(y + h * rng.uniform(0.05, 0.95))

    for _ in range(rng.choice((1, 1, 2, 3))):
        limbs = np.array([anywhere() for _ in range(rng.randint(2, 5))], np.int32)
        cv2.polylines(canvas, [limbs], rng.random() < 0.2, colour, thick, cv2.LINE_AA)
    for _ in range(rng.choice((0, 1, 1, 2))):
        axes = (max(2, int(w * rng.uniform(0.08, 0.4))), max(2, int(h * rng.uniform(0.06, 0.35))))
        bend = rng.choice((360, 360, 270, 180))
        fill = thick if rng.random() < 0.6 or bend < 360 else -1
        cv2.ellipse(canvas, anywhere(), axes, rng.uniform(0, 180), 0, bend, colour, fill, cv2.LINE_AA)


def _space(canvas: Canvas, x: float, y: float, w: float, h: float, ink: Colour, rng: random.Random) -> None:
    """Nothing."""


_SYMBOLS = {
    "dash": _dash, "dot": _dot, "diamond": _diamond, "shield": _shield, "star": _star, "seals": _seals,
    "sticker": _sticker, "blob": _blob, "space": _space, "figure": _figure,
}  # fmt: skip


def emblem(canvas: Canvas, x: float, y: float, w: float, h: float, faces: Faces, rng: random.Random) -> None:
    """A club's or college's picture beside the characters, often with lettering that is no part of the number."""
    colour, pick = any_colour(rng), rng.random()
    centre, size = (int(x + w / 2), int(y + h / 2)), min(w, h)
    if pick < 0.4:
        cv2.circle(canvas, centre, max(2, int(size * 0.48)), colour.tolist(), -1)
        cv2.circle(
            canvas,
            centre,
            max(1, int(size * rng.uniform(0.2, 0.44))),
            any_colour(rng).tolist(),
            rng.choice((-1, 2)),
        )
    elif pick < 0.6:
        cv2.rectangle(
            canvas, (int(x), int(y)), (int(x + w), int(y + h)), colour.tolist(), rng.choice((-1, -1, 2))
        )
    elif pick < 0.7:
        symbol(canvas, "shield", x, y, w, h, colour, rng)
    elif pick < 0.85:
        symbol(canvas, "figure", x, y, w, h, colour, rng)
    else:
        symbol(canvas, "blob", x, y, w, h, colour, rng)
        symbol(canvas, "blob", x, y, w, h, colour, rng)
    if rng.random() < 0.55:
        lines = rng.choice((1, 1, 2, 3))
        for k in range(lines):
            text = "".join(rng.choices(string.ascii_uppercase + string.digits, k=rng.choice((1, 1, 2, 3, 4))))
            size = float(np.clip(h / lines * rng.uniform(0.4, 0.8), 9, 44))
            label(
                canvas,
                text,
                (centre[0], y + h * (k + 0.5) / lines),
                size,
                any_colour(rng),
                faces.label("sans", rng),
            )


def row(
    canvas: Canvas, segments: Sequence[Segment], face: Alphabet, box: tuple[float, float, float, float],
    ink: Colour, rng: random.Random, *, gap: float, bold: int = 0, relief: int = 0, widest: float = 1.35,
    align: float = 0.5, sizes: Sequence[float] | None = None,
) -> None:  # fmt: skip
    """Characters and symbols in one row inside `box` (x0, x1, y, height), squeezed where they do not fit.

    `sizes` gives each segment's height as a share of the row's; smaller ones stand on the row's middle.
    """
    x0, x1, y, height = box
    reference = face["H"].shape[0]
    shares = sizes or [1.0] * len(segments)
    widths = [
        s[1] * height if isinstance(s, tuple) else max(2.0, face[s].shape[1] * height * share / reference)
        for s, share in zip(segments, shares, strict=True)
    ]
    total = sum(widths) + gap * height * (len(widths) - 1)
    squeeze = min(widest, (x1 - x0) / max(total, 1))
    x = x0 + ((x1 - x0) - total * squeeze) * align
    for segment, width, share in zip(segments, widths, shares, strict=True):
        if isinstance(segment, tuple):
            symbol(canvas, segment[0], x, y, width * squeeze, height, ink, rng)
        else:
            tall = max(3, int(height * share))
            mask = cv2.resize(
                face[segment], (max(2, round(width * squeeze)), tall), interpolation=cv2.INTER_AREA
            )
            _character(canvas, mask, x, y + (height - tall) / 2, ink, bold, relief, rng)
        x += (width + gap * height) * squeeze


def _character(
    canvas: Canvas,
    mask: np.ndarray,
    x: float,
    y: float,
    ink: Colour,
    bold: int,
    relief: int,
    rng: random.Random,
) -> None:
    if bold:
        mask = cv2.copyMakeBorder(mask, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
        kernel = np.ones((abs(bold) + 1,) * 2, np.uint8)
        mask = (cv2.dilate if bold > 0 else cv2.erode)(mask, kernel)
    if relief:
        paste(canvas, mask, x + relief, y + relief, 0.0, 0.35)
        paste(canvas, mask, x - relief, y - relief, 255.0, 0.45)
    paste(canvas, mask, x, y, ink)
    if rng.random() < 0.04:
        # Worn paint.
        worn = np.array([255 if rng.random() > 0.6 else 0 for _ in range(24)], np.uint8).reshape(6, 4)
        spots = cv2.resize(worn, (mask.shape[1], mask.shape[0])) & ((mask > 0) * np.uint8(255))
        paste(canvas, spots, x, y, any_colour(rng, 120, 250), 0.7)


def bolts(
    canvas: Canvas, places: Sequence[tuple[float, float]], rng: random.Random, chance: float = 0.5
) -> None:
    """Bolts or their holes at `places` (shares of width and height)."""
    high, wide = canvas.shape[:2]
    for x, y in places:
        if rng.random() < chance:
            centre = (int(x * wide), int(y * high))
            cv2.circle(canvas, centre, rng.randint(3, 7), any_colour(rng, 10, 240).tolist(), -1)
            if rng.random() < 0.3:
                cv2.circle(canvas, centre, 2, any_colour(rng, 0, 120).tolist(), -1)


def border(canvas: Canvas, colour: Colour, rng: random.Random, most: int = 7) -> None:
    """A line round the plate, a little inside its edge."""
    inside = rng.randint(1, most)
    high, wide = canvas.shape[:2]
    cv2.rectangle(
        canvas, (inside, inside), (wide - inside - 1, high - inside - 1), colour.tolist(), rng.randint(1, 4)
    )


def dealer_frame(canvas: Canvas, words: Sequence[str], faces: Faces, rng: random.Random) -> None:
    """A frame over the plate's edge, with the dealer's name or a saying."""
    high, wide = canvas.shape[:2]
    colour = any_colour(rng, 0, 60) if rng.random() < 0.7 else any_colour(rng, 110, 240)
    top, bottom, side = rng.randint(4, 27), rng.randint(4, 30), rng.randint(3, 10)
    canvas[:top], canvas[high - bottom :], canvas[:, :side], canvas[:, wide - side :] = (colour,) * 4
    for x in (side + 14, wide - side - 14):
        if rng.random() < 0.4:
            cv2.ellipse(canvas, (x, top + 2), (14, 10), 0, 180, 360, colour.tolist(), 4)
    ink = contrast_to(colour, rng)
    for y, room in ((high - bottom / 2, bottom), (top / 2, top)):
        if room > 13 and rng.random() < 0.8:
            kind = rng.choice(("sans", "sans", "serif", "script"))
            label(canvas, rng.choice(words), (wide / 2, y), rng.randint(11, 22), ink, faces.label(kind, rng))
