"""Plates of Brazil before and after Mercosur, of its neighbours, and of Canada and Mexico."""

from __future__ import annotations

import random
import string

import numpy as np

from training.fonts import Faces
from training.plates import canvas as c
from training.plates.flat import FlatPlate

_TOWNS = (
    "CURITIBA", "SAO PAULO", "COLOMBO", "PINHAIS", "SALVADOR", "RECIFE", "BRASILIA", "BELO HORIZONTE", "CAMPINAS",
    "OSASCO", "NATAL", "MANAUS", "FORTALEZA", "LONDRINA", "JOINVILLE", "SANTOS", "GOIANIA", "NITEROI", "MARINGA",
)  # fmt: skip
_UNITS = ("SP", "PR", "RJ", "SC", "BA", "MG", "RS", "GO", "DF", "PE", "CE", "ES", "PA", "MT")
_MERCOSUR = (
    ("BR", "BRASIL", "AAA#A##", 6), ("AR", "REPUBLICA ARGENTINA", "AA ### AA", 2),
    ("UY", "URUGUAY", "AAA ####", 1), ("PY", "REPUBLICA DEL PARAGUAY", "AAAA ###", 1),
)  # fmt: skip
_NORTH = (
    ("CA", ("ONTARIO", "Quebec", "BRITISH COLUMBIA", "Alberta", "MANITOBA", "Saskatchewan", "NOVA SCOTIA"),
     ("AAAA ###", "### AAA", "AA# ##A", "AAA-####", "AAA ###"), ("Yours to Discover", "Je me souviens", "Beautiful", "Friendly")),
    ("MX", ("JALISCO", "NUEVO LEON", "DF", "SONORA", "BAJA CALIFORNIA", "Chihuahua"),
     ("AAA-##-##", "AAA-###-A", "AA-##-###", "###-AAA"), ("MEXICO", "TRASERA", "DELANTERA")),
)  # fmt: skip


def draw_brazil(rng: random.Random, faces: Faces) -> FlatPlate:
    """Another plate of Brazil or a Mercosur neighbour."""
    return _mercosur(rng, faces) if rng.random() < 0.35 else _old_brazil(rng, faces)


def draw_north(rng: random.Random, faces: Faces) -> FlatPlate:
    """Another plate of Canada or Mexico, in the form of the United States."""
    iso, names, patterns, mottoes = rng.choice(_NORTH)
    ground = [c.swatch(rng.choice(("white", "white", "white", "cream", "sky")), rng) for _ in range(2)]
    plate = c.shaded(320, 160, ground, rng)
    ink = c.swatch(rng.choice(("navy", "blue", "red", "black", "green")), rng)
    if rng.random() < 0.4:
        c.art(plate, rng)
    segments = _filled(rng.choice(patterns), rng)
    tall = rng.uniform(0.42, 0.58) * 160
    box = (rng.uniform(8, 24), 320 - rng.uniform(8, 24), 160 * rng.uniform(0.46, 0.55) - tall / 2, tall)
    c.row(plate, segments, faces.plate(rng, 0.6), box, ink, rng, gap=rng.uniform(0.06, 0.18), relief=rng.choice((0, 1, 2)),
          bold=rng.choice((0, 0, 1)))  # fmt: skip
    c.label(plate, rng.choice(names), (160, rng.uniform(14, 24)), rng.uniform(18, 28), c.swatch(rng.choice(("navy", "red", "black")), rng),
            faces.label(rng.choice(("sans", "serif")), rng))  # fmt: skip
    c.label(
        plate,
        rng.choice(mottoes),
        (160, rng.uniform(136, 148)),
        rng.uniform(12, 18),
        ink,
        faces.label("sans", rng),
    )
    c.bolts(plate, ((0.22, 0.08), (0.78, 0.08), (0.22, 0.92), (0.78, 0.92)), rng)
    if rng.random() < 0.35:
        c.dealer_frame(plate, c.DEALERS, faces, rng)
    return FlatPlate(np.clip(plate, 0, 255).astype(np.uint8), _text(segments), iso, "standard")


def _filled(pattern: str, rng: random.Random) -> list[c.Segment]:
    names = {" ": "space", "-": "dash", ".": "dot"}
    segments: list[c.Segment] = []
    for sign in pattern:
        if sign in names:
            segments.append((names[sign], rng.uniform(0.12, 0.35)))
        else:
            segments.append(rng.choice(string.ascii_uppercase if sign == "A" else string.digits))
    return segments


def _text(segments: list[c.Segment]) -> str:
    return "".join(s for s in segments if isinstance(s, str))


