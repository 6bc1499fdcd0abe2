"""The search itself, compiled: all entries that a batch of reads may be, and how likely.

Every text that a read may bear is looked up (`core/spell.py`), and what is found is weighed: by text, state
and plate type, against all the other texts that it may be.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core.batch import Batch, Floats, Starts
from services.matcher.core.compiled import compiled
from services.matcher.core.grammar import Grammar, GrammarArrays
from services.matcher.core.packed import ANY, LONGEST
from services.matcher.core.settings import LEAST_SLACK, Knobs
from services.matcher.core.spell import Path, Texts, add_slips, add_whole, new_path, new_texts, spell
from services.matcher.core.table import (
    MASK_AT,
    MORE_AT,
    STATE_BITS,
    TYPE_AT,
    TYPE_BITS,
    Table,
    TableArrays,
    first_slot,
)

_STATE: Final = (1 << STATE_BITS) - 1
_TYPE: Final = (1 << TYPE_BITS) - 1
_MASK: Final = (1 << LONGEST) - 1
# States that are looked at to say how usual a pattern is; a read is seldom torn between more.
_STATES_WEIGHED: Final = 3
_FIRST_ROOM: Final = 256
# No reader is so sure that it weighs nothing what else a plate may be.
_LEAST_REST: Final = 1e-6


class Found(NamedTuple):
    """What was found, one element a read, row and text: several texts may lead to one entry.

    Attributes:
        read: Number of the read in its batch.
        row: Row of the table.
        ratio: How likely the read is if it is of this entry, against all else that it may be; see
            MatchSettings. For a plate with "?" the probability that the read fits it.
    """

    read: Starts
    row: npt.NDArray[np.int64]
    ratio: Floats


class Lists(NamedTuple):
    """What the search is told of the lists of a table.

    Attributes:
        allowed: A row for each scope of the batch, a column for each list: 1 where the reads may be
            compared with it.
        least_ratio: Of each list, the ratio below which nothing is told.
    """

    allowed: npt.NDArray[np.uint8]
    least_ratio: Floats


def search(batch: Batch, table: Table, lists: Lists, grammar: Grammar, knobs: Knobs) -> Found:
    """Every row of `table` that a read of `batch` may be, in the order of reads."""
    room = _FIRST_ROOM
    while True:
        found = Found(np.zeros(room, np.int32), np.zeros(room, np.int64), np.zeros(room, np.float32))
        count = _search(batch, table.arrays, lists, grammar.arrays, knobs, new_path(), new_texts(), found)
        if count <= room:
            return Found(found.read[:count], found.row[:count], found.ratio[:count])
        room = count


@compiled
def _search(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    table: TableArrays,
    lists: Lists,
    grammar: GrammarArrays,
    knobs: Knobs,
    path: Path,
    texts: Texts,
    found: Found,
) -> int:
    """Writes what is found as far as there is room; returns how much there is."""
    total = 0
    for read in range(len(batch.scope)):
        unit = _unit(batch, read, grammar)
        slack = max(LEAST_SLACK, knobs.slack + _most_evidence(batch, read, grammar, unit))
        count = spell(batch, read, grammar, slack, knobs.unexplained, path, texts)
        count = add_whole(batch, read, texts, count)
        if knobs.dropped > 0:
            count = add_slips(batch, read, grammar, slack, knobs, path, texts, count)
        weight = _weight(batch, read, grammar, knobs, unit, texts, count)
        for place in range(count):
            slot = first_slot(texts.key[place], len(table.slot_key))
            while table.slot_key[slot] != np.uint64(0):
                if table.slot_key[slot] == texts.key[place]:
                    row = int(np.int64(table.slot_row[slot]))
                    total = _judge(
                        batch,
                        read,
                        table,
                        lists,
                        grammar,
                        knobs,
                        unit,
                        texts,
                        place,
                        weight,
                        row,
                        found,
                        total,
                    )
                slot = slot + 1 if slot + 1 < len(table.slot_key) else 0
        if len(table.wild_row) > 0:
            total = _wild(batch, read, table, lists, knobs, found, total)
    return total


@compiled
def _weight(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch, read: int, grammar: GrammarArrays, knobs: Knobs, unit: float, texts: Texts, count: int
) -> float:
    """What all texts of the read weigh together: how likely each is read so, times how usual it is."""
    weight, explained = 0.0, 0.0
    pattern, usual = 0, 0.0
    for place in range(count):
        if texts.pattern[place] != pattern:
            pattern = texts.pattern[place]
            usual = _usual(batch, read, grammar, unit, pattern)
        explained += texts.chance[place]
        weight += texts.chance[place] * usual
    return weight + max(0.0, 1.0 - explained) * knobs.unexplained


@compiled
def _usual(batch: Batch, read: int, grammar: GrammarArrays, unit: float, pattern: int) -> float:
    """How usual a pattern is on plates of the states that the read may be of."""
    first = batch.state_start[read]
    last = min(batch.state_start[read + 1], first + _STATES_WEIGHED)
    usual, named = 0.0, 0.0
    for at in range(first, last):
        share = batch.state_share[at] * grammar.mix[batch.state_code[at]] / unit
        usual += share * grammar.density[grammar.state_row[batch.state_code[at]], pattern]
        named += share
    return float(usual + max(0.0, 1.0 - named) * grammar.density[0, pattern])


@compiled
def _judge(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch,
    read: int,
    table: TableArrays,
    lists: Lists,
    grammar: GrammarArrays,
    knobs: Knobs,
    unit: float,
    texts: Texts,
    place: int,
    weight: float,
    row: int,
    found: Found,
    total: int,
) -> int:
    """Writes the rows from `row` on that have its plate and may be the read; returns the new total."""
    segment = np.searchsorted(table.segment_start, row, side="right") - 1
    if not lists.allowed[batch.scope[read], segment]:
        return total
    likely = texts.chance[place]
    more = True
    while more:
        tag = table.tag[row]
        more = (tag >> np.uint32(MORE_AT)) & np.uint32(1) != 0
        mask = np.int32((tag >> np.uint32(MASK_AT)) & np.uint32(_MASK))
        row += 1
        if mask != texts.mask[place] and not table.is_encoded[segment]:
            continue
        kind = batch.type_share[read, (tag >> np.uint32(TYPE_AT)) & np.uint32(_TYPE)]
        state = int(np.int64(tag & np.uint32(_STATE)))
        share, evidence = _evidence(batch, read, grammar, unit, state)
        known = state if batch.state_rest[read] != 0 else 0
        usual = grammar.density[grammar.state_row[known], texts.pattern[place]]
        # All else that it may be: the same text on a plate of another state or kind is something else.
        rest = max(weight - likely * share * kind * usual, _LEAST_REST)
        ratio = likely * evidence * kind / rest
        # The best text counts as certain: a plate that is listed as read is dropped for its state alone.
        # Without a state a large list has every text: its budget decides.
        as_read = (
            place == 0
            and batch.state_rest[read] != 0
            and _probability(batch, read, state, knobs) * kind >= knobs.minimum
        )
        if ratio >= lists.least_ratio[segment] or as_read:
            if total < len(found.read):
                found.read[total], found.row[total], found.ratio[total] = read, row - 1, ratio
            total += 1
    return total


@compiled
def _unit(batch: Batch, read: int, grammar: GrammarArrays) -> float:
    """The mean of all states' probabilities, weighed by how much each counts; 1 where nothing is known.

    Against it a state's probability is evidence: a read that is surely not of the home state speaks for
    every other state more than one that may be.
    """
    if batch.state_rest[read] == 0:
        return 1.0
    unit, left = 0.0, 1.0
    for at in range(batch.state_start[read], batch.state_start[read + 1]):
        weight = grammar.mix[batch.state_code[at]]
        unit += batch.state_share[at] * weight
        left -= weight
    return float(unit + batch.state_rest[read] * max(0.0, left))


@compiled
def _most_evidence(batch: Batch, read: int, grammar: GrammarArrays, unit: float) -> float:
    """Logarithm of the evidence for the state that has most, or 0 when that is less."""
    if batch.state_rest[read] == 0:
        return max(0.0, math.log(grammar.blank[0]))
    first = batch.state_start[read]
    if first == batch.state_start[read + 1]:
        return 0.0
    return max(0.0, math.log(batch.state_share[first] / unit))


@compiled
def _probability(batch: Batch, read: int, state: int, knobs: Knobs) -> float:
    """The probability of a state; 0 is a state that the list does not name."""
    if state == 0 or batch.state_rest[read] == 0:
        return knobs.unknown_state
    for at in range(batch.state_start[read], batch.state_start[read + 1]):
        if batch.state_code[at] == state:
            return float(batch.state_share[at])
    return float(batch.state_rest[read])


@compiled
def _evidence(
    batch: Batch, read: int, grammar: GrammarArrays, unit: float, state: int
) -> tuple[float, float]:
    """A state's share among what the read may be besides a listed plate, and the evidence for it."""
    if state == 0:
        # Neither for nor against.
        return 0.0, 1.0
    if batch.state_rest[read] == 0:
        # What passes most speaks for the home state; nothing was seen that speaks against another.
        return float(grammar.blank[state] * grammar.mix[state]), max(1.0, grammar.blank[state])
    for at in range(batch.state_start[read], batch.state_start[read + 1]):
        if batch.state_code[at] == state:
            evidence = batch.state_share[at] / unit
            return evidence * grammar.mix[state], evidence
    evidence = batch.state_rest[read] / unit
    return evidence * grammar.mix[state], evidence


