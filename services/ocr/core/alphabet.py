"""From the recogniser's alphabet to the 36 characters of a plate."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BLANK: Final = 0

# Cyrillic, Greek and stroked letters that a general recogniser gives for the same printed shape.
_LOOK_THE_SAME: Final = str.maketrans(
    {
        0x0410: "A",
        0x0412: "B",
        0x0415: "E",
        0x0405: "S",
        0x0406: "I",
        0x0408: "J",
        0x041A: "K",
        0x041C: "M",
        0x041D: "H",
        0x041E: "O",
        0x0420: "P",
        0x0421: "C",
        0x0422: "T",
        0x0425: "X",
        0x0423: "Y",
        0x0391: "A",
        0x0392: "B",
        0x0395: "E",
        0x0396: "Z",
        0x0397: "H",
        0x0399: "I",
        0x039A: "K",
        0x039C: "M",
        0x039D: "N",
        0x039F: "O",
        0x03A1: "P",
        0x03A4: "T",
        0x03A5: "Y",
        0x03A7: "X",
        0x00D8: "O",
        0x00F8: "O",
        0x014C: "O",
    }
)


@dataclass(frozen=True, slots=True)
class Alphabet:
    """How the classes of a CTC recogniser map to plate characters.

    Attributes:
        texts: What each class stands for; class 0 is the CTC blank.
        classes: Classes that stand for a plate character.
        symbols: For each of `classes` its symbol: 1 + index in CHARACTERS.
    """

    texts: tuple[str, ...]
    classes: npt.NDArray[np.intp]
    symbols: npt.NDArray[np.intp]

    @classmethod
    def of(cls, characters: Sequence[str]) -> Alphabet:
        """The alphabet of a recogniser that lists `characters` for classes from 1; its last is the space."""
        texts = ("", *characters, " ")
        pairs = [(n, s) for n, text in enumerate(texts) if (s := _symbol(text)) is not None]
        classes, symbols = zip(*pairs, strict=True)
        return cls(texts, np.array(classes, dtype=np.intp), np.array(symbols, dtype=np.intp))

    def plate_probabilities(self, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Columns x 37: probability of blank and of each plate character, for columns x classes.

        What is no plate character (a bolt, an emblem, a dash between groups) counts as blank: it stands for
        no character.
        """
        known = probabilities[:, self.classes].astype(np.float64)
        folded = np.zeros((len(known), len(CHARACTERS) + 1))
        for column, symbol in enumerate(self.symbols):
            folded[:, symbol] += known[:, column]
        folded[:, BLANK] = np.maximum(1 - folded[:, 1:].sum(axis=1), 0)
        folded += _FLOOR
        return np.asarray(folded / folded.sum(axis=1, keepdims=True))

    def raw_text(self, probabilities: npt.NDArray[np.float32]) -> str:
        """The most probable text in the recogniser's own alphabet, for its columns x classes."""
        best = probabilities.argmax(axis=1)
        changes = np.concatenate([[True], best[1:] != best[:-1]])
        return "".join(self.texts[n] for n in best[changes])


# Keeps a character that one column excludes altogether from excluding every text with it.
_FLOOR: Final = 1e-7


def _symbol(text: str) -> int | None:
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_THE_SAME).upper()
    if len(plain) != 1:
        return None
    found = CHARACTERS.find(plain)
    return None if found < 0 else found + 1