def _mercosur(rng: random.Random, faces: Faces) -> FlatPlate:
    iso, name, pattern, _ = rng.choices(_MERCOSUR, [m[3] for m in _MERCOSUR])[0]
    ground = c.any_colour(rng, 225, 250)
    plate = c.plain(400, 130, ground)
    plate[: rng.randint(24, 31)] = np.array((140, 50, 0), np.float32) + c.any_shift(rng, 25)
    c.label(plate, name, (200, 14), 20, np.full(3, 250, np.float32), faces.label("sans", rng))
    if rng.random() < 0.6:
        # The flag at the right, the emblem at the left.
        plate[4:24, 360:392] = c.any_colour(rng, 40, 230)
        plate[4:24, 8:40] = c.any_colour(rng, 120, 250)
    if iso == "BR" and rng.random() < 0.5:
        c.label(
            plate, "BR", (rng.uniform(12, 20), 116), 18, c.any_colour(rng, 0, 60), faces.label("sans", rng)
        )
    ink = (
        c.any_colour(rng, 0, 45)
        if rng.random() < 0.85
        else c.swatch(rng.choice(("red", "blue", "green", "gold")), rng)
    )
    segments = _filled(pattern, rng)
    left = 24 if rng.random() < 0.4 else 10
    c.row(plate, segments, faces.mercosur(rng), (left, 390, rng.uniform(33, 40), rng.uniform(74, 88)), ink, rng,
          gap=rng.uniform(0.08, 0.18), bold=rng.choice((0, 1, 2)), relief=rng.choice((0, 1, 2)), widest=rng.uniform(1, 1.4))  # fmt: skip
    if rng.random() < 0.5:
        c.border(plate, c.any_colour(rng, 0, 90), rng, 3)
    return FlatPlate(np.clip(plate, 0, 255).astype(np.uint8), _text(segments), iso, "standard")


def _old_brazil(rng: random.Random, faces: Faces) -> FlatPlate:
    """Grey, three letters and four digits, the town on a strip above (until 2018, seen until today)."""
    light = rng.uniform(110, 215)
    ground, ink, kind = np.full(3, light, np.float32), c.any_colour(rng, 0, 50), "standard"
    if rng.random() < 0.14:
        ground, ink = c.swatch(rng.choice(("red", "red", "blue", "green")), rng), c.any_colour(rng, 200, 250)
        kind = "commercial"
    plate = c.plain(400, 130, ground)
    if rng.random() < 0.3:
        c.art(plate, rng)
    centre = 200 + rng.uniform(-30, 30)
    if rng.random() < 0.8:
        strip = np.clip(ground * rng.uniform(0.9, 1.1), 0, 255)
        plate[4:27, 72:328] = strip
        if rng.random() < 0.4:
            c.paste(plate, np.pad(np.zeros((21, 254), np.uint8), 1, constant_values=255), 72, 4, ink, 0.5)
    town = rng.choice(_UNITS) + rng.choice((" - ", "-", " ")) + rng.choice(_TOWNS)
    c.label(plate, town, (centre, 16), rng.randint(13, 22), ink, faces.label("sans", rng))
    if rng.random() < 0.5:
        c.symbol(plate, "dot", rng.randint(30, 80), 6, 16, 20, c.any_colour(rng), rng)
    between = rng.choice(("dash", "dot", "dot", "dot", "space"))
    segments: list[c.Segment] = [
        *_filled("AAA", rng),
        (between, rng.uniform(0.12, 0.35)),
        *_filled("####", rng),
    ]
    face = faces.dies(rng) if rng.random() < 0.6 else faces.plate(rng, 0.1)
    # 63 of 130 mm on the plate, more where the strip above is cut off or small.
    tall = rng.uniform(60, 86)
    c.row(
        plate,
        segments,
        face,
        (rng.uniform(8, 26), 400 - rng.uniform(8, 26), rng.uniform(32, 122 - tall), tall),
        ink,
        rng,
        gap=rng.uniform(0.08, 0.24),
        bold=rng.choice((0, 1, 2)),
        relief=rng.choice((0, 1, 2)),
        widest=rng.uniform(1, 1.5),
    )
    for _ in range(rng.choice((0, 2, 3))):
        x, y = rng.randint(20, 360), 130 - rng.randint(6, 16)
        plate[y:126, x : x + rng.randint(10, 22)] = c.any_colour(rng, 0, 60)
    if rng.random() < 0.4:
        c.border(plate, np.clip(ground * rng.uniform(0.5, 1.1), 0, 255), rng, 3)
    return FlatPlate(np.clip(plate, 0, 255).astype(np.uint8), _text(segments), "BR", kind)
