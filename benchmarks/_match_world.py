"""A seeded world of plates, hot lists and camera reads, for measuring the matcher where the truth is known.

Plates. A plate is a text of one of four American formats and of one of fifty states, each drawn without
regard to the other, so that no matcher gains by knowing a state's series: on the road it would. `ISSUED`
of each series is in use, which makes some 8,000 of a million passing plates have their best text on a
list of a million entries under another state: matching without the state is hopeless.

Lists. A list holds texts drawn evenly from all plates, with states by population. Passing vehicles are of
the home state by three quarters, so most listed plates come from elsewhere; every listed vehicle passes
equally often.

Reads. Each of eight places holds a probability for a blank and 36 characters. Scores are the likeness of
a character to the true one (`CONFUSIONS`) times the picture's quality, which differs from read to read
with a long tail, plus noise: about 93 % of best texts are right, and the probabilities mean about what
they say. `DROPPED` of the reads lose a character and `INVENTED` gain a 1 or an I without any trace in
their probabilities. As in the contract (alpr.type.v1.Position), probabilities below `LEAST` are left out.

States. Each read has a probability for every state, made in the same way by a reader that has seen all
states equally often, as our own has. Its accuracy is the share of listed vehicles whose most probable
state is the right one; the quality that gives it is found by halving. Nothing is said of plate types and
vehicles.

Everything is drawn from the seed: the same arguments give the same arrays wherever numpy's generators are
the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Class n + 1 is the character n; class 0 is a blank, which only ends a text."""
PLACES: Final = 8
CLASSES: Final = len(ALPHABET) + 1
_STATES: Final = """IL CA TX FL NY PA OH GA NC MI NJ VA WA AZ TN MA IN MO MD CO WI MN SC AL LA
KY OR OK CT UT NV IA AR KS MS NM ID NB WV HI NH ME RI MT DE SD ND AK VT WY"""
STATES: Final = tuple(_STATES.split())
"""Codes of the NCIC table, the home state first; shares fall with the rank."""
HOME_SHARE: Final = 0.75
FORMATS: Final = (("LLLDDDD", 0.6), ("DLLLDDD", 0.2), ("LLLDDD", 0.1), ("DDLLLDD", 0.1))
ISSUED: Final = 0.3
DROPPED: Final = 0.0036
INVENTED: Final = 0.0024
LEAST: Final = 0.001
CHUNK: Final = 20_000
# How alike two characters are to a reader, in units of its score; a character is 6.5 like itself.
CONFUSIONS: Final = """
0O 4.0, 0Q 3.2, 0D 3.4, OQ 3.5, OD 3.4, QD 2.2, 1I 4.0, 1L 2.6, IL 2.5, 1T 1.8, IT 2.0, 17 2.2, 8B 3.8,
5S 3.7, 2Z 3.6, 6G 3.2, CG 3.0, VY 2.5, UV 2.6, MN 2.4, HN 2.3, MW 1.8, EF 2.7, PR 2.6, KX 2.2, 38 2.7,
68 2.4, 09 1.8, 56 2.2, 4A 2.6, 7T 2.2, UO 1.8, UJ 1.6, BR 1.8, 3B 2.0, 89 2.2, 0C 1.8, OC 2.0, 7Z 2.0,
VW 1.8, XY 1.8, HM 2.0, 0U 1.8, 08 2.2, 0B 1.6, DB 1.8"""
_SELF_LIKENESS: Final = 6.5
_BLANK_AS_CHARACTER: Final = 0.3
_CHARACTER_AS_BLANK: Final = 0.5
_NOISE: Final = 1.25
_COOLING: Final = 0.95
_QUALITY: Final = 2.8
_QUALITY_SPREAD: Final = 0.38
_QUALITY_RANGE: Final = (0.55, 4.5)
_STATE_NOISE: Final = 0.8
_STATE_SPREAD: Final = 0.30
_STATE_QUALITY_RANGE: Final = (0.2, 10.0)
# Without a factor in common with the size of any series: steps through it without meeting a number twice.
_STRIDE: Final = 104_729_351
_SPACES: Final = {"L": 26, "D": 10}
_FIRST: Final = {"L": 11, "D": 1}
_TAILS: Final = 0.8


