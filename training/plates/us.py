"""Plates of the United States, 12 by 6 inches: standard, specialty, vanity, temporary, motorcycle and others."""

from __future__ import annotations

import random
import string

import numpy as np

from training.fonts import Faces
from training.plates import canvas as c
from training.plates.flat import FlatPlate
from training.plates.us_states import US_STATES, Design, State

_WIDTH, _HEIGHT = 320, 160
_SEPARATORS = {" ": "space", "-": "dash", ".": "dot", "*": "sticker"}
_WIDTHS = {"space": (0.1, 0.5), "dash": (0.25, 0.5), "dot": (0.12, 0.35), "diamond": (0.2, 0.35)}
_WIDTHS |= {
    "figure": (0.35, 0.9),
    "sticker": (0.22, 0.38),
    "blob": (0.3, 0.75),
    "shield": (0.3, 0.55),
    "star": (0.25, 0.45),
}
# Lettering that says what the plate is for; no part of the number.
_LEGENDS = {
    "commercial": ("TRUCK", "APPORTIONED", "COMMERCIAL", "B-TRUCK", "FARM", "TRAILER", "APP", "LIMITED", "COMBINATION"),
    "government": ("EXEMPT", "MUNICIPAL", "U.S. GOVERNMENT", "STATE OWNED", "OFFICIAL", "POLICE", "FOR OFFICIAL USE ONLY"),
    "dealer": ("DEALER", "DLR", "USED DEALER", "MANUFACTURER", "TRANSPORTER"),
    "specialty": ("VETERAN", "PURPLE HEART", "FIREFIGHTER", "DISABLED", "ANTIQUE", "HISTORIC", "ALUMNI", "WILDLIFE",
                  "SUPPORT EDUCATION", "CHOOSE LIFE", "BREAST CANCER AWARENESS", "HANDICAPPED", "CLASSIC", "RADIO AMATEUR",
                  "NATIONAL GUARD", "SAVE THE BAY", "FAMILY FIRST", "AIR FORCE", "MARINE CORPS", "UNIVERSITY", "COLLEGIATE"),
}  # fmt: skip
_VANITY = (
    "GO", "MY", "BIG", "HOT", "I LUV", "MR", "MS", "DR", "SKI", "SURF", "GOLF", "DAD", "MOM", "KIDS", "RED", "FLY",
    "FAST", "SLO", "4EVER", "2FAST", "GR8", "LUV", "B4", "NO1", "VET", "ARMY", "NAVY", "FISH", "HNTR", "BOAT", "JEEP",
    "VETTE", "STANG", "BUG", "GUITAR", "JAZZ", "ROCK", "DOC", "LAW", "CHEF", "COACH", "NANA", "PAPA", "GRAM", "SUN",
    "BEACH", "LAKE", "RUN", "BIKE", "YOGA", "ZEN", "CATS", "DOGS", "K9", "HORSE", "EAGLE", "BEAR", "WOLF", "TIGER",
)  # fmt: skip
_OTHER_PATTERNS = (
    "AAA####", "#AAA###", "AAA###", "###AAA", "AA#####", "AA####", "A##AAA", "######", "#######", "AAA##A", "##AAA#",
    "A######", "####AA", "AA#A#A", "##A#A#", "A#####", "#####", "AAA#A##", "###A##", "A#AAA#", "AA###A", "##AA##",
    "A##A##", "###AA#", "AA##AA", "AAA ###", "AAA-###", "### AAA", "##-AA##", "AA-####", "A-#####", "#A###",
)  # fmt: skip


