"""Plates as they are made: drawn flat, with what is written on them and who issued them."""

from __future__ import annotations

import random

from training.fonts import Faces
from training.plates.america import draw_brazil, draw_north
from training.plates.europe import COUNTRIES, draw_europe, draw_two_line
from training.plates.flat import KINDS, FlatPlate
from training.plates.us import draw_us
from training.plates.us_states import US_STATES

# Every issuer that is drawn; the last stands for all others.
ISSUERS = (
    *(f"US-{code}" for code in sorted(US_STATES)),
    *sorted({"BR", "AR", "UY", "PY", "CA", "MX"} | {x.iso for x in COUNTRIES} - {"ZZ"}),
    "ZZ",
)
# How often each family is drawn.
_MIX = ((0.47, draw_us), (0.13, draw_europe), (0.31, draw_brazil), (0.06, draw_two_line), (0.03, draw_north))


def draw(rng: random.Random, faces: Faces) -> FlatPlate:
    """Another plate of any kind."""
    make = rng.choices([m for _, m in _MIX], [share for share, _ in _MIX])[0]
    return make(rng, faces)


__all__ = ["ISSUERS", "KINDS", "FlatPlate", "draw", "draw_us"]
