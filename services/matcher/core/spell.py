"""The texts that a read may bear, spelt out by compiled code."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core.batch import Batch, Starts
from services.matcher.core.compiled import compiled
from services.matcher.core.grammar import GrammarArrays
from services.matcher.core.packed import BASE, FIRST_LETTER, LETTER_O, LONGEST, ZERO
from services.matcher.core.settings import Knobs

MOST_TEXTS: Final = 2048
"""Texts that are spelt out of one read, at most."""
# Characters that readers invent: bolts, frames and the gap between groups look like them.
_ONE: Final = 2
_LETTER_I: Final = 19
_NARROW_SHARE: Final = 0.4
_OTHER_SHARE: Final = (1 - 2 * _NARROW_SHARE) / 34


class Texts(NamedTuple):
    """Texts of one read, packed, with their probability."""

    key: npt.NDArray[np.uint64]
    mask: npt.NDArray[np.int32]
    pattern: Starts
    chance: npt.NDArray[np.float32]


class Path(NamedTuple):
    """Where the spelling of a read stands: one element a place."""

    rest: npt.NDArray[np.float32]
    choice: Starts
    last: Starts
    log: npt.NDArray[np.float32]
    key: npt.NDArray[np.uint64]
    mask: Starts
    pattern: Starts


def new_texts() -> Texts:
    """Room for the texts of one read."""
    return Texts(
        np.zeros(MOST_TEXTS, np.uint64),
        np.zeros(MOST_TEXTS, np.int32),
        np.zeros(MOST_TEXTS, np.int32),
        np.zeros(MOST_TEXTS, np.float32),
    )


def new_path() -> Path:
    """Room for one path."""
    room = LONGEST + 1
    return Path(
        np.zeros(room, np.float32),
        np.zeros(room, np.int32),
        np.zeros(room, np.int32),
        np.zeros(room, np.float32),
        np.zeros(room, np.uint64),
        np.zeros(room, np.int32),
        np.ones(room, np.int32),
    )


@compiled
def _add(  # noqa: PLR0913, PLR0917 - compiled
    texts: Texts, count: int, key: np.uint64, mask: int, pattern: int, log: float
) -> int:
    """Adds a text where there is room; returns how many there are."""
    if count >= MOST_TEXTS:
        return count
    texts.key[count], texts.mask[count] = key, mask
    texts.pattern[count], texts.chance[count] = pattern, math.exp(log)
    return count + 1


@compiled
def spell(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    read: int,
    grammar: GrammarArrays,
    slack: float,
    unexplained: float,
    path: Path,
    texts: Texts,
) -> int:
    """Writes every text whose characters are on the read to `texts`, the best one first; returns how many.

    A branch ends where even the best rest, in the best pattern, weighs less than the least share of what
    the texts weigh so far and what is not yet spelt out will weigh at least.
    """
    first = batch.position_start[read]
    length = batch.position_start[read + 1] - first
    _begin(batch, first, length, path)
    floor = np.float32(-np.inf)
    weight, explained = 0.0, 0.0
    count, place = 0, 0
    while place >= 0:
        at = path.choice[place]
        log = path.log[place] + (batch.choice_log[at] if at < path.last[place] else np.float32(-np.inf))
        if (
            log + path.rest[place + 1] + grammar.bound[length, path.pattern[place]] < floor
            or at >= path.last[place]
        ):
            # The choices come in the order of their probability: none of the others is better.
            place -= 1
            continue
        path.choice[place] += 1
        code = batch.choice_code[at]
        pattern = path.pattern[place] * 2 + (1 if code >= FIRST_LETTER else 0)
        if log + path.rest[place + 1] + grammar.bound[length, pattern] < floor:
            continue
        is_o = code == LETTER_O
        key = path.key[place] * np.uint64(BASE) + np.uint64(ZERO if is_o else code)
        mask = path.mask[place] | (1 << place if is_o else 0)
        if place + 1 < length:
            place += 1
            path.log[place], path.key[place], path.mask[place], path.pattern[place] = log, key, mask, pattern
            path.choice[place] = batch.choice_start[first + place]
            path.last[place] = batch.choice_start[first + place + 1]
            continue
        count = _add(texts, count, key, mask, pattern, log)
        if count == MOST_TEXTS:
            break
        explained += texts.chance[count - 1]
        weight += texts.chance[count - 1] * grammar.density[0, pattern]
        floor = np.float32(math.log(weight + max(0.0, 1.0 - explained) * unexplained + 1e-30) - slack)
    return count


@compiled
def _begin(batch: Batch, first: int, length: int, path: Path) -> None:
    """Sets the path to its start."""
    path.rest[length] = 0
    for place in range(length - 1, -1, -1):
        path.rest[place] = path.rest[place + 1] + batch.choice_log[batch.choice_start[first + place]]
    path.choice[0] = batch.choice_start[first]
    path.last[0] = batch.choice_start[first + 1]


@compiled
def add_whole(batch: Batch, read: int, texts: Texts, count: int) -> int:
    """Adds the whole texts that came with the read; of two probabilities of a text the higher counts."""
    for at in range(batch.text_start[read], batch.text_start[read + 1]):
        known = -1
        for place in range(count):
            if texts.key[place] == batch.text_key[at] and texts.mask[place] == batch.text_mask[at]:
                known = place
                break
        if known >= 0:
            texts.chance[known] = max(texts.chance[known], math.exp(batch.text_log[at]))
            continue
        key, mask = batch.text_key[at], batch.text_mask[at]
        count = _add(texts, count, key, mask, batch.text_pattern[at], batch.text_log[at])
    return count


@compiled
def add_slips(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    read: int,
    grammar: GrammarArrays,
    slack: float,
    knobs: Knobs,
    path: Path,
    texts: Texts,
    count: int,
) -> int:
    """Adds the texts that the best one comes from when the reader dropped or invented one character.

    A text of a usual pattern outweighs all of them; then none is looked at.
    """
    first = batch.position_start[read]
    length = batch.position_start[read + 1] - first
    weight = 1e-30
    for place in range(count):
        weight += texts.chance[place] * grammar.density[0, texts.pattern[place]]
    floor = math.log(weight) - slack
    log = path.rest[0] + math.log(knobs.invented)
    if length > 1 and log + grammar.bound[length - 1, 1] >= floor:
        count = _without_one(batch, first, length, grammar, floor, log - math.log(length), texts, count)
    log = path.rest[0] + math.log(knobs.dropped / (length + 1))
    if length < LONGEST and log + grammar.bound[length + 1, 1] >= floor:
        count = _with_one(batch, first, length, grammar, floor - log, log, texts, count)
    return count


@compiled
def _without_one(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    first: int,
    length: int,
    grammar: GrammarArrays,
    floor: float,
    log: float,
    texts: Texts,
    count: int,
) -> int:
    """Adds the best text without each one of its characters; `log` is for one of them, whichever it is."""
    for left_out in range(length):
        at = batch.choice_start[first + left_out]
        gone = batch.choice_code[at]
        if left_out > 0 and gone == batch.choice_code[batch.choice_start[first + left_out - 1]]:
            continue
        share = _NARROW_SHARE if gone in (_ONE, _LETTER_I) else _OTHER_SHARE
        this = log - batch.choice_log[at] + math.log(share)
        key, mask, pattern, place = np.uint64(0), 0, 1, 0
        for other in range(length):
            if other == left_out:
                continue
            code = batch.choice_code[batch.choice_start[first + other]]
            is_o = code == LETTER_O
            key = key * np.uint64(BASE) + np.uint64(ZERO if is_o else code)
            mask |= 1 << place if is_o else 0
            pattern = pattern * 2 + (1 if code >= FIRST_LETTER else 0)
            place += 1
        if this + grammar.prior[pattern] >= floor:
            count = _add(texts, count, key, mask, pattern, this)
    return count


@compiled
def _with_one(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    first: int,
    length: int,
    grammar: GrammarArrays,
    floor: float,
    log: float,
    texts: Texts,
    count: int,
) -> int:
    """Adds the best text with one more character at each place, where that gives a pattern above `floor`."""
    for gap in range(length + 1):
        for is_letter in range(2):
            pattern = _pattern_with(batch, first, length, gap, is_letter)
            if grammar.prior[pattern] < floor:
                continue
            before = batch.choice_code[batch.choice_start[first + gap - 1]] if gap > 0 else 0
            codes = range(FIRST_LETTER, BASE) if is_letter else range(1, FIRST_LETTER)
            for more in codes:
                if more != before:
                    key, mask = _key_with(batch, first, length, gap, more)
                    count = _add(texts, count, key, mask, pattern, log)
    return count


@compiled
def _pattern_with(batch: Batch, first: int, length: int, gap: int, is_letter: int) -> int:
    pattern = 1
    for place in range(length + 1):
        if place == gap:
            pattern = pattern * 2 + is_letter
        if place < length:
            code = batch.choice_code[batch.choice_start[first + place]]
            pattern = pattern * 2 + (1 if code >= FIRST_LETTER else 0)
    return pattern


@compiled
def _key_with(batch: Batch, first: int, length: int, gap: int, more: int) -> tuple[np.uint64, int]:
    """Key and o_mask of the best text with the character `more` before its place `gap`."""
    key, mask = np.uint64(0), 0
    for place in range(length + 1):
        if place == gap:
            code = more
        else:
            code = batch.choice_code[batch.choice_start[first + (place if place < gap else place - 1)]]
        is_o = code == LETTER_O
        key = key * np.uint64(BASE) + np.uint64(ZERO if is_o else code)
        mask |= 1 << place if is_o else 0
    return key, mask