def draw_us(rng: random.Random, faces: Faces) -> FlatPlate:
    """Another plate of a state."""
    code = rng.choices(list(US_STATES), [s.weight + 1 for s in US_STATES.values()])[0]
    state = US_STATES[code]
    pick = rng.random()
    if pick < 0.06:
        return _temporary(code, state, rng, faces)
    kind = "standard"
    if pick < 0.25:
        kind = rng.choices(
            ("specialty", "commercial", "government", "dealer", "motorcycle"), (9, 3, 2, 1.2, 3)
        )[0]
    design = rng.choices(state.designs, [d.share for d in state.designs])[0]
    ground, ink = _colours(design, kind, rng)
    width = _WIDTH if kind != "motorcycle" else rng.choice((280, 300))
    plate = c.shaded(width, _HEIGHT, ground, rng)
    for _ in range(rng.choice((0, 0, 0, 1, 2) if kind != "specialty" else (0, 1, 2, 3))):
        c.art(plate, rng)
    _bands(plate, design, rng)
    text, segments, sizes = _number(design, kind, rng)
    left, right = _margins(plate, kind, ink, rng, faces)
    _stickers(plate, rng)
    _characters(plate, segments, sizes, (left, width - right), ink, rng, faces)
    words = _words(plate, state, design, kind, rng, faces)
    framed = _finish(plate, state, design, rng, faces)
    image = np.clip(plate, 0, 255).astype(np.uint8)
    return FlatPlate(image, text, f"US-{code}", kind, words=None if framed else words)


def _colours(design: Design, kind: str, rng: random.Random) -> tuple[list[c.Colour], c.Colour]:
    shift = 16 if rng.random() < 0.8 else 40
    ground = [c.swatch(name, rng, shift) for name in design.ground]
    ink = c.swatch(rng.choice(design.ink), rng, 16)
    if kind == "specialty" and rng.random() < 0.6:
        names = rng.choices(list(c.SWATCHES), k=rng.choice((1, 2, 2, 3)))
        ground = [c.swatch(name, rng, 25) for name in names]
    mean = np.mean([g.mean() for g in ground])
    if abs(float(ink.mean()) - mean) < 55:
        ink = c.swatch(
            rng.choice(("white", "yellow", "cream")) if mean < 130 else rng.choice(("navy", "black", "red")),
            rng,
            12,
        )
    return ground, ink


def _bands(plate: c.Canvas, design: Design, rng: random.Random) -> None:
    high = plate.shape[0]
    if design.hills:
        c.hills(plate, c.swatch(design.hills, rng), rng.uniform(0.5, 0.85), rng, rng.uniform(0.25, 0.9))
    if design.top:
        plate[: int(high * rng.uniform(0.17, 0.27))] = c.swatch(design.top, rng, 16)
    if design.bottom:
        plate[high - int(high * rng.uniform(0.1, 0.2)) :] = c.swatch(design.bottom, rng, 16)


def _number(design: Design, kind: str, rng: random.Random) -> tuple[str, list[c.Segment], list[float]]:
    """The text, its segments with what stands between, and the height of each as a share of the row's."""
    pick = rng.random()
    if pick < 0.62 and kind in {"standard", "motorcycle"}:
        pattern = rng.choice(design.patterns)
    elif pick < 0.82:
        pattern = rng.choice(_OTHER_PATTERNS)
    else:
        pattern = _vanity(rng) if pick < 0.93 else "".join(rng.choice("A#") for _ in range(rng.randint(4, 8)))
    segments: list[c.Segment] = []
    for sign in pattern:
        name = _SEPARATORS.get(sign, design.drawing if sign == "^" else "")
        if sign == "/":
            continue
        if name:
            name = name if rng.random() < 0.85 else rng.choice(list(_WIDTHS))
            segments.append((name, rng.uniform(*_WIDTHS[name])))
        else:
            segments.append(_filled(sign, rng))
    count = sum(isinstance(s, str) for s in segments)
    if count == len(segments) and count >= 5 and rng.random() < 0.35:
        name = rng.choice(("space", "space", "dash", "dot", "sticker", "blob", "star"))
        segments.insert(rng.choice((3, 3, 2, count - 3, count - 2)), (name, rng.uniform(*_WIDTHS[name])))
    elif rng.random() < 0.12:
        segments.insert(rng.choice((0, 0, 1, len(segments))), ("figure", rng.uniform(*_WIDTHS["figure"])))
    text = "".join(s for s in segments if isinstance(s, str))
    return text, segments, _sizes(segments, rng)


