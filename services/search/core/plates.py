"""Plate texts."""

from __future__ import annotations

import re
from typing import Final

_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_ASKED_PLATE: Final = re.compile(r"[A-Z0-9]{2,12}")
_DROPPED: Final = str.maketrans("", "", " -.\u00b7\t")


def is_plate(text: str) -> bool:
    """Whether `text` is a plate as reads have them: 1 to 12 characters A-Z and 0-9."""
    return _PLATE.fullmatch(text) is not None


def asked_plate(text: str) -> str | None:
    """The plate that somebody typed: upper case, without spaces, dashes and dots; None when it cannot be one.

    2 to 12 characters: a question after one letter is no question after a plate.
    """
    typed = text.translate(_DROPPED)
    # Upper case turns some foreign letters into ours; nobody typed those.
    plate = typed.upper() if typed.isascii() else ""
    return plate if _ASKED_PLATE.fullmatch(plate) else None
