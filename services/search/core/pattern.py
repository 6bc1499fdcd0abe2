"""Plates of questions: what a text with wildcards asks for, and when it asks for too much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ANY_ONE: Final = "?"
ANY_NUMBER: Final = "*"
LONGEST: Final = 12
"""Most characters of a plate."""
LEAST_EXACT: Final = 2
LEAST_KNOWN: Final = 3
"""Letters and digits that a text with wildcards must have: with fewer, a large share of all plates match."""
LEAST_ONE_OFF: Final = 4
"""Characters of a plate that is looked for one character off, so that `LEAST_KNOWN` of them stay."""

_TEXT: Final = re.compile(r"[A-Z0-9?*]+")
_WILD: Final = re.compile(r"[?*]+")


class PlateForm(StrEnum):
    """How plates are compared with the text."""

    ANY = "any"
    """Every plate: the question is about a place."""
    EXACT = "exact"
    PATTERN = "pattern"
    """`?` stands for any one character, `*` for any number of them, also none."""
    LOOK_ALIKE = "look_alike"
    """As PATTERN, and characters that are taken for each other count as the same: 0 O Q D, 1 I L, 2 Z, 5 S,
    6 G, 8 B."""
    ONE_OFF = "one_off"
    """One character is another one, is missing or too much; the text itself counts, too."""


@dataclass(frozen=True, slots=True)
class WantedPlate:
    """Which plates a question is about; `text` is empty for every plate."""

    form: PlateForm
    text: str


EVERY_PLATE: Final = WantedPlate(PlateForm.ANY, "")


class PatternError(ValueError):
    """The text asks for no plate, or for too many; the message says what to change and repeats no text."""


def wanted_plate(text: str, *, look_alike: bool = False, one_off: bool = False) -> WantedPlate:
    """The plates that `text` asks for, which is in capitals, without blanks and dashes.

    Runs of wildcards come back in one spelling, question marks first: `*?*` is `?*`.

    Raises:
        PatternError: Other characters, too long, or fewer known ones than the form needs.
    """
    if not _TEXT.fullmatch(text):
        raise PatternError(
            "must be letters A-Z and digits, ? for any one character, * for any number of them; a letter of "
            "another script is not the letter that it looks like"
        )
    settled = _WILD.sub(_settled, text)
    known = len(_WILD.sub("", settled))
    if len(settled.replace(ANY_NUMBER, "")) > LONGEST:
        raise PatternError(f"must stand for at most {LONGEST} characters")
    form = _form(settled, look_alike=look_alike, one_off=one_off)
    if one_off and known != len(settled):
        raise PatternError("must have no ? and * when one character may be off")
    least = _least_known(form, wild=known != len(settled))
    if known < least:
        raise PatternError(f"must have at least {least} letters and digits, or it would search everything")
    return WantedPlate(form, settled)


def _settled(run: re.Match[str]) -> str:
    marks = run.group()
    return ANY_ONE * marks.count(ANY_ONE) + (ANY_NUMBER if ANY_NUMBER in marks else "")


def _form(text: str, *, look_alike: bool, one_off: bool) -> PlateForm:
    if one_off:
        return PlateForm.ONE_OFF
    if look_alike:
        return PlateForm.LOOK_ALIKE
    return PlateForm.PATTERN if _WILD.search(text) else PlateForm.EXACT


def _least_known(form: PlateForm, *, wild: bool) -> int:
    if form is PlateForm.ONE_OFF:
        return LEAST_ONE_OFF
    return LEAST_KNOWN if wild else LEAST_EXACT