def _filled(sign: str, rng: random.Random) -> str:
    if sign == "A":
        return rng.choice(string.ascii_uppercase)
    if sign == "#":
        return rng.choice(string.digits)
    # A letter of a vanity text stands for itself; its A is written in lower case.
    return sign.upper()


def _vanity(rng: random.Random) -> str:
    """A pattern whose letters stand for themselves."""
    if rng.random() < 0.5:
        text = " ".join(rng.sample(_VANITY, rng.choice((1, 2, 2))))[:8].strip()
    else:
        letters = "".join(rng.choice(string.ascii_uppercase + "AEIORSTLN") for _ in range(rng.randint(2, 8)))
        text = letters if rng.random() < 0.6 else letters[:5] + str(rng.randint(1, 99))
    return text.replace("A", "a")


def _sizes(segments: list[c.Segment], rng: random.Random) -> list[float]:
    """Mostly all alike; sometimes the first or last character or two are smaller, as county and class marks are."""
    sizes = [1.0] * len(segments)
    if rng.random() < 0.05 and len(segments) > 4:
        share, count = rng.uniform(0.55, 0.85), rng.choice((1, 2))
        places = range(count) if rng.random() < 0.6 else range(len(segments) - count, len(segments))
        for n in places:
            sizes[n] = share
    return sizes


def _margins(
    plate: c.Canvas, kind: str, ink: c.Colour, rng: random.Random, faces: Faces
) -> tuple[float, float]:
    """Room left of and right of the characters, after what stands there."""
    high, wide = plate.shape[:2]
    left, right = rng.uniform(0.015, 0.08) * wide, rng.uniform(0.015, 0.08) * wide
    pick = rng.random() * (0.45 if kind == "specialty" else 1)
    box = (high * rng.uniform(0.22, 0.34), high * rng.uniform(0.4, 0.56))
    if pick < 0.2:
        room = wide * rng.uniform(0.1, 0.27)
        c.emblem(plate, left, box[0], room - 3, box[1], faces, rng)
        left += room
    elif pick < 0.27:
        room = wide * rng.uniform(0.1, 0.2)
        c.emblem(plate, wide - right - room + 3, box[0], room - 3, box[1], faces, rng)
        right += room
    elif pick < 0.4:
        left, right = _stacked(plate, left, right, ink, rng, faces)
    return left, right


def _stacked(
    plate: c.Canvas, left: float, right: float, ink: c.Colour, rng: random.Random, faces: Faces
) -> tuple[float, float]:
    """Small letters one over the other, which say the kind of plate; labels do not count them.

    Two of them are together about as high as a character of the number.
    """
    high, wide = plate.shape[:2]
    word = "".join(rng.choices(string.ascii_uppercase, k=rng.choice((2, 2, 2, 3))))
    size, face = {2: 44, 3: 31}[len(word)] * rng.uniform(0.55, 1.15), faces.label("sans", rng)
    if rng.random() < 0.4:
        ink = c.any_colour(rng, 0, 90) if rng.random() < 0.7 else c.any_colour(rng)
    first, room = rng.random() < 0.75, 8 + size * 0.6
    x = left + room / 2 if first else wide - right - room / 2
    spread = min(0.5, size * 0.9 * len(word) / high)
    for n, letter in enumerate(word):
        c.label(plate, letter, (x, high * (0.52 + spread * ((n + 0.5) / len(word) - 0.5))), size, ink, face)
    return (left + room, right) if first else (left, right + room)


