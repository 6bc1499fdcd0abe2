"""Plates of Europe and of countries with plates alike: long, with a band, seals or arms; and the two-line form."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

import numpy as np

from training.fonts import Alphabet, Faces
from training.plates import canvas as c
from training.plates.flat import FlatPlate


@dataclass(frozen=True)
class Country:
    """ISO code, letters on the band, how often, patterns, face.

    In a pattern A is a letter, # a digit; between groups: space, - dash, . dot, * two round seals, = arms or seals.
    """

    iso: str
    letters: str
    weight: float
    patterns: tuple[str, ...]
    face: str = ""
    band: float = 0.7
    yellow: float = 0.0


def _c(iso: str, letters: str, weight: float, patterns: str, **more: object) -> Country:
    return Country(iso, letters, weight, tuple(patterns.split("|")), **more)  # type: ignore[arg-type]


COUNTRIES = (
    _c("DE", "D", 3, "A*AA ####|AA*A ####|AAA*AA ###|AA*AA ####|A*AA ###|AA*AA ###|AAA*A ###|A*A ####|AA*AA ##", face="german"),
    _c("GB", "GB", 3, "AA## AAA|AA## AAA|A### AAA|AAA ###A|AA## AAA", face="british", band=0.4, yellow=0.5),
    _c("FR", "F", 2, "AA-###-AA|### AAA ##|#### AA ##", yellow=0.1),
    _c("IT", "I", 2, "AA ###AA|AA###AA"), _c("ES", "E", 2, "#### AAA|A ####AA"),
    _c("NL", "NL", 2, "AA-##-AA|##-AAA-#|##-AA-AA|#-AAA-##|AA-###-A|A-###-AA", yellow=0.9),
    _c("PL", "PL", 2, "AA #####|AAA #####|AAA A###|AA ####A|AA ###AA"),
    _c("CZ", "CZ", 2, "#A# ####|#A#*####|AAA ##-##|AAA*##-##|AA ##-##"),
    _c("SK", "SK", 2.5, "AA=###AA|AA-###AA|AA*###AA|AA ###AA|AA=AAAAA"),
    _c("AT", "A", 2, "A=####A|AA=###AA|A=#####A|AA=####A|W=#####A"), _c("HU", "H", 2, "AAA-###|AAA ###|AA AA-###"),
    _c("RO", "RO", 2.5, "A ## AAA|AA ## AAA|A ### AAA|AA ## AAA"), _c("BE", "B", 1.5, "#-AAA-###|AAA-###|###-AAA"),
    _c("SI", "SLO", 1, "AA=AA-###|AA=##-AAA|AA=A#-###"), _c("HR", "HR", 1, "AA=###-AA|AA=####-A"),
    _c("SE", "S", 1, "AAA ###|AAA ##A"), _c("NO", "N", 1, "AA #####"), _c("DK", "DK", 1, "AA ## ###"),
    _c("FI", "FIN", 1, "AAA-###"), _c("GR", "GR", 1, "AAA-####"), _c("BG", "BG", 1, "A ####AA|AA ####AA", face="german"),
    _c("CH", "CH", 1, "AA=######|AA-######|AA.#####", band=0.1), _c("LT", "LT", 1, "AAA ###"), _c("LV", "LV", 0.6, "AA-####"),
    _c("EE", "EST", 1, "### AAA"), _c("PT", "P", 1, "AA-##-##|##-AA-##|##-##-AA|AA-##-AA"), _c("IE", "IRL", 1, "##-A-#####|###-A-####|##-AA-####"),
    _c("TR", "TR", 1, "## AA ####|## AAA ##|## A ####"), _c("RS", "SRB", 1, "AA=###-AA|AA=####-AA"), _c("UA", "UA", 1, "AA####AA"),
    _c("IN", "IND", 3, "AA ## AA ####|AA ## A ####|AA##AA####|AA-##-A-####|AA.##.AA.####|AA#A AA ####", band=0.35, yellow=0.12),
    _c("ZZ", "", 3, "AAAAAA|AAAAA|AAAA ###|A AAAAA|AA AAAAA|AAAAAAA|### AAAA|AAA####|######|#######|A #####|#####|AAA ####A", band=0.3, yellow=0.15),
)  # fmt: skip
_TWO_LINE_FORMS = ((280, 200), (340, 220), (260, 220), (300, 250), (320, 180))


def draw_europe(rng: random.Random, faces: Faces) -> FlatPlate:
    """Another long plate."""
    country = rng.choices(COUNTRIES, [x.weight for x in COUNTRIES])[0]
    width, height = rng.choice(((520, 112), (520, 112), (520, 112), (440, 110), (400, 110), (340, 115)))
    ground, ink = _colours(country, rng)
    plate = c.plain(width, height, ground)
    if rng.random() < 0.15:
        c.art(plate, rng)
    left = _left_end(plate, country, ink, rng, faces)
    right = _right_end(plate, rng, faces)
    segments = _segments(rng.choice(country.patterns), rng)
    tall = rng.uniform(0.6, 0.79) * height
    box = (
        left + rng.uniform(3, 12),
        right - rng.uniform(0, 8),
        height / 2 - tall / 2 + rng.uniform(-3, 3),
        tall,
    )
    c.row(
        plate, segments, _face(country, rng, faces), box, ink, rng, gap=rng.uniform(0.06, 0.2),
        bold=rng.choice((0, 0, 1, 2)), relief=rng.choice((0, 1, 2)), widest=rng.uniform(0.9, 1.4),
        align=rng.uniform(0.3, 0.7),
    )  # fmt: skip
    c.bolts(plate, ((0.13, 0.5), (0.87, 0.5), (0.5, 0.08)), rng, 0.12)
    if rng.random() < 0.7:
        c.border(plate, ink if rng.random() < 0.6 else c.any_colour(rng, 60, 200), rng, 3)
    plate = _holder(plate, rng, faces)
    return FlatPlate(_to_bytes(plate), _text(segments), country.iso, _kind(ground, ink))


def draw_two_line(rng: random.Random, faces: Faces) -> FlatPlate:
    """A plate in two lines: motorcycles and square rear plates of Europe, India, Brazil and others."""
    width, height = rng.choice(_TWO_LINE_FORMS)
    pick = rng.random()
    country = rng.choices(COUNTRIES, [x.weight for x in COUNTRIES])[0]
    upper, lower, iso = _two_lines(country, rng)
    if pick < 0.3:
        upper, lower, iso = "AAA", "####", "BR"
        if rng.random() < 0.35:
            lower = "#A##"
    ground, ink = _colours(country, rng)
    if iso == "BR":
        ground, ink = (
            c.plain(1, 1, c.any_colour(rng, 150, 215).mean() * np.ones(3, np.float32))[0, 0],
            c.any_colour(rng, 0, 50),
        )
    plate = c.plain(width, height, ground)
    face = faces.dies(rng) if iso == "BR" or rng.random() < 0.4 else _face(country, rng, faces)
    split = rng.uniform(0.4, 0.56)
    top = rng.uniform(0.05, 0.16) * height
    gap, bold, relief = rng.uniform(0.06, 0.2), rng.choice((0, 0, 1, 2)), rng.choice((0, 1, 2))
    first, second = _segments(upper, rng), _segments(lower, rng)
    left = 8 + (_left_end(plate, country, ink, rng, faces, two_line=True) if iso not in {"BR"} else 0)
    if rng.random() < 0.3:
        left = min(left, 14)
    middle = split * height
    margin = rng.uniform(0.02, 0.06) * height
    c.row(plate, first, face, (left, width - 8, top, max(20, middle - margin - top)), ink, rng, gap=gap, bold=bold, relief=relief,
          widest=rng.uniform(0.9, 1.3), align=rng.uniform(0.3, 0.6))  # fmt: skip
    foot = height * rng.uniform(0.9, 0.97)
    c.row(plate, second, face, (rng.uniform(6, 20), width - 8, middle + margin, max(20, foot - middle - margin)), ink, rng, gap=gap,
          bold=bold, relief=relief, widest=rng.uniform(0.9, 1.3))  # fmt: skip
    if rng.random() < 0.7:
        c.border(plate, ink if rng.random() < 0.6 else c.any_colour(rng, 60, 200), rng, 4)
    c.bolts(plate, ((0.1, 0.5), (0.9, 0.5), (0.5, 0.05)), rng, 0.2)
    kind = "motorcycle" if rng.random() < 0.5 else "standard"
    return FlatPlate(_to_bytes(plate), _text(first) + _text(second), iso, kind, 2, split)


def _two_lines(country: Country, rng: random.Random) -> tuple[str, str, str]:
    pattern = rng.choice(country.patterns)
    # The end of each group: in the middle, or before the last group, as India does.
    groups = [n for n, sign in enumerate(pattern) if sign in " -.*="] or [len(pattern) // 2]
    at = rng.choice(groups)
    return pattern[:at].rstrip(" -.*="), pattern[at:].strip(" -.*="), country.iso


def _colours(country: Country, rng: random.Random) -> tuple[c.Colour, c.Colour]:
    ground = np.array(rng.choice(((245, 245, 245),) * 8 + ((40, 210, 240), (60, 220, 250))), np.float32)
    ground = ground + rng.uniform(-25, 8)
    ink, pick = c.any_colour(rng, 0, 40), rng.random()
    if pick < country.yellow:
        ground = c.swatch("yellow", rng)
    elif pick > 0.95:
        ink = c.swatch("red", rng)
    elif pick > 0.9:
        ground = c.swatch(rng.choice(("black", "navy", "red", "green")), rng)
        ink = c.any_colour(rng, 210, 250)
    return ground, ink


def _kind(ground: c.Colour, ink: c.Colour) -> str:
    return "specialty" if ground.mean() < 100 else "standard"


def _face(country: Country, rng: random.Random, faces: Faces) -> Alphabet:
    pick = rng.random()
    if country.face == "german" and pick < 0.85:
        return faces.german(rng)
    if country.face == "british" and pick < 0.7:
        return faces.british(rng)
    if pick < 0.45:
        return faces.dies(rng)
    return faces.german(rng) if pick < 0.62 else faces.plate(rng, 0)


def _segments(pattern: str, rng: random.Random) -> list[c.Segment]:
    names = {"-": "dash", " ": "space", ".": "dot", "*": rng.choice(("seals", "seals", "space"))}
    names["="] = rng.choice(("shield", "seals", "space", "dash"))
    segments: list[c.Segment] = []
    for sign in pattern:
        if sign in names:
            name = (
                names[sign]
                if rng.random() > 0.12
                else rng.choice(("space", "dash", "seals", "shield", "dot"))
            )
            segments.append((name, rng.uniform(0.15, 0.4) if name == "space" else rng.uniform(0.2, 0.45)))
        elif sign == "A":
            segments.append(rng.choice(string.ascii_uppercase))
        else:
            segments.append(rng.choice(string.digits) if sign == "#" else sign)
    return segments


def _text(segments: list[c.Segment]) -> str:
    return "".join(s for s in segments if isinstance(s, str))


def _left_end(
    plate: c.Canvas,
    country: Country,
    ink: c.Colour,
    rng: random.Random,
    faces: Faces,
    *,
    two_line: bool = False,
) -> float:
    """The band with the country's letters, or arms on plain ground; what comes back is where it ends."""
    high, wide = plate.shape[:2]
    letters = country.letters or rng.choice(COUNTRIES).letters or "D"
    face, pick = faces.label("sans", rng), rng.random()
    if pick < country.band and not (two_line and rng.random() < 0.5):
        end = int(rng.uniform(0.075, 0.105) * (wide if not two_line else 420))
        rows = slice(0, high if not two_line or rng.random() < 0.3 else int(high * 0.5))
        colour = np.array((150, 55, 5), np.float32) + c.any_shift(rng, 25)
        plate[rows, :end] = colour
        tall = rows.stop
        size = {1: 34, 2: 28}.get(len(letters), 20) * end / 46
        c.label(plate, letters, (end / 2, tall * rng.uniform(0.72, 0.84)), size, np.full(3, rng.uniform(190, 250), np.float32), face,
                most_width=end / wide)  # fmt: skip
        _stars(plate, end, tall, rng, ink)
        return end
    if pick < country.band + 0.16 and not two_line:
        end = int(rng.uniform(0.08, 0.11) * wide)
        c.symbol(plate, "shield", end * 0.25, high * 0.12, end * 0.6, high * 0.45, ink, rng)
        colour = ink if rng.random() < 0.6 else c.any_colour(rng, 0, 160)
        c.label(plate, letters, (end * 0.55, high * 0.76), 22, colour, face)
        return end
    return int(0.03 * wide)


