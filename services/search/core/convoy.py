"""Convoys: which of the plates that a plate met are companions, and which were only there too (IV.C.3).

The archive finds who passed the same cameras within some seconds, and counts what is usual; here it is
weighed. Two things speak for companionship, and each is compared with chance:

- They met on many journeys. By chance they would meet on `expected_journeys`: on as many as if the other
  plate had made its journeys at the same times of day, on other days of the same kind. Two commuters with the
  same hours are expected to meet, so that they do says little.
- Having met, they stayed together. At every further camera the other plate is there with the probability with
  which it goes on to that camera when it is alone, or, as far as it is not seen alone, with which other
  vehicles do. On a road where everybody goes on to the next camera, that the other one does too says little.

Fisher's method makes one probability of the two. Where staying together says nothing, it would only hide that
they met so often: so that is looked at alone, too, and twice the smaller of both probabilities counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeAlias

from services.search.core.chance import Chance, log_fisher, log_poisson_tail
from services.search.core.likeness import is_one_off

# How many passages of a way must be known before they count more than those of all ways, or of all vehicles.
_PRIOR: Final = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """A passage of the plate that was asked about.

    Attributes:
        journey: Number of the journey that it belongs to.
        around: Different other plates that passed within the seconds of the question.
        stayed: How many of those round the sighting before, in the same journey, are round this one too.
        around_before: How many there were round the sighting before; 0 for the first of a journey.
    """

    sensor_id: str
    time_us: int
    latitude: float
    longitude: float
    place: str
    journey: int
    around: int
    stayed: int
    around_before: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """A sighting at which the companion was there, so many microseconds later (negative: before)."""

    sighting: Sighting
    offset_us: int


@dataclass(frozen=True, slots=True)
class Companion:
    """A plate that was met, and how likely that is by chance."""

    plate: str
    meetings: tuple[Meeting, ...]
    expected_journeys: float
    chance: Chance
    may_be_misread: bool

    @property
    def camera_count(self) -> int:
        """Different cameras that both passed together."""
        return len({meeting.sighting.sensor_id for meeting in self.meetings})

    @property
    def journey_count(self) -> int:
        """Journeys on which they met."""
        return len({meeting.sighting.journey for meeting in self.meetings})


@dataclass(frozen=True, slots=True)
class Convoy:
    """All companions, the least probable by chance first."""

    companions: tuple[Companion, ...]
    sightings: tuple[Sighting, ...]
    plates_met: int
    sightings_left_out: bool

    @property
    def journey_count(self) -> int:
        """Journeys of the plate that was asked about."""
        return len({sighting.journey for sighting in self.sightings})


@dataclass(frozen=True, slots=True)
class ConvoyQuestion:
    """Which plates passed `min_cameras` cameras or more within so many seconds of this plate?"""

    kind: ClassVar[str] = "convoy"
    plate: str
    within_seconds: int
    min_cameras: int
    time_zone: str

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        return (
            ("plate", self.plate),
            ("within_seconds", str(self.within_seconds)),
            ("min_cameras", str(self.min_cameras)),
            ("time_zone", self.time_zone),
        )

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_convoy."""
        return self.plate, self.within_seconds, self.min_cameras, self.time_zone

    def weigh(self, evidence: Mapping[str, Any]) -> Convoy:
        """What archive.find_convoy counted, weighed."""
        return weigh_convoy(self.plate, evidence)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The plate that was asked about, and how many others it met."""

    plate: str
    plates_met: int


def weigh_convoy(plate: str, evidence: Mapping[str, Any]) -> Convoy:
    """The companions of `plate` in `evidence`, which is what archive.find_convoy computed."""
    sightings = tuple(Sighting(*values) for values in evidence["sightings"])
    ways, met = _Ways(sightings), int(evidence["plates_met"])
    companions = [
        _companion(_Candidate(*values), ways, _Asked(plate, met)) for values in evidence["candidates"]
    ]
    companions.sort(key=lambda one: (one.chance.log_probability, -one.camera_count, one.plate))
    return Convoy(tuple(companions), sightings, met, bool(evidence["left_out"]))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A plate that was met often enough, as archive.convoy_evidence counts it.

    Attributes:
        meetings: Number of the sighting, and how many microseconds later the plate passed.
        ways: From and to which camera, how often the plate passed the first alone, how often it went on then.
    """

    plate: str
    expected: float
    meetings: Sequence[tuple[int, int]]
    ways: Sequence[tuple[str, str, int, int]]


