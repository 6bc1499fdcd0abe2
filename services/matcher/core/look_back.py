"""Look-back: which reads of the last hours are asked for after a change of the hot lists (ENF-051 II.D)."""

from __future__ import annotations

import enum
import itertools
import string
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.matcher.core.wildcard import ANY

MOST_TEXTS: Final = 200_000
"""Texts that are asked for one by one; a change that needs more of them asks for every read."""
MOST_PLATES: Final = 2_000
"""Plates that are spelt out at all. Already some 330 of usual length are more than MOST_TEXTS."""
_LONGEST: Final = 12
_CHARACTERS: Final = string.ascii_uppercase + string.digits
# What matching takes for equivalent, several in one plate included.
_LOOK_ALIKE: Final = {one: group for group in ("0OQD", "1IL", "8B", "5S", "2Z", "6G") for one in group}
_MOST_LOOK_ALIKES: Final = 1_000


class ChangeKind(enum.IntEnum):
    """What happened to a list; numbers as in matcher.look_back."""

    VERSION = 1
    ENTRY_ADDED = 2
    ENTRY_ENDED = 3
    ENTRY_EXPIRED = 4
    LIST_EXPIRED = 5
    ENTRIES_EXPIRED = 6


URGENT: Final = frozenset({ChangeKind.ENTRY_ADDED, ChangeKind.ENTRY_ENDED, ChangeKind.ENTRY_EXPIRED})
"""Changes of a single entry; they wait for no list of millions."""


@dataclass(frozen=True, slots=True)
class ListChange:
    """A change of the hot lists, and how far what follows from it has got.

    Attributes:
        revision: Revision that it made.
        changed_id: The list, or the entry of a local list.
        intent_id: The recorded act that it was.
        version: The version that took the place of `previous_version`; 0 is none.
        end_reason: Why an entry ended (`core/local.py`, EndReason); 0 for the other kinds.
        pass_count: Passes that were completed.
        since: Of entries that ran out: those that did so after this moment.
    """

    revision: int
    kind: ChangeKind
    hot_list_id: uuid.UUID
    changed_id: uuid.UUID
    intent_id: uuid.UUID
    version: int
    previous_version: int
    end_reason: int
    changed_at: datetime
    pass_count: int
    since: datetime | None = None


def texts_to_ask(patterns: Iterable[str]) -> tuple[str, ...] | None:
    """Every text that a plate of `patterns` is likely to have been read as, sorted; None for too many.

    Those are the plate itself, all of its look-alikes, and every text with one character changed, dropped or
    added. A pattern with wildcards stands for the plates that it matches, as they are.
    """
    texts: set[str] = set()
    for pattern in patterns:
        if 36 ** pattern.count(ANY) > MOST_TEXTS:
            return None
        texts.update(_spelt_out(pattern) if ANY in pattern else _near(pattern))
        if len(texts) > MOST_TEXTS:
            return None
    return tuple(sorted(texts))


def _spelt_out(pattern: str) -> Iterator[str]:
    places = (_CHARACTERS if one == ANY else one for one in pattern)
    return map("".join, itertools.product(*places))


def _near(plate: str) -> Iterator[str]:
    alike = itertools.product(*(_LOOK_ALIKE.get(one, one) for one in plate))
    yield plate
    yield from map("".join, itertools.islice(alike, _MOST_LOOK_ALIKES))
    for place in range(len(plate) + 1):
        before, after = plate[:place], plate[place:]
        if after:
            yield from (before + other + after[1:] for other in _CHARACTERS)
        if after and len(plate) > 1:
            yield before + after[1:]
        if len(plate) < _LONGEST:
            yield from (before + other + after for other in _CHARACTERS)
