"""Whether a text may be a plate's: 4 to 10 characters, nearly always with a digit.

Ten is the length of the plate field of NCIC; plates of the United States hold at most 8, others up to 10."""

from __future__ import annotations

import re
from typing import Final

from services.ocr.core.words import BADGES, WORDS

SHORTEST: Final = 4
LONGEST: Final = 10
# No state takes more letters for a vanity plate.
_LONGEST_WORD: Final = 8
_FEWEST_DIGITS_ALONE: Final = 5
_MOST_DIGITS_ALONE: Final = 7
_SHORTEST_LOOSE_WORD: Final = 5

_AS_LETTERS: Final = str.maketrans("01258", "OIZSB")
# What stands on overlays, prices, addresses and signs, and on no plate.
_NEVER_ON_A_PLATE: Final = re.compile(r"[:;/\\$%@&=+()\[\]{}<>?,_\"£€¥©®]")
_TELEPHONE: Final = re.compile(r"\d{3}\D{1,2}\d{4}$|^\d{3}\D{1,2}\d{3}$")
_MEASURE: Final = re.compile(r"^\d+(?:MPH|KMH|KM|MI|FT|LBS?|TONS?|AM|PM|TH|ST|ND|RD|MIN|HRS?)$")


def may_be_plate(text: str, raw: str) -> bool:
    """Whether `text` (A-Z, 0-9) may be a plate's; `raw` is the same with its signs and spaces."""
    if not SHORTEST <= len(text) <= LONGEST or _NEVER_ON_A_PLATE.search(raw):
        return False
    if _MEASURE.match(text) or text in BADGES or _is_word(text):
        return False
    if not has_digit(text):
        return len(text) <= _LONGEST_WORD
    if text.isdigit():
        return _FEWEST_DIGITS_ALONE <= len(text) <= _MOST_DIGITS_ALONE and not _TELEPHONE.search(raw.strip())
    return True


def has_digit(text: str) -> bool:
    """Whether there is a digit in `text`; a plate without one is a vanity plate, or no plate."""
    return any(character.isdigit() for character in text)


def _is_word(text: str) -> bool:
    letters = text.translate(_AS_LETTERS)
    # More than one digit is no misread letter.
    if sum(character.isdigit() for character in text) > 1 or not letters.isalpha():
        return False
    if letters in WORDS:
        return True
    # A short text differs in one place from some word too easily.
    return len(letters) >= _SHORTEST_LOOSE_WORD and any(_within_one(letters, word) for word in WORDS)


def _within_one(text: str, word: str) -> bool:
    """Whether one letter put in, left out or exchanged makes `text` into `word`."""
    if abs(len(text) - len(word)) > 1:
        return False
    start = 0
    while start < min(len(text), len(word)) and text[start] == word[start]:
        start += 1
    after_text = start + (len(text) >= len(word))
    after_word = start + (len(word) >= len(text))
    return text[after_text:] == word[after_word:]
