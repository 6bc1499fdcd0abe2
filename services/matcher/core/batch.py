"""Reads as arrays, for the compiled search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core import plate_type
from services.matcher.core.confusion import UNSTATED, choices
from services.matcher.core.packed import CODE, SHORT_CODES, packed, same_state, short_code
from services.matcher.core.sighting import Lattice, Sighting

Floats = npt.NDArray[np.float32]
Starts = npt.NDArray[np.int32]

# States and countries among which the probability is spread that a read gives to none by name.
_OTHER_STATES: Final = 60
# A camera's view of the type of plate never rules an entry out by itself.
_LEAST_TYPE: Final = 0.02
# A reader that names one character only has said nothing of the others, unless it is as sure as this.
_CERTAIN: Final = 0.999
_LEAST: Final = 1e-6


class Batch(NamedTuple):
    """Reads as arrays; the characters of read r are at the positions from position_start[r] to that of r + 1.

    Attributes:
        position_start: (n + 1,)
        choice_start: (positions + 1,) where the choices of a position begin; the most likely comes first.
        choice_code: Character (`packed.CODE`).
        choice_log: Natural logarithm of its probability.
        text_start: (n + 1,) where the whole texts of a read begin.
        text_key, text_mask, text_pattern, text_log: A whole text, packed, with the logarithm of its
            probability.
        state_start: (n + 1,) where the states of a read begin.
        state_code: State (`same_state`).
        state_share: Its probability; the most probable comes first.
        state_rest: (n,) probability of each state that is not named; 0 where nothing is known of the state.
        type_share: (n, 8) probability of each class of plate; 1 in all where nothing is known.
        scope: (n,) row of `allowed` that says which lists the read may be compared with.
    """

    position_start: Starts
    choice_start: Starts
    choice_code: npt.NDArray[np.uint8]
    choice_log: Floats
    text_start: Starts
    text_key: npt.NDArray[np.uint64]
    text_mask: npt.NDArray[np.uint16]
    text_pattern: Starts
    text_log: Floats
    state_start: Starts
    state_code: npt.NDArray[np.uint16]
    state_share: Floats
    state_rest: Floats
    type_share: Floats
    scope: Starts


def batch_of(sightings: Sequence[Sighting], scopes: Sequence[int]) -> Batch:
    """The batch of `sightings`; `scopes` has the scope of each."""
    spelt = [_positions(one.lattice) for one in sightings]
    places = [choice for positions in spelt for choice in positions]
    texts = [[*_texts(one.lattice)] for one in sightings]
    flat = [text for row in texts for text in row]
    states = _states(sightings)
    return Batch(
        position_start=_starts(spelt),
        choice_start=_starts(places),
        choice_code=np.array([CODE[char] for place in places for char, _ in place], dtype=np.uint8),
        choice_log=_logs([value for place in places for _, value in place]),
        text_start=_starts(texts),
        text_key=np.array([key for (key, _, _), _ in flat], dtype=np.uint64),
        text_mask=np.array([mask for (_, mask, _), _ in flat], dtype=np.uint16),
        text_pattern=np.array([pattern for (_, _, pattern), _ in flat], dtype=np.int32),
        text_log=_logs([value for _, value in flat]),
        state_start=states.start,
        state_code=states.code,
        state_share=states.share,
        state_rest=states.rest,
        type_share=_types(sightings),
        scope=np.array(scopes, dtype=np.int32),
    )


def _positions(lattice: Lattice) -> Sequence[Sequence[tuple[str, float]]]:
    """The choices at each position; made up where the sender names none (`core/confusion.py`)."""
    if lattice.positions:
        return [_filled(position) for position in lattice.positions]
    stated = dict(lattice.candidates).get(lattice.best, UNSTATED if not lattice.candidates else _LEAST)
    certainty = max(stated, _LEAST) ** (1 / len(lattice.best))
    return [choices(character, certainty) for character in lattice.best]


def _filled(position: tuple[tuple[str, float], ...]) -> Sequence[tuple[str, float]]:
    if len(position) == 1 and position[0][1] < _CERTAIN:
        return choices(*position[0])
    return position


def _texts(lattice: Lattice) -> Iterable[tuple[tuple[int, int, int], float]]:
    """The whole texts, packed, with their probability."""
    return ((packed(text), value) for text, value in lattice.candidates if value > 0)


class _States(NamedTuple):
    """The columns of a batch that are about states."""

    start: Starts
    code: npt.NDArray[np.uint16]
    share: Floats
    rest: Floats


def _states(sightings: Sequence[Sighting]) -> _States:
    """The named states with their probability, the most probable first, and that of each other one.

    Where no state is named, a country is: all countries are code 0, which is no entry's state here. A state
    that is named twice (by two codes) has the sum.
    """
    counts = np.array([len(one.states) for one in sightings], dtype=np.int64)
    code = np.array([_state_code(state) for one in sightings for state, _ in one.states], dtype=np.int64)
    share = np.array([share for one in sightings for _, share in one.states], dtype=np.float64)
    row = np.repeat(np.arange(len(sightings)), counts)
    named = np.bincount(row, share, minlength=len(sightings))
    rest = np.maximum(np.maximum(0.0, 1.0 - named) / _OTHER_STATES, _LEAST)
    rest[counts == 0] = 0.0
    keys, first, same = np.unique(row * SHORT_CODES + code, return_index=True, return_inverse=True)
    total = np.bincount(same, share, minlength=len(keys))
    order = np.lexsort((first, -total, keys // SHORT_CODES))
    keys = keys[order]
    start = np.zeros(len(sightings) + 1, np.int32)
    np.cumsum(np.bincount(keys // SHORT_CODES, minlength=len(sightings)), out=start[1:])
    codes = (keys % SHORT_CODES).astype(np.uint16)
    return _States(start, codes, total[order].astype(np.float32), rest.astype(np.float32))


@lru_cache(maxsize=SHORT_CODES)
def _state_code(state: str) -> int:
    """The number of a state's code; for the texts of two letters that have passed the door, and for none."""
    return same_state(short_code(state))


def _types(sightings: Sequence[Sighting]) -> Floats:
    shares = np.ones((len(sightings), plate_type.CLASSES * 2), np.float32)
    for row, one in enumerate(sightings):
        if one.plate_types:
            shares[row, 1 : plate_type.CLASSES] = _LEAST_TYPE
            for number, share in one.plate_types:
                if 0 < number < plate_type.CLASSES:
                    shares[row, number] = max(share, _LEAST_TYPE)
            usual = [plate_type.STANDARD, plate_type.SPECIALTY]
            shares[row, usual] = min(1.0, float(shares[row, usual].sum()))
    return shares


def _starts(rows: Sequence[Sequence[object]]) -> Starts:
    starts = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return starts


def _logs(values: Sequence[float]) -> Floats:
    return np.log(np.maximum(np.array(values, dtype=np.float64), _LEAST)).astype(np.float32)