def _stickers(plate: c.Canvas, rng: random.Random) -> None:
    """Month and year in the corners."""
    high, wide = plate.shape[:2]
    for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)):
        if rng.random() < 0.33:
            half_w, half_h = rng.randint(12, 28), rng.randint(8, 17)
            left, top, colour = int(x * wide), int(y * high), c.any_colour(rng)
            plate[max(0, top - half_h) : top + half_h, max(0, left - half_w) : left + half_w] = colour
            words = (*c.MONTHS, "2014", "08", "12", "99", "2010", "2022", "16")
            c.label(
                plate, rng.choice(words), (left, top), rng.randint(12, 24), c.contrast_to(colour, rng), None
            )


def _characters(
    plate: c.Canvas, segments: list[c.Segment], sizes: list[float], span: tuple[float, float], ink: c.Colour,
    rng: random.Random, faces: Faces,
) -> None:  # fmt: skip
    high = plate.shape[0]
    pick = rng.random()
    face = faces.dies(rng) if pick < 0.58 else faces.plate(rng, 0) if pick < 0.88 else faces.routed(rng)
    tall = rng.uniform(0.41, 0.60) * high
    y = high * rng.uniform(0.47, 0.55) - tall / 2 + rng.uniform(0, 5)
    bold = (
        rng.choice((0, 0, 0, 1))
        if pick < 0.58
        else rng.choice((-1, 0, 0, 1, 2))
        if pick < 0.88
        else rng.choice((1, 2, 3, 4))
    )
    relief = rng.choice((0, 1, 1, 2))
    c.row(
        plate, segments, face, (*span, y, tall), ink, rng, gap=rng.uniform(0.06, 0.2), bold=bold, relief=relief,
        widest=rng.uniform(0.95, 1.5), sizes=sizes, align=0.5 if rng.random() < 0.9 else rng.random(),
    )  # fmt: skip