def _companion(candidate: _Candidate, ways: _Ways, asked: _Asked) -> Companion:
    together = [number for number, _ in candidate.meetings]
    journeys = {ways.sightings[number].journey for number in together}
    alone = {(start, end): _Count(passed, followed) for start, end, passed, followed in candidate.ways}
    often = log_poisson_tail(len(journeys), candidate.expected)
    both = log_fisher([often, *ways.log_staying(together, alone)])
    return Companion(
        plate=candidate.plate,
        meetings=tuple(Meeting(ways.sightings[number], offset) for number, offset in candidate.meetings),
        expected_journeys=float(candidate.expected),
        chance=Chance(min(0.0, min(often, both) + math.log(2)), asked.plates_met),
        may_be_misread=is_one_off(asked.plate, candidate.plate),
    )


_Way: TypeAlias = tuple[str, str]
"""From one camera to the next."""


@dataclass(slots=True)
class _Count:
    """Vehicles at the first camera of a way, and those of them that were at the second one too."""

    around: int = 0
    stayed: int = 0


class _Ways:
    """How many vehicles went the ways of the plate that was asked about, on all its journeys together."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        self.sightings = sightings
        self._all = _Count()
        self._counts: dict[_Way, _Count] = {}
        for before, after in pairwise(sightings):
            if before.journey == after.journey:
                for count in (self._all, self._counts.setdefault(_way(before, after), _Count())):
                    count.around += after.around_before
                    count.stayed += after.stayed

    def log_staying(self, together: Sequence[int], alone: Mapping[_Way, _Count]) -> Iterator[float]:
        """For each journey the logarithm of the probability of staying so long as the companion, once met.

        `together` are the numbers of the sightings at which it was there, ascending; `alone` is what it does
        otherwise. Journeys without a further camera say nothing and are left out. The same camera again is no
        further one: who waits there has not travelled.
        """
        own_all, own = self._own(together)
        general = _share(_without(self._all, own_all), 0.5, 2)
        logs: dict[int, float] = {}
        passed: set[tuple[int, str]] = set()
        journeys: set[int] = set()
        for number in together:
            sighting = self.sightings[number]
            journey, camera = sighting.journey, (sighting.journey, sighting.sensor_id)
            if journey in journeys and camera not in passed:
                way = _way(self.sightings[number - 1], sighting)
                others = _share(_without(self._counts[way], own.get(way, _Count())), general, _PRIOR)
                share = _share(alone.get(way, _Count()), others, _PRIOR)
                logs[journey] = logs.get(journey, 0.0) + math.log(share)
            journeys.add(journey)
            passed.add(camera)
        yield from logs.values()

    def _own(self, together: Sequence[int]) -> tuple[_Count, dict[_Way, _Count]]:
        """What the companion itself adds to the counts: it is compared with the others."""
        there = set(together)
        own_all, own = _Count(), dict[_Way, _Count]()
        for number in together:
            if number + 1 == len(self.sightings):
                continue
            before, after = self.sightings[number], self.sightings[number + 1]
            if before.journey == after.journey:
                for count in (own_all, own.setdefault(_way(before, after), _Count())):
                    count.around += 1
                    count.stayed += number + 1 in there
        return own_all, own


def _way(before: Sighting, after: Sighting) -> _Way:
    return before.sensor_id, after.sensor_id


def _without(count: _Count, own: _Count) -> _Count:
    return _Count(count.around - own.around, count.stayed - own.stayed)


def _share(count: _Count, prior: float, weight: int) -> float:
    """The share that stayed, drawn towards `prior` as by `weight` vehicles more."""
    return (count.stayed + weight * prior) / (count.around + weight)
