"""How issuers arrange letters and digits, and which look-alikes a text may mean.

`A` is a letter, `#` a digit. It is a leaning, never a rule: personal plates exist, and so do arrangements
that are missing here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Final

SHORTEST: Final = 2
LONGEST: Final = 12
# Share of plates with one of their issuer's arrangements; the others are personal, or of some other kind.
_ARRANGED: Final = 0.8
# How much rarer than any known arrangement one is that is not known at all.
_UNHEARD_OF: Final = 0.1
_ANYBODY: Final = "ZZ"
# Texts with more changes than this are other texts.
_MOST_CHANGES: Final = 3

_AS_DIGIT: Final[Mapping[str, str]] = MappingProxyType(
    {"O": "0", "Q": "0", "D": "0", "I": "1", "Z": "2", "S": "5", "G": "6", "B": "8"}
)
_AS_LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {"0": "OD", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
)

# Passenger plates of now and of the years that still drive, and the common trucks.
_UNITED_STATES: Final = """
    AL #A##A## ##A##A# #AA#### ##AA### #A#####
    AK AAA###
    AZ AAA#### A#AA#AA AA##### ###AAA
    AR ###AAA AAA##A AA####A
    CA #AAA### #A##### ##### A###### #######
    CO AAA### AAAA## ###AAA AA#####
    CT AA##### ###AAA #AAAA# #AA#AA A######
    DE ###### ##### A##### A####
    DC AA####
    FL AAAA## A##AAA ###AAA AAA### AAAA## AA##AAA #####AA
    GA AAA#### ####AAA AA#####
    HI AAA### AA####
    ID A###### #A##### #A####A #AA#### A######A
    IL AA##### A###### ####### A##### ###AAA# #######A
    IN ###AAA ###A ###AA ####A #####A #AA###
    IA AAA### AA#### ###AAA
    KS ####AAA ###AAA AAA#### AAA###
    KY ###AAA A#A### AAA### A####A
    LA ###AAA AAA### A######
    ME ####AA #####A AA#### #AA###
    MD #AA#### AAA#### #A##### A##### A######
    MA #AAA## ###AA# #AA### ####AA AA#### ######
    MI AAA#### #AAA## AAAA## AA##### DA#####
    MN AAA### ###AAA AA####
    MS AAA### AAA#### AA##### A######
    MO AA#A#A ###AAA AA#AA# #AAA## AAA###
    MT ###### #####A AAA### #######
    NE AAA### ##A### A##### #A#### ##A####
    NV ###A## ##A### AAA### ###AAA
    NH ####### ###### AAA####
    NJ A##AAA AAA##A AA###A AAA### ###AAA
    NM AAA### ###AAA AAAA##
    NY AAA#### #####AA #####AB AAA####
    NC AAA#### AA#### AA#####
    ND ###AAA AAA###
    OH AAA#### AA##AA AAA### A######
    OK AAA### ###AAA AAA#### A#####
    OR ###AAA AAA### #AA### A######
    PA AAA#### AAA### AA##### AA####A
    RI AA### ###### ##### AA#### #AA###
    SC AAA### ###AAA AAAA## A######
    SD #AA### #A#### ##A### #AAA## AAA###
    TN AAA#### A####A ###AAA A##A## A#####A
    TX AAA#### AA#A### AA##### ###AAA A##AAA AA####A
    UT A###AA A##AA A###A# #A###A ###AAA #A##A AAA###
    VT AAA### ###A### ###A###
    VA AAA#### AAA### A#####
    WA AAA#### ###AAA A#####A A######
    WV #AA### #A#### AA#### A##### AAA###
    WI AAA#### ###AAA AA#### AA#####
    WY ##### ###### #####A ##A### #A####
"""
_COUNTRIES: Final = """
    AL AA###AA
    AR AAA### AA###AA A###AAA
    AT AA####A AA###AA A####A A#####A A##AAA A####AA A#####AA AA#####A AA####AA
    AU AAA### ###AAA AAA##A #AA#AA ######
    BE #AAA### AAA### ###AAA
    BG AA####AA A####AA
    BR AAA#### AAA#A##
    BY ####AA#
    CA AAAA### AAA### A##AAA ###AAA AAA####
    CH AA###### AA##### AA#### AA###
    CL AAAA## AA####
    CO AAA###
    CZ #A##### #AA####
    DE AA#### AAA### AAA#### A##### A###### AAAA### AAAA#### AAAA## AAAA# AA##### AAA## AA### AAAAA### AAAAA##
    DK AA#####
    EE ###AAA
    ES ####AAA A####AA AA####AA
    FI AAA### AAA##
    FR AA###AA ###AAA## ####AA##
    GB AA##AAA A###AAA AAA###A A##AAA AAA##
    GR AAA####
    HR AA###AA AA####AA AA####A AA###A
    HU AAA### AAAA###
    IE ##A##### ###A##### ##A#### ##A### ###A#### ##AA####
    IN AA##AA#### AA##A#### AA#AA#### AA#A####
    IS AAA## AA###
    IT AA###AA
    LT AAA###
    LU AA####
    LV AA####
    MD AAA###
    MX AAA#### AAA###A AAA## A##AAA
    NL AAAA## ##AAAA AA###A ##AAA# #AAA## AA##AA A###AA AAA##A
    NO AA#####
    PL AA##### AAA#### AAA##AA AA####A AAA##A# AA###AA AA###A# AAAA### AAA#A## A#####
    PY AAA### AAAA###
    PT AA##AA ####AA ##AA## ######A
    RO A##AAA AA##AAA A###AAA
    RS AA###AA AA####AA
    RU A###AA## A###AA###
    SE AAA### AAA##A
    SI AA####A AAA### AAAA#
    SK AA###AA
    TR ##A#### ##AA### ##AA#### ##AAA## ##AAA### ##A#####
    UA AA####AA
    UY AAA#### AAA###
    VN ##A##### ##A####
    ZA AA##AAAA AAA###AA AA######