def _stars(plate: c.Canvas, end: int, tall: int, rng: random.Random, ink: c.Colour) -> None:
    if rng.random() >= 0.75:
        c.symbol(plate, "shield", end * 0.15, tall * 0.1, end * 0.7, tall * 0.45, ink, rng)
        return
    for k in range(12):
        at = (
            int(end / 2 + end * 0.3 * np.cos(k * np.pi / 6)),
            int(tall * 0.33 + end * 0.3 * np.sin(k * np.pi / 6)),
        )
        plate[max(0, at[1] - 1) : at[1] + 2, max(0, at[0] - 1) : at[0] + 2] = (40, 200, 240)


def _right_end(plate: c.Canvas, rng: random.Random, faces: Faces) -> float:
    high, wide = plate.shape[:2]
    if rng.random() >= 0.12:
        return wide - 0.025 * wide
    plate[:, wide - int(0.08 * wide) :] = np.array((150, 55, 5), np.float32) + c.any_shift(rng, 25)
    words = ("75", "33", "13", "MI", "RM", "06")
    c.label(
        plate,
        rng.choice(words),
        (wide * 0.96, high * 0.7),
        24,
        np.full(3, 240, np.float32),
        faces.label("sans", rng),
    )
    return wide - 0.1 * wide


def _holder(plate: c.Canvas, rng: random.Random, faces: Faces) -> c.Canvas:
    """A dealer's holder above and below."""
    if rng.random() >= 0.35:
        return plate
    foot, colour = rng.randint(12, 26), c.any_colour(rng, 0, 50)
    plate = _rimmed(plate, rng.randint(2, 8), foot, 6, colour)
    at = (plate.shape[1] / 2, plate.shape[0] - foot / 2)
    c.label(
        plate,
        rng.choice(c.DEALERS),
        at,
        rng.randint(14, 22),
        c.any_colour(rng, 130, 255),
        faces.label("sans", rng),
    )
    return plate


def _rimmed(plate: c.Canvas, top: int, bottom: int, side: int, colour: c.Colour) -> c.Canvas:
    """The plate with a rim of `colour` round it."""
    out = c.plain(plate.shape[1] + 2 * side, plate.shape[0] + top + bottom, colour)
    out[top : top + plate.shape[0], side : side + plate.shape[1]] = plate
    return out


def _to_bytes(plate: c.Canvas) -> np.ndarray:
    return np.clip(plate, 0, 255).astype(np.uint8)