@dataclass(frozen=True, slots=True)
class Plates:
    """Plates by row: their text as classes (n, PLACES), and the number of their state in STATES."""

    classes: Bytes
    states: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | Numbers | slice) -> Plates:
        return Plates(self.classes[rows], self.states[rows])


@dataclass(frozen=True, slots=True)
class Reads:
    """What a camera says of some plates: natural logarithms, -inf where it says nothing.

    Attributes:
        characters: (n, PLACES, CLASSES).
        states: (n, len(STATES)).
        slipped: Which reads lost or gained a character.
    """

    characters: Floats
    states: Floats
    slipped: npt.NDArray[np.bool_]


def texts(classes: Bytes) -> list[str]:
    """The texts of rows of classes."""
    letters = np.frombuffer((" " + ALPHABET).encode(), dtype="S1")
    return [text.decode() for text in letters[classes].view(f"S{PLACES}").ravel()]


def packed(classes: Bytes) -> npt.NDArray[np.uint64]:
    """Six bits a place, the first place highest: equal exactly where texts are."""
    keys = np.zeros(len(classes), np.uint64)
    for place in range(PLACES):
        keys = (keys << np.uint64(6)) | classes[:, place].astype(np.uint64)
    return keys


class World:
    """Where plates, lists and reads come from; everything follows from `seed`."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        shares = 1 / np.arange(1, len(STATES) + 1) ** _TAILS
        self.everywhere = shares / shares.sum()
        passing = self.everywhere * (1 - HOME_SHARE)
        passing[0] += HOME_SHARE
        self.passing = passing
        self._likeness = _likeness()
        self._state_quality: dict[float, float] = {}

    def hot_list(self, count: int) -> Plates:
        """`count` listed plates, no text and state twice."""
        rng = self._rng("list", count)
        drawn = self._plates(int(count * 1.03) + 100, self.everywhere, rng)
        keys = packed(drawn.classes) << np.uint64(6) | drawn.states.astype(np.uint64)
        _, first = np.unique(keys, return_index=True)
        return drawn[np.sort(rng.permutation(first)[:count])]

    def passing_plates(self, chunk: int) -> Plates:
        """CHUNK plates as they pass a camera; they may be listed."""
        return self._plates(CHUNK, self.passing, self._rng("passing", chunk))

    def reads(self, plates: Plates, chunk: int, name: str) -> Reads:
        """What a camera says of `plates`, without states."""
        rng = self._rng(f"reads-{name}", chunk)
        written, slipped = _slipped(plates.classes, rng)
        characters = _characters(written, self._likeness, rng)
        return Reads(characters, np.zeros((len(plates), len(STATES)), np.float32), slipped)

    def states_seen(self, plates: Plates, accuracy: float, chunk: int, name: str) -> Floats:
        """What it says of their states, right for `accuracy` of listed vehicles."""
        if accuracy not in self._state_quality:
            self._state_quality[accuracy] = self._quality_for(accuracy)
        rng = self._rng(f"states-{name}", chunk)
        return self._states(plates.states, self._state_quality[accuracy], rng)

    def _rng(self, name: str, number: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, number, *name.encode()])

    def _plates(self, count: int, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Plates:
        states = rng.choice(len(STATES), count, p=shares).astype(np.int16)
        formats = rng.choice(len(FORMATS), count, p=[share for _, share in FORMATS])
        classes = np.zeros((count, PLACES), np.uint8)
        for number, (form, _) in enumerate(FORMATS):
            rows = formats == number
            classes[rows] = _numbered(form, rng, int(rows.sum()))
        return Plates(classes, states)

    def _states(self, true: npt.NDArray[np.int16], quality: float, rng: np.random.Generator) -> Floats:
        count = len(true)
        drawn = rng.lognormal(np.log(quality), _STATE_SPREAD, count)
        scores = rng.gumbel(0, _STATE_NOISE, (count, len(STATES)))
        scores[np.arange(count), true] += np.clip(drawn, *_STATE_QUALITY_RANGE)
        return _log_shares(scores.astype(np.float32))

    def _quality_for(self, accuracy: float) -> float:
        """The quality at which the best state of listed vehicles is right that often."""
        low, high = 0.5, 12.0
        for _ in range(20):
            middle = (low + high) / 2
            rng = self._rng("accuracy", 0)
            true = rng.choice(len(STATES), CHUNK * 2, p=self.everywhere).astype(np.int16)
            right = np.mean(self._states(true, middle, rng).argmax(axis=1) == true)
            low, high = (middle, high) if right < accuracy else (low, middle)
        return high


def chunks_of(count: int) -> Iterator[int]:
    """Numbers of the chunks that hold at least `count` rows."""
    yield from range(-(-count // CHUNK))


def _likeness() -> Floats:
    table = np.zeros((CLASSES, CLASSES), np.float32)
    table[0, 1:], table[1:, 0] = _BLANK_AS_CHARACTER, _CHARACTER_AS_BLANK
    for pair, value in (item.split() for item in CONFUSIONS.split(",")):
        one, other = (ALPHABET.index(character) + 1 for character in pair)
        table[one, other] = table[other, one] = float(value)
    np.fill_diagonal(table, _SELF_LIKENESS)
    return table


def _numbered(form: str, rng: np.random.Generator, count: int) -> Bytes:
    """Texts of a format, evenly from the issued part of its series."""
    space = int(np.prod([_SPACES[kind] for kind in form]))
    rest = rng.integers(0, int(space * ISSUED), count) * _STRIDE % space
    classes = np.zeros((count, PLACES), np.uint8)
    for place in reversed(range(len(form))):
        rest, digit = np.divmod(rest, _SPACES[form[place]])
        classes[:, place] = digit + _FIRST[form[place]]
    return classes


def _slipped(classes: Bytes, rng: np.random.Generator) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """What the reader saw in place of `classes`: a few texts lose or gain a character."""
    seen = classes.copy()
    chance = rng.random(len(seen))
    for row in np.nonzero(chance < DROPPED + INVENTED)[0]:
        length = int((seen[row] > 0).sum())
        place = int(rng.integers(0, length))
        if chance[row] < DROPPED:
            seen[row, place:-1] = seen[row, place + 1 :].copy()
            seen[row, -1] = 0
        else:
            seen[row, place + 1 :] = seen[row, place:-1].copy()
            seen[row, place] = ALPHABET.index("1I"[int(rng.integers(0, 2))]) + 1
    return seen, chance < DROPPED + INVENTED


def _characters(written: Bytes, likeness: Floats, rng: np.random.Generator) -> Floats:
    count = len(written)
    quality = rng.lognormal(np.log(_QUALITY), _QUALITY_SPREAD, count).astype(np.float32)
    quality = np.clip(quality, *_QUALITY_RANGE)
    # A Gumbel variable is minus the logarithm of an exponential one, which is quicker to draw.
    noise = rng.standard_exponential((count, PLACES, CLASSES), dtype=np.float32)
    noise = -np.log(np.maximum(noise, np.finfo(np.float32).tiny))
    scores = likeness[written] * quality[:, None, None] + np.float32(_NOISE) * noise
    logs = _log_shares(np.float32(_COOLING) * scores)
    logs[logs < np.log(LEAST)] = -np.inf
    return logs


def _log_shares(scores: Floats) -> Floats:
    scores = scores - scores.max(axis=-1, keepdims=True)
    logs: Floats = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return logs