"""


def _table(lines: str, prefix: str) -> dict[str, frozenset[str]]:
    rows = (line.split() for line in lines.strip().splitlines())
    return {prefix + name: frozenset(arrangement_of(one) for one in known) for name, *known in rows}


def arrangement_of(text: str) -> str:
    """`text` with every letter as A and every digit as #."""
    return "".join("#" if one.isdigit() or one == "#" else "A" for one in text)


ARRANGEMENTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {**_table(_UNITED_STATES, "US-"), **_table(_COUNTRIES, "")}
)
"""Arrangements of each issuer, under the labels of the models."""

_ALL: Final = frozenset(chain.from_iterable(ARRANGEMENTS.values()))


def _by_length() -> Mapping[int, tuple[str, ...]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for one in sorted(_ALL):
        found[len(one)].append(one)
    return MappingProxyType({length: tuple(ones) for length, ones in found.items()})


_OF_LENGTH: Final = _by_length()


def leanings(texts: Iterable[str], issuers: Mapping[str, float]) -> list[float]:
    """How much who may have issued the plate speaks for texts arranged like these, logarithms of at most 0.

    Args:
        texts: Each of A-Z and 0-9.
        issuers: Probability of each issuer, by its label; what they leave may be anybody.
    """
    likely = {**issuers, _ANYBODY: issuers.get(_ANYBODY, 0.0) + max(0.0, 1.0 - sum(issuers.values()))}
    arrangements = [arrangement_of(text) for text in texts]
    # The texts of one plate are mostly arranged alike.
    known = {
        one: math.log(sum(value * _share(one, issuer) for issuer, value in likely.items()))
        for one in dict.fromkeys(arrangements)
    }
    return [known[one] for one in arrangements]


def weighed(text: str, issuers: Mapping[str, float]) -> dict[str, float]:
    """The probability of each issuer after its text is known (Bayes), adding up to 1; empty for none."""
    arrangement = arrangement_of(text)
    shares = {issuer: value * _share(arrangement, issuer) for issuer, value in issuers.items()}
    total = sum(shares.values())
    return {issuer: share / total for issuer, share in shares.items()} if total > 0 else dict(issuers)


@lru_cache(maxsize=65_536)
def _share(arrangement: str, issuer: str) -> float:
    """The share of an issuer's plates that are arranged so.

    An issuer gives most of its plates one of its arrangements, each as often as the others, and the rest any
    arrangement there is; one of whom nothing is known gives any. What nobody is known to use is rarer still.
    """
    any_one = (1.0 if arrangement in _ALL else _UNHEARD_OF) / len(_ALL)
    known = ARRANGEMENTS.get(issuer)
    if not known:
        return any_one
    return (1 - _ARRANGED) * any_one + (_ARRANGED / len(known) if arrangement in known else 0.0)


@lru_cache(maxsize=4096)
def respelled(text: str) -> tuple[str, ...]:
    """What the text becomes when look-alikes are exchanged until it fits a known arrangement.

    Those with the fewest changes come first.
    """
    found: dict[str, int] = {}
    for arrangement in _OF_LENGTH.get(len(text), ()):
        spellings = [""]
        changes = 0
        for character, wanted in zip(text, arrangement, strict=True):
            choices = character if character.isdigit() == (wanted == "#") else _other_kind(character)
            changes += choices != character
            if not choices or changes > _MOST_CHANGES:
                break
            spellings = [start + one for start in spellings for one in choices]
        else:
            found.update(dict.fromkeys(spellings, changes))
    found.pop(text, None)
    return tuple(sorted(found, key=lambda one: (found[one], one)))


def _other_kind(character: str) -> str:
    """The digits that look like a letter, or the letters that look like a digit."""
    return _AS_LETTERS.get(character, "") if character.isdigit() else _AS_DIGIT.get(character, "")