def _words(
    plate: c.Canvas, state: State, design: Design, kind: str, rng: random.Random, faces: Faces
) -> tuple[str, str]:
    """The state's name and the motto, above and below the characters; their letters."""
    high, wide = plate.shape[:2]
    places = {"top": high * rng.uniform(0.08, 0.15), "bottom": high * rng.uniform(0.86, 0.92)}
    name_at = design.name_at if rng.random() < 0.93 else "bottom" if design.name_at == "top" else "top"
    text = design.text or state.name
    kind_of_face = {
        "caps": "sans",
        "title": rng.choice(("sans", "serif")),
        "serif": "serif",
        "script": "script",
    }[design.style]
    text = text.upper() if design.style == "caps" and not design.text else text
    other_at = "bottom" if name_at == "top" else "top"
    words = {"top": "", "bottom": ""}
    if rng.random() < 0.9:
        words[name_at] = text
        size = rng.uniform(0.1, 0.21) * high
        colour = c.swatch(design.name_colour, rng, 16)
        if rng.random() < 0.15:
            colour = c.contrast_to(plate[int(places[name_at]), _WIDTH // 3], rng)
        _spaced(
            plate,
            text,
            (wide / 2 + rng.uniform(-6, 6), places[name_at]),
            size,
            colour,
            faces.label(kind_of_face, rng),
            rng,
        )
    motto = rng.choice(design.motto) if design.motto else ""
    if kind in _LEGENDS and rng.random() < 0.8:
        motto = rng.choice(_LEGENDS[kind])
    if motto and rng.random() < 0.9:
        words[other_at] = motto
        face = faces.label(rng.choice(("sans", "sans", "serif", "script")), rng)
        slant = rng.uniform(0.1, 0.35) if rng.random() < 0.2 else 0.0
        c.label(
            plate,
            motto,
            (wide / 2, places[other_at]),
            rng.uniform(0.07, 0.13) * high,
            c.swatch(design.motto_colour, rng, 16),
            face,
            slant=slant,
        )
    return _letters(words["top"]), _letters(words["bottom"])


def _letters(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign in string.ascii_uppercase)


def _spaced(
    plate: c.Canvas,
    text: str,
    at: tuple[float, float],
    size: float,
    colour: c.Colour,
    face: object,
    rng: random.Random,
) -> None:
    if rng.random() < 0.2 and text.isupper() and len(text) < 10:
        text = " ".join(text)
    slant = rng.uniform(0.1, 0.3) if rng.random() < 0.1 else 0.0
    c.label(plate, text, at, size, colour, face, slant=slant, most_width=0.8, stretch=rng.uniform(0.85, 1.3))


def _finish(plate: c.Canvas, state: State, design: Design, rng: random.Random, faces: Faces) -> bool:
    """Bolts, a border, at times a dealer's frame; whether there is one."""
    c.bolts(plate, ((0.22, 0.08), (0.78, 0.08), (0.22, 0.92), (0.78, 0.92)), rng)
    if rng.random() < 0.6:
        edge = plate[plate.shape[0] // 2, 8] * rng.uniform(0.6, 1.15)
        c.border(plate, edge if rng.random() < 0.7 else c.any_colour(rng), rng)
    framed = rng.random() < 0.42
    if framed:
        words = [*c.DEALERS, state.name, *(m for m in design.motto if m)]
        c.dealer_frame(plate, words, faces, rng)
    return framed


def _temporary(code: str, state: State, rng: random.Random, faces: Faces) -> FlatPlate:
    """A printed paper tag: plain ground, dates and small print round a number in a printer's face."""
    ground = c.swatch(rng.choice(("white", "white", "cream", "yellow", "grey")), rng, 12)
    plate = c.plain(_WIDTH, _HEIGHT, ground)
    ink = c.swatch(rng.choice(("black", "black", "red", "navy")), rng, 12)
    pattern = rng.choice(
        ("A######", "AA#####", "#######", "##A####", "AAA####", "#####A#", "A#####A", "########", "##A###A#")
    )
    text = "".join(_filled(s, rng) for s in pattern)
    small = faces.label("sans", rng)
    face = faces.plate(rng, 0.05)
    top = rng.uniform(0.25, 0.4)
    c.row(plate, list(text), face, (12, _WIDTH - 12, _HEIGHT * top, _HEIGHT * rng.uniform(0.34, 0.46)), ink, rng,
          gap=rng.uniform(0.05, 0.15), bold=rng.choice((0, 0, 1)))  # fmt: skip
    dates = f"{'EXP' if rng.random() < 0.6 else 'EXPIRES'} {rng.randint(1, 12)}/{rng.randint(1, 28)}/20{rng.randint(10, 26)}"
    title = rng.choice(
        (
            state.name.upper(),
            f"{state.name.upper()} TEMPORARY",
            "TEMPORARY TAG",
            f"{code} BUYER TAG",
            "IN TRANSIT",
        )
    )
    c.label(plate, title, (_WIDTH / 2, _HEIGHT * top / 2), rng.randint(14, 26), ink, small)
    c.label(plate, dates, (_WIDTH / 2, _HEIGHT * 0.88), rng.randint(12, 28), ink, small)
    if rng.random() < 0.5:
        year = f"{rng.randint(2008, 2026)} {rng.choice(c.DEALERS[:13])}"
        c.label(plate, year, (_WIDTH / 2, _HEIGHT * 0.97), rng.randint(8, 12), ink, small)
    if rng.random() < 0.3:
        block = (np.random.default_rng(rng.getrandbits(32)).random((14, 40)) > 0.5).astype(np.uint8) * 255
        c.paste(plate, np.kron(block, np.ones((1, 2), np.uint8)), rng.uniform(8, 220), 6, ink)
    if rng.random() < 0.35:
        c.dealer_frame(plate, (*c.DEALERS, state.name), faces, rng)
    return FlatPlate(np.clip(plate, 0, 255).astype(np.uint8), text, f"US-{code}", "temporary")
