"""Where the entries of a plate stand: one open-address table over the entries of several lists.

An entry takes 22 to 24 bytes: 12 in the table, of which five eighths are filled, and 4 for its tag. The tag
holds what a search must know of an entry before it is worth looking at: state, plate type, where the letter
O is, and whether the next row has the same plate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core import plate_type
from services.matcher.core.columns import Columns
from services.matcher.core.compiled import compiled
from services.matcher.core.packed import NEBRASKA, Keys

_FILLED: Final = 0.625
_SPREAD: Final = 0x9E3779B97F4A7C15
# The parts of a tag, from its lowest bit.
STATE_BITS: Final = 11
TYPE_AT: Final = STATE_BITS
TYPE_BITS: Final = 4
MASK_AT: Final = TYPE_AT + TYPE_BITS
MORE_AT: Final = MASK_AT + 12


class TableArrays(NamedTuple):
    """What the search sees of a table.

    Attributes:
        slot_key: Keys, 0 in an empty slot.
        slot_row: The first of the rows with that key, within its segment.
        tag: One a row.
        segment_start: The row at which each list begins, and at the end the number of rows.
        is_encoded: Per list, 1 when its source writes O as 0.
        wild_code: (w, 12) codes of the plates with "?", of all lists.
        wild_row: The row of each.
    """

    slot_key: Keys
    slot_row: npt.NDArray[np.uint32]
    tag: npt.NDArray[np.uint32]
    segment_start: npt.NDArray[np.int64]
    is_encoded: npt.NDArray[np.uint8]
    wild_code: npt.NDArray[np.uint8]
    wild_row: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries of one list, and whether its source writes O as 0."""

    columns: Columns
    is_encoded: bool


class Table:
    """The table over `segments`. Never changes once it is made."""

    __slots__ = ("arrays", "segments")

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = tuple(segments)
        columns = [one.columns for one in self.segments]
        starts = np.cumsum([0, *(len(one) for one in columns)], dtype=np.int64)
        if starts[-1] >= np.iinfo(np.uint32).max:
            raise ValueError("too many entries for one table")
        distinct = sum(one.plate_count - len(one.wild) for one in columns)
        slots = int(distinct / _FILLED) + 2
        self.arrays = TableArrays(
            slot_key=np.zeros(slots, np.uint64),
            slot_row=np.zeros(slots, np.uint32),
            tag=np.empty(int(starts[-1]), np.uint32),
            segment_start=starts,
            is_encoded=np.array([one.is_encoded for one in self.segments], dtype=np.uint8),
            wild_code=_joined([one.wild for one in columns]),
            wild_row=_wild_rows(columns, starts),
        )
        for one, start in zip(columns, starts[:-1], strict=True):
            tags = self.arrays.tag[start : start + len(one)]
            _write_tags(one.key, one.o_mask, one.state, plate_type.classes_of(one.plate_type), tags)
            _insert(one.key, int(start), len(one.wild), self.arrays.slot_key, self.arrays.slot_row)

    def __len__(self) -> int:
        return len(self.arrays.tag)

    @property
    def index_bytes(self) -> int:
        """Memory of slots and tags."""
        arrays = self.arrays
        return int(arrays.slot_key.nbytes + arrays.slot_row.nbytes + arrays.tag.nbytes)

    def place_of(self, row: int) -> tuple[int, int]:
        """The place of the row's list in `segments`, and the row's number within it."""
        starts = self.arrays.segment_start
        segment = int(np.searchsorted(starts, row, side="right")) - 1
        return segment, row - int(starts[segment])


def _joined(wild: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    return np.concatenate([np.zeros((0, 12), np.uint8), *wild])


def _wild_rows(columns: Sequence[Columns], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    rows = [np.arange(len(one.wild)) + start for one, start in zip(columns, starts[:-1], strict=True)]
    return np.concatenate([np.zeros(0, np.int64), *rows])


@compiled
def _write_tags(
    keys: Keys,
    o_masks: npt.NDArray[np.uint16],
    states: npt.NDArray[np.uint16],
    classes: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint32],
) -> None:
    count = len(keys)
    for row in range(count):
        state = states[row] if states[row] != NEBRASKA[0] else NEBRASKA[1]
        more = 1 if row + 1 < count and keys[row + 1] == keys[row] else 0
        tags[row] = (
            np.uint32(state)
            | np.uint32(classes[row]) << np.uint32(TYPE_AT)
            | np.uint32(o_masks[row]) << np.uint32(MASK_AT)
            | np.uint32(more) << np.uint32(MORE_AT)
        )


@compiled
def first_slot(key: np.uint64, slots: int) -> int:
    """The slot at which the search for a key begins."""
    spread = key * np.uint64(_SPREAD)
    # Signed, because signed and unsigned numbers together are fractions to the compiler.
    return int(np.int64(((spread >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32)))


@compiled
def _insert(keys: Keys, start: int, first: int, slot_keys: Keys, slot_rows: npt.NDArray[np.uint32]) -> None:
    """Enters the first row of every key. A key that two lists have takes two slots."""
    for row in range(first, len(keys)):
        key = keys[row]
        if row > first and keys[row - 1] == key:
            continue
        slot = first_slot(key, len(slot_keys))
        while slot_keys[slot] != np.uint64(0):
            slot = slot + 1 if slot + 1 < len(slot_keys) else 0
        slot_keys[slot], slot_rows[slot] = key, np.uint32(start + row)
