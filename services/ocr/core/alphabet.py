"""The characters of a plate, and the numbers that stand for them in the networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BLANK: Final = 0
SYMBOLS: Final = len(CHARACTERS) + 1

Symbols = tuple[int, ...]


def spelled(text: Sequence[int]) -> str:
    """The symbols of `text` (from 1) as characters."""
    return "".join(CHARACTERS[symbol - 1] for symbol in text)


def symbols_of(text: str) -> Symbols:
    """The characters of `text` as symbols (from 1)."""
    return tuple(CHARACTERS.index(character) + 1 for character in text)
