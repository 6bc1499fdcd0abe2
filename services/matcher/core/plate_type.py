"""What the codes of the NCIC table of plate types mean on the plate that a camera sees."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from services.matcher.core.packed import SHORT_CODES, short_code

UNKNOWN: Final = 0
STANDARD: Final = 1
SPECIALTY: Final = 2
TEMPORARY: Final = 3
MOTORCYCLE: Final = 4
COMMERCIAL: Final = 5
GOVERNMENT: Final = 6
DEALER: Final = 7
CLASSES: Final = 8
"""The classes are those of alpr.type.v1.PlateType. Other codes are UNKNOWN: they decide nothing."""

_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        STANDARD: "PC",
        SPECIALTY: "AQ AR DV DX NG PE",
        TEMPORARY: "IT TM",
        MOTORCYCLE: "MC MP",
        COMMERCIAL: "AP BU CM FM TK TL TR TX",
        GOVERNMENT: "CC CI CO EX PO ST US",
        DEALER: "DL",
    }
)


def _table() -> npt.NDArray[np.uint8]:
    table = np.zeros(SHORT_CODES, np.uint8)
    for number, codes in _CODES.items():
        for code in codes.split():
            # NCIC writes O as 0.
            table[short_code(code)] = table[short_code(code.replace("O", "0"))] = number
    return table


_CLASS: Final = _table()


def class_of(code: str) -> int:
    """The class of an NCIC code."""
    return int(_CLASS[short_code(code)])


def classes_of(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """The classes of codes as `short_code` gives them."""
    return _CLASS[codes]


def agree(listed: int, seen: int) -> bool:
    """False when a plate of one class is not taken for one of the other.

    Standard and specialty plates differ in their picture only, and are taken for one another.
    """
    usual = (STANDARD, SPECIALTY)
    return UNKNOWN in (listed, seen) or listed == seen or (listed in usual and seen in usual)
