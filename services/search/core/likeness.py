"""Plates that may be one plate, read twice."""

from __future__ import annotations

from itertools import takewhile


def is_one_off(one: str, other: str) -> bool:
    """Whether the texts differ by exactly one character: replaced, left out or added."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    shorter, longer = sorted((one, other), key=len)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(shorter, longer, strict=False)))
    skip = len(shorter) == len(longer)
    return shorter[same + skip :] == longer[same + 1 :]
