"""Plate texts as numbers.

A text of 1 to 12 characters is one number to the base 37, in which a digit is 1 to 10 and a letter 11 to
36: no two texts have the same number, none is 0, and the longest is below 2 to the 64. The letter O is
written as the digit 0, as NCIC does; the `o_mask` of a text says where it has the letter (bit n for
character n). The `pattern` of a text is a 1, then for each character 1 for a letter and 0 for a digit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.matcher.core.compiled import compiled

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LONGEST: Final = 12
BASE: Final = 37
ZERO: Final = 1
FIRST_LETTER: Final = 11
LETTER_O: Final = 25
ANY: Final = 37
"""Code of the "?" of a listed plate, which stands for any one character; not part of any key."""
PATTERNS: Final = 1 << (LONGEST + 1)
CODE: Final = {character: number for number, character in enumerate(ALPHABET, start=1)} | {"?": ANY}
SHORT_CODES: Final = BASE * BASE

Keys = npt.NDArray[np.uint64]
Masks = npt.NDArray[np.uint16]
Numbers = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]


def packed(text: str) -> tuple[int, int, int]:
    """Key, o_mask and pattern of a text without "?"."""
    key, o_mask, pattern = 0, 0, 1
    for place, character in enumerate(text):
        code = CODE[character]
        key = key * BASE + (ZERO if code == LETTER_O else code)
        o_mask |= (code == LETTER_O) << place
        pattern = pattern * 2 + (code >= FIRST_LETTER)
    return key, o_mask, pattern


def unpacked(key: int, o_mask: int) -> str:
    """The text that has that key and o_mask."""
    characters = []
    while key:
        key, code = divmod(key, BASE)
        characters.append(ALPHABET[code - 1])
    characters.reverse()
    return "".join("O" if o_mask >> place & 1 else one for place, one in enumerate(characters))


def short_code(text: str) -> int:
    """The number of a code of one or two of A-Z and 0-9 (state, plate type); 0 for none and for others."""
    codes = [CODE.get(character, 0) for character in text]
    if len(codes) > 2 or not all(0 < code < ANY for code in codes):  # noqa: PLR2004
        return 0
    return sum(code * BASE**place for place, code in enumerate(reversed(codes)))


def short_text(code: int) -> str:
    """The text of a number made by `short_code`."""
    return unpacked(code, 0)


# The NCIC table's code for Nebraska is NB; cameras and people write NE.
NEBRASKA: Final = (short_code("NE"), short_code("NB"))


def same_state(code: int) -> int:
    """One code for all that mean the same state."""
    return NEBRASKA[1] if code == NEBRASKA[0] else code


BYTE_CODES: Final = np.zeros(256, np.uint8)
for _character, _code in CODE.items():
    BYTE_CODES[ord(_character)] = _code


def codes_of(texts: npt.NDArray[np.bytes_]) -> Codes:
    """(n, 12) codes of texts; 0 after the end, and for what is not in the alphabet."""
    fixed = np.ascontiguousarray(texts, dtype=f"S{LONGEST}")
    return BYTE_CODES[fixed.view(np.uint8).reshape(len(fixed), LONGEST)]


@compiled
def pack(codes: Codes, keys: Keys, o_masks: Masks, patterns: Numbers) -> None:
    """Writes key, o_mask and pattern of each row of codes; the key of a row with "?" or without text is 0."""
    for row in range(len(codes)):
        key, o_mask, pattern = np.uint64(0), 0, 1
        for place in range(LONGEST):
            code = codes[row, place]
            if code == 0:
                break
            if code == ANY:
                key = np.uint64(0)
                break
            if code == LETTER_O:
                o_mask |= 1 << place
                key = key * np.uint64(BASE) + np.uint64(ZERO)
            else:
                key = key * np.uint64(BASE) + np.uint64(code)
            pattern = pattern * 2 + (1 if code >= FIRST_LETTER else 0)
        keys[row], o_masks[row], patterns[row] = key, o_mask, pattern


@compiled
def pattern_of(key: np.uint64, o_mask: int) -> int:
    """The pattern of the text that has that key and o_mask."""
    length = 0
    letters = 0
    while key > np.uint64(0):
        code = key % np.uint64(BASE)
        key = key // np.uint64(BASE)
        letters |= (1 if code >= np.uint64(FIRST_LETTER) else 0) << length
        length += 1
    pattern = 1
    for place in range(length):
        letter = (letters >> (length - 1 - place)) & 1 | (o_mask >> place) & 1
        pattern = pattern * 2 + letter
    return pattern
