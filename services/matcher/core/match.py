"""Compares reads with hot lists (ENF-051 IV.C.1). A match is a lead, never a fact (IV.C.2)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.matcher.core.batch import Batch, batch_of
from services.matcher.core.budget import least_of, ratio_for, surer
from services.matcher.core.confusion import look_alike
from services.matcher.core.doubts import DISAGREEMENTS, PLATE_DISAGREES, Doubt, doubts_of
from services.matcher.core.entry import Entry
from services.matcher.core.index import ENCODED, Index, ListHeader, Tier
from services.matcher.core.search import Lists, search
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Sighting
from services.matcher.core.wildcard import fits, is_wildcard


class Label(enum.IntEnum):
    """How the plate read is like the listed one; the numbers are those of alpr.type.v1.MatchLabel."""

    EXACT = 1
    """Letter for letter, as the source encodes it."""
    EQUIVALENT = 2
    """The same but for characters that look alike (0 O Q D, 1 I L, 8 B, 5 S, 2 Z, 6 G)."""
    LATTICE = 3
    """Another text that the read may bear, by the probabilities of its characters."""
    PARTIAL = 4
    """The listed plate has characters that are not known."""


class Grade(enum.IntEnum):
    """What a match is good for; the numbers are those of alpr.type.v1.MatchGrade."""

    SOUND = 1
    """Within the false-alarm budget of its list."""
    CHECK = 2
    """To be looked at; it never sounds."""


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that a read may be, with the probability that it is, 0 to 1."""

    header: ListHeader
    entry: Entry
    probability: float
    label: Label
    grade: Grade
    doubts: tuple[Doubt, ...]


def find_matches(
    sighting: Sighting, index: Index, allowed: frozenset[int], now: datetime, settings: MatchSettings
) -> tuple[Match, ...]:
    """Every entry that the read may be, most probable first; one read may match many (IV.C.1).

    A plate that is listed as it was read is dropped for its state alone, however unsure the reader was of its
    characters.

    Args:
        sighting: The read.
        index: The lists in memory.
        allowed: Numbers of the lists that the read may be compared with (`core/scope.py`).
        now: What ages, and what has expired, is counted to this moment.
        settings: How bold matching is.
    """
    return find_all([sighting], index, [allowed], now, settings)[0]


def find_all(
    sightings: Sequence[Sighting],
    index: Index,
    allowed: Sequence[frozenset[int]],
    now: datetime,
    settings: MatchSettings,
) -> list[tuple[Match, ...]]:
    """For every sighting what `find_matches` says; many at a time cost less. `allowed` is one for each."""
    matches: list[list[Match]] = [[] for _ in sightings]
    scopes = {numbers: place for place, numbers in enumerate(dict.fromkeys(allowed))}
    if any(scopes):
        batch = batch_of(sightings, [scopes[numbers] for numbers in allowed])
        for tier in index.tiers:
            for (read, row), ratio in _found(batch, tier, index, [*scopes], settings).items():
                place, local_row = tier.table.place_of(row)
                # A small list cannot spend its share of the budget, so it takes none from the others.
                sharing = len(allowed[read].intersection(index.tiers[0].numbers))
                judge = _Judge(sightings[read], index, tier.numbers[place], sharing, now, settings)
                matches[read].extend(judge.match(local_row, ratio))
    return [
        tuple(sorted(one, key=lambda match: (-match.probability, match.entry.entry_id))) for one in matches
    ]


def _found(
    batch: Batch, tier: Tier, index: Index, scopes: Sequence[frozenset[int]], settings: MatchSettings
) -> dict[tuple[int, int], float]:
    """Ratio by read and row of the tier's table."""
    if not len(tier.table):
        return {}
    counts = [index.lists[number].entries.entry_count for number in tier.numbers]
    factors = [index.lists[number].header.tuning.checked for number in tier.numbers]
    shown = [
        max(
            ratio_for(settings.budget.checked * factor, count, index.grammar.usual),
            settings.least_ratio / min(1.0, factor),
        )
        for factor, count in zip(factors, counts, strict=True)
    ]
    least = np.array(shown, np.float32)
    allowed = np.array([[number in one for number in tier.numbers] for one in scopes], dtype=np.uint8)
    if not allowed.any():
        return {}
    knobs = settings.knobs(float(least[allowed.any(axis=0)].min()))
    found = search(batch, tier.table, Lists(allowed, least), index.grammar, knobs)
    ratios: dict[tuple[int, int], float] = {}
    for read, row, ratio in zip(found.read.tolist(), found.row.tolist(), found.ratio.tolist(), strict=True):
        # Two texts of a read lead to one row where its source writes O as 0: the plate bears either.
        ratios[read, row] = ratios.get((read, row), 0.0) + ratio
    return ratios


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says what one read and one list have with each other; `sharing` large lists share the budget of all."""

    sighting: Sighting
    index: Index
    number: int
    sharing: int
    now: datetime
    settings: MatchSettings

    def match(self, row: int, ratio: float) -> tuple[Match, ...]:
        """The match with a row, unless that or its list has expired."""
        one = self.index.lists[self.number]
        header, entry = one.header, one.entries.columns.entry(row)
        if any(end is not None and end <= self.now for end in (header.expires_at, entry.expires_at)):
            return ()
        read = self.sighting.lattice.best
        label = _label(entry.plate, read, header)
        # What is found of a plate with "?" is a probability already.
        probability = min(1.0, ratio) if label is Label.PARTIAL else self.settings.probability(ratio)
        exact = label is Label.EXACT or (label is Label.PARTIAL and fits(entry.plate, read))
        doubts = doubts_of(self.sighting, header, entry, self.now, exact=exact)
        return (Match(header, entry, probability, label, self._grade(label, probability, doubts), doubts),)

    def _grade(self, label: Label, probability: float, doubts: tuple[Doubt, ...]) -> Grade:
        """SOUND within the budget; what is inexact and disagrees besides is for people's eyes."""
        budget = self.settings.budget
        if label is Label.PARTIAL or (label is not Label.EXACT and DISAGREEMENTS & set(doubts)):
            return Grade.CHECK
        one = self.index.lists[self.number]
        factor, entries = one.header.tuning.sounding, one.entries.entry_count
        per_million = budget.sounding_of_one(self.sharing) * factor
        ratio = ratio_for(per_million, entries, self.index.grammar.usual)
        least = max(self.settings.probability(ratio), least_of(factor))
        if label is not Label.EXACT or PLATE_DISAGREES & set(doubts):
            least = max(least, surer(budget.least_sounding, factor))
        elif Doubt.STATE_UNKNOWN not in doubts:
            least = min(least, surer(budget.exact, factor))
        return Grade.SOUND if probability >= least else Grade.CHECK


def _label(listed: str, read: str, header: ListHeader) -> Label:
    if is_wildcard(listed):
        return Label.PARTIAL
    if header.source in ENCODED:
        listed, read = listed.replace("O", "0"), read.replace("O", "0")
    if listed == read:
        return Label.EXACT
    return Label.EQUIVALENT if look_alike(listed, read) else Label.LATTICE
