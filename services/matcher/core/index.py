"""The hot lists in memory: every list packed by itself, and two tables over all of them.

Large lists share one table, which is made anew when one of them changes; small lists, local ones among
them, share another, which is made anew in a moment: an urgent entry does not wait for ten million others.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.matcher.core.columns import Columns, columns_of
from services.matcher.core.entry import Entry, Source
from services.matcher.core.grammar import Grammar, grammar_of
from services.matcher.core.packed import packed
from services.matcher.core.scope import Scope
from services.matcher.core.table import Segment, Table
from services.matcher.core.tuning import UNTUNED, Tuning

# NCIC writes the letter O as zero, and LEADS passes NCIC's records on: a 0 in such a list may be an O on
# the plate.
ENCODED: Final = frozenset({Source.NCIC, Source.LEADS})
SMALL_LIST: Final = 20_000
"""Lists of more entries are in the table of the large ones."""


@dataclass(frozen=True, slots=True)
class ListHeader:
    """An active list and version, as hits show them (ENF-051 II.D).

    Attributes:
        version: Grows with every change of the list's content; list and version together never change theirs.
        upload_time: When the content was received; the list's age counts from it.
        expires_at: From this second on the whole list matches nothing; None when it does not expire.
        is_local: True for a local list (`core/local.py`).
        sensor_id: The one sensor whose reads it is compared with; empty for all that scope lets in.
        tuning: How far the estimate of its false alarms is believed (`core/tuning.py`).
    """

    hot_list_id: uuid.UUID
    name: str
    agency_ori: str
    source: Source
    version: int
    upload_time: datetime
    activated_at: datetime
    expires_at: datetime | None = None
    is_local: bool = False
    sensor_id: str = ""
    tuning: Tuning = UNTUNED


class ListIndex:
    """The entries of one version of one list. Never changes once it is made."""

    __slots__ = ("columns", "entry_count", "plate_count")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.entry_count = len(columns)
        self.plate_count = columns.plate_count
        """Distinct plates; O and 0 are one."""

    def find(self, plate: str) -> tuple[Entry, ...]:
        """The entries of a plate without "?"; O and 0 are one."""
        return tuple(self.columns.entry(row) for row in self.columns.rows_of(packed(plate)[0]))


class ListIndexBuilder:
    """Makes a ListIndex from entries that come in parts."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds `entries`."""
        self._entries.extend(entries)

    def build(self) -> ListIndex:
        """The index of all that was added; the builder is of no more use."""
        return ListIndex(columns_of(self._entries))


@dataclass(frozen=True, slots=True)
class ActiveList:
    """A list that reads are compared with."""

    header: ListHeader
    entries: ListIndex


@dataclass(frozen=True, slots=True)
class Tier:
    """A table over some of the lists; `numbers` are theirs in the index, in the order of its segments."""

    table: Table
    numbers: tuple[int, ...]


class Index:
    """All active lists at one revision. A list's number is its place in `lists`, in this index only.

    Making one takes a while and no lock; `like`, the index before it, gives it what has not changed.
    """

    __slots__ = ("grammar", "headers", "lists", "load_time", "revision", "scope", "tiers")

    def __init__(  # noqa: PLR0913, PLR0917 - what an index is made of
        self,
        revision: int,
        load_time: datetime,
        lists: tuple[ActiveList, ...],
        scope: Scope | None = None,
        like: Index | None = None,
        home_state: str = "IL",
    ) -> None:
        self.revision = revision
        self.load_time = load_time
        self.lists = lists
        self.scope = scope or Scope()
        self.headers = tuple(one.header for one in lists)
        """The header of every list, by number."""
        order = sorted(range(len(lists)), key=lambda number: lists[number].header.hot_list_id)
        large = [number for number in order if lists[number].entries.entry_count > SMALL_LIST]
        small = [number for number in order if lists[number].entries.entry_count <= SMALL_LIST]
        self.tiers: tuple[Tier, Tier] = (
            _tier(lists, large, like.tiers[0] if like else None),
            _tier(lists, small, like.tiers[1] if like else None),
        )
        self.grammar = _grammar(self.tiers[0].table, like, home_state)

    def loaded(self) -> Mapping[tuple[uuid.UUID, int], ListIndex]:
        """What is in memory by list and version, so that the next index makes only what is new."""
        return {(one.header.hot_list_id, one.header.version): one.entries for one in self.lists}

    @property
    def entry_count(self) -> int:
        """Entries over all lists."""
        return sum(one.entries.entry_count for one in self.lists)

    @property
    def plate_count(self) -> int:
        """Distinct plates of each list, summed over all lists."""
        return sum(one.entries.plate_count for one in self.lists)

    @property
    def index_bytes(self) -> int:
        """Memory of the tables, without the entries."""
        return sum(tier.table.index_bytes for tier in self.tiers)


def _tier(lists: Sequence[ActiveList], numbers: Sequence[int], before: Tier | None) -> Tier:
    segments = [
        Segment(lists[number].entries.columns, lists[number].header.source in ENCODED) for number in numbers
    ]
    if before is not None and _same(before.table.segments, segments):
        return Tier(before.table, tuple(numbers))
    return Tier(Table(segments), tuple(numbers))


def _same(before: Sequence[Segment], now: Sequence[Segment]) -> bool:
    return len(before) == len(now) and all(
        one.columns is other.columns and one.is_encoded == other.is_encoded
        for one, other in zip(before, now, strict=True)
    )


def _grammar(large: Table, like: Index | None, home_state: str) -> Grammar:
    """The grammar; it follows the large lists, a few plates more or less say nothing of plates."""
    if like is not None and like.tiers[0].table is large:
        return like.grammar
    return grammar_of((one.columns for one in large.segments), home_state)
