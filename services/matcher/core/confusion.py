"""How characters are misread, for cameras that do not say how sure they are of each character.

Such a read is taken as if its reader had given probabilities: what the sender says of the whole text (0.9
when it says nothing) is spread evenly over its characters, and what a character leaves is shared among
those that look like it, by the weights below. The weights are a reader's habits as far as they are common
to readers: the likeness of shapes, not of one font.
"""

from __future__ import annotations

from typing import Final

UNSTATED: Final = 0.9
"""What a text is worth about which its sender says no more; a little under the share that is right."""
# Of what a character leaves, this much is for any character that does not look like it, and for what is no
# character.
_ELSEWHERE: Final = 0.2
_LEAST: Final = 0.001
_ALIKE: Final = """
0O 40 0Q 12 0D 15 OQ 18 OD 16 QD 5 1I 40 1L 8 IL 7 1T 4 IT 4 17 6 8B 30 5S 27 2Z 25 6G 17 CG 14 VY 8 UV 8 MN
7 HN 6 MW 4 EF 9 PR 6 KX 6 38 9 68 7 09 4 56 8 4A 8 7T 6 UO 4 UJ 3 BR 4 3B 5 89 6 0C 4 OC 5 7Z 5 VW 4 XY 4
HM 5 0U 4 08 6 0B 3
DB 4 39 4 2Q 1 27 5 35 4 49 4 6B 3 A4 8 J1 3 5B 2 SB 3 58 4 PF 4 CO 5 DO 16"""
_GROUPS: Final = ("0OQD", "1IL", "8B", "5S", "2Z", "6G")
_GROUP: Final = {character: number for number, group in enumerate(_GROUPS) for character in group}


def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    words = _ALIKE.split()
    table: dict[str, dict[str, float]] = {}
    for pair, weight in zip(words[::2], words[1::2], strict=True):
        one, other = pair[0], pair[1]
        table.setdefault(one, {})[other] = float(weight)
        table.setdefault(other, {})[one] = float(weight)
    shares = {}
    for character, others in table.items():
        total = sum(others.values())
        ranked = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
        shares[character] = tuple((other, (1 - _ELSEWHERE) * weight / total) for other, weight in ranked)
    return shares


_SHARES: Final = _weights()


def choices(character: str, certainty: float) -> tuple[tuple[str, float], ...]:
    """What a position may hold that was read as `character` with that certainty; the character first."""
    left = 1 - certainty
    others = ((other, left * share) for other, share in _SHARES.get(character, ()))
    return ((character, certainty), *(pair for pair in others if _LEAST <= pair[1] < certainty))


def look_alike(one: str, other: str) -> bool:
    """True when two texts differ only in characters that look alike (0 O Q D, 1 I L, 8 B, 5 S, 2 Z, 6 G)."""
    return len(one) == len(other) and all(
        a == b or (a in _GROUP and _GROUP[a] == _GROUP.get(b)) for a, b in zip(one, other, strict=True)
    )