@compiled
def _wild(  # noqa: PLR0913, PLR0917 - compiled
    batch: Batch, read: int, table: TableArrays, lists: Lists, knobs: Knobs, found: Found, total: int
) -> int:
    """The plates with "?" that the read fits, with the probability that it does; returns the new total."""
    first = batch.position_start[read]
    length = batch.position_start[read + 1] - first
    for wild in range(len(table.wild_row)):
        codes = table.wild_code[wild]
        if codes[length - 1] == 0 or (length < LONGEST and codes[length] != 0):
            continue
        chance = 1.0
        for place in range(length):
            if codes[place] != ANY:
                chance *= _chance_of(batch, first + place, codes[place])
                if chance < knobs.minimum:
                    break
        if chance < knobs.minimum:
            continue
        row = table.wild_row[wild]
        segment = np.searchsorted(table.segment_start, row, side="right") - 1
        tag = table.tag[row]
        state = int(np.int64(tag & np.uint32(_STATE)))
        chance *= _probability(batch, read, state, knobs)
        chance *= batch.type_share[read, (tag >> np.uint32(TYPE_AT)) & np.uint32(_TYPE)]
        if lists.allowed[batch.scope[read], segment] and chance >= knobs.minimum:
            if total < len(found.read):
                found.read[total], found.row[total], found.ratio[total] = read, row, chance
            total += 1
    return total


@compiled
def _chance_of(batch: Batch, position: int, code: int) -> float:
    """Probability of a character at a position."""
    for at in range(batch.choice_start[position], batch.choice_start[position + 1]):
        if batch.choice_code[at] == code:
            return math.exp(batch.choice_log[at])
    return 0.0
