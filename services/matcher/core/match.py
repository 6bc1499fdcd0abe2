"""Compares a read with hot lists (ENF-051 IV.C.1). A match is a lead, never a fact (IV.C.2)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.matcher.core.entry import Entry, Source
from services.matcher.core.index import ActiveList, Index, ListHeader
from services.matcher.core.lattice import Lattice, folded_o

# NCIC writes the letter O as zero, and LEADS passes NCIC's records on: a 0 in such a list may be an O on the
# plate. I and 1 are only hard to see apart, so a match by them keeps its warning.
_ENCODED: Final = frozenset({Source.NCIC, Source.LEADS})
# How long after its upload a list is what its source says. The federal and state crime files come at least
# daily; for motor carrier data a week is assumed.
UPDATE_PERIOD: Final[Mapping[Source, timedelta]] = {
    Source.NCIC: timedelta(days=1),
    Source.LEADS: timedelta(days=1),
    Source.SOS: timedelta(days=7),
    Source.AGENCY: timedelta(days=30),
    Source.FEDERAL_DOT: timedelta(days=7),
    Source.ICC: timedelta(days=7),
}
LATE: Final = timedelta(minutes=15)
# Probability that the plate is of the listed state when either side does not say. Assumed, not measured: high
# enough to keep the match, low enough to stand behind one whose state was read.
_STATE_PRIOR: Final = 0.5
# States and countries among which the probability is spread that a read gives to none by name.
_OTHER_STATES: Final = 60
# The NCIC table's code for Nebraska is NB; cameras and people write NE.
_SAME_STATE: Final = {"NE": "NB"}


class Doubt(enum.IntEnum):
    """A reason to doubt a match; the numbers are those of alpr.type.v1.HitWarning."""

    LOOK_ALIKE = 1
    STATE_MISMATCH = 2
    STATE_UNKNOWN = 3
    OLD_LIST = 4
    LATE_CAPTURE = 5
    PLATE_TYPE_MISMATCH = 6
    VEHICLE_MISMATCH = 7
    OLD_ENTRY = 8


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
class Sighting:
    """What matching needs of a read: no place, no picture.

    Attributes:
        states: Issuing states with their probability, highest first; empty when nothing is known.
        plate_types: Types of plate (alpr.type.v1.PlateType) with their probability; empty likewise.
    """

    lattice: Lattice
    states: tuple[tuple[str, float], ...]
    capture_time: datetime
    plate_types: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How bold matching is.

    Attributes:
        minimum: Least probability of a match, above 0.
    """

    minimum: float = 0.001


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that a read may be, with the probability that it is, 0 to 1."""

    header: ListHeader
    entry: Entry
    probability: float
    label: Label
    grade: Grade
    doubts: tuple[Doubt, ...]


def find_all(
    sightings: Sequence[Sighting],
    index: Index,
    allowed: Sequence[frozenset[int]],
    now: datetime,
    settings: MatchSettings,
) -> list[tuple[Match, ...]]:
    """For every sighting what `find_matches` says; many at a time cost less. `allowed` is one for each."""
    pairs = zip(sightings, allowed, strict=True)
    return [find_matches(sighting, index, numbers, now, settings) for sighting, numbers in pairs]


def find_matches(
    sighting: Sighting, index: Index, allowed: frozenset[int], now: datetime, settings: MatchSettings
) -> tuple[Match, ...]:
    """Every entry that the read may be, most probable first; one read may match many (IV.C.1).

    An entry is kept when P(text) * P(state) is at least `settings.minimum`, where the best text counts as
    certain: a plate that is listed as read is dropped for its state alone.

    Args:
        sighting: The read.
        index: The lists in memory.
        allowed: Numbers of the lists that the read may be compared with (`core/scope.py`).
        now: What ages, and what has expired, is counted to this moment.
        settings: How bold matching is.
    """
    minimum = settings.minimum
    lattice = sighting.lattice.folded()
    texts = [(text, lattice.probability(text)) for text in lattice.likely(minimum)]
    lists = [index.lists[number] for number in sorted(allowed)]
    live = [one for one in lists if one.header.expires_at is None or now < one.header.expires_at]
    found = [match for one in live for match in _in_list(sighting, one, texts, now, minimum)]
    return tuple(sorted(found, key=lambda match: (-match.probability, match.entry.entry_id)))


def _in_list(
    sighting: Sighting, one: ActiveList, texts: Iterable[tuple[str, float]], now: datetime, minimum: float
) -> Iterator[Match]:
    """The matches of one list; `texts` are folded texts of the read with their probability."""
    encoded = one.header.source in _ENCODED
    for text, folded_probability in texts:
        for entry in one.entries.find(text):
            if entry.expires_at and entry.expires_at <= now:
                continue
            exact = _reads_as(entry.plate, sighting.lattice.best, encoded)
            likely = folded_probability if encoded else sighting.lattice.probability(entry.plate)
            state = _state_probability(sighting.states, entry.state)
            if (1.0 if exact else likely) * state >= minimum:
                doubts = _doubts(sighting, one.header, entry, exact, now)
                label = Label.EXACT if exact else Label.LATTICE
                grade = Grade.SOUND if exact else Grade.CHECK
                yield Match(one.header, entry, likely * state, label, grade, doubts)


def _reads_as(listed: str, read: str, encoded: bool) -> bool:
    return listed == read or (encoded and folded_o(listed) == folded_o(read))


def _state_probability(states: tuple[tuple[str, float], ...], listed: str) -> float:
    if not states or not listed:
        return _STATE_PRIOR
    named = sum(value for state, value in states if _same(state) == _same(listed))
    unnamed = max(0.0, 1.0 - sum(value for _, value in states)) / _OTHER_STATES
    return min(1.0, named or unnamed)


def _doubts(
    sighting: Sighting, header: ListHeader, entry: Entry, exact: bool, now: datetime
) -> tuple[Doubt, ...]:
    state_known = bool(sighting.states and entry.state)
    raised = {
        Doubt.LOOK_ALIKE: not exact,
        Doubt.STATE_MISMATCH: state_known and _same(sighting.states[0][0]) != _same(entry.state),
        Doubt.STATE_UNKNOWN: not state_known,
        # A list that is activated again is as old as its upload.
        Doubt.OLD_LIST: now - header.upload_time > UPDATE_PERIOD[header.source],
        Doubt.LATE_CAPTURE: now - sighting.capture_time > LATE,
    }
    return tuple(doubt for doubt, holds in raised.items() if holds)


def _same(state: str) -> str:
    return _SAME_STATE.get(state, state)
