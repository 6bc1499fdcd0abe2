"""A plate seen from the front, and what is on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("standard", "specialty", "temporary", "motorcycle", "commercial", "government", "dealer")


@dataclass(frozen=True)
class FlatPlate:
    """A drawn plate.

    Attributes:
        image: uint8, rows x columns x 3, BGR.
        text: A-Z and 0-9, the upper line first.
        issuer: "US-IL", or ISO 3166-1 alpha-2 of a country, or "ZZ".
        kind: One of KINDS.
        lines: 1 or 2.
        split: Where two lines part, as a share of the height from the top; 0.5 for one line.
        words: Letters that stand above and below the number, A-Z alone, such as a state's name and its motto;
            None where they are not known or something covers them.
    """

    image: np.ndarray
    text: str
    issuer: str
    kind: str
    lines: int = 1
    split: float = 0.5
    words: tuple[str, str] | None = None
