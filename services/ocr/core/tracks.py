"""Which plates of neighbouring frames are the same plate: passages of vehicles through the picture.

A track goes on where its motion leads, and where its text says so. Neither is enough alone: two cars in one
lane follow each other through the same places, and a blurred plate reads differently from frame to frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from services.ocr.core.fusion import Shares, surest, surest_shares
from services.ocr.core.quad import Quad
from services.ocr.core.reading import Reading

# One standard deviation of where a plate turns up, in its widths: at once, and for each second gone by,
# before and after its motion is known. And of the logarithm of its size.
_JITTER: Final = 0.35
_UNKNOWN_MOTION: Final = 8.0
_CHANGE_OF_MOTION: Final = 2.0
_SIZE_JITTER: Final = 0.15
_CHANGE_OF_SIZE: Final = 0.8
# Logarithms of odds that it is the same plate, for texts that differ and that agree: read for sure, and
# hardly read at all.
_SURE_TEXT: Final = (-6.0, 5.0)
_UNSURE_TEXT: Final = (-1.0, 2.0)
_SAME_FOR_SURE: Final = 0.5
# However far it jumped: the same text, read for sure, within a moment, is the same vehicle.
_WORST_PLACE_OF_SAME_TEXT: Final = -5.0
_LEAST_SCORE: Final = -3.0
_NEW_MOTION: Final = 0.5
# Seconds; from frames that lie closer no speed can be told.
_SHORTEST_STEP: Final = 0.001
_FASTEST_GROWTH: Final = 3.0
# What counts as coming or going: growth of the logarithm of the width, at all and for each width of sideways
# shift; as going sideways: a shift in widths; and as standing: neither for so many seconds.
_GROWN: Final = 0.08
_GROWN_BY_SHIFT: Final = 0.06
_SHIFTED: Final = 0.4
_STOOD_SECONDS: Final = 1.0


class Direction(Enum):
    """Where a vehicle went, as the camera saw it."""

    UNKNOWN = "unknown"
    APPROACHING = "approaching"
    RECEDING = "receding"
    LEFT = "left"
    RIGHT = "right"
    STANDING = "standing"


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """When a track begins and ends.

    Attributes:
        gap_seconds: A plate not seen for so long has gone; a step back of the frames' clock by more ends all.
        longest_seconds: A vehicle that stands in the picture begins a new passage after so long.
        most: Open tracks; for one more, the one not seen for longest ends.
        most_readings: Readings kept of a track, the surest.
    """

    gap_seconds: float = 1.5
    longest_seconds: float = 300.0
    most: int = 32
    most_readings: int = 16


@dataclass(frozen=True, slots=True)
class Sighting:
    """A plate in one frame: its corners, what it may say, and who may have issued it and as what kind."""

    quad: Quad
    reading: Reading
    issuers: Shares = ()
    kinds: Shares = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a plate was: seconds on the frames' own clock, centre and width in pixels."""

    at: float
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Motion:
    """Pixels a second in x and y, and growth of the logarithm of the width a second."""

    x: float
    y: float
    growth: float


@dataclass(frozen=True, slots=True)
class Track:
    """One plate through the frames.

    Attributes:
        number: Its own among the tracks of a tracker.
        first: Where it was seen first.
        last: Where it was seen last.
        motion: None after one sighting.
        frames: Frames in which it was seen.
        readings: Of these frames, the surest.
        issuers: Likewise.
        kinds: Likewise.
    """

    number: int
    first: Mark
    last: Mark
    motion: Motion | None
    frames: int
    readings: tuple[Reading, ...]
    issuers: tuple[Shares, ...] = ()
    kinds: tuple[Shares, ...] = ()

    @property
    def direction(self) -> Direction:
        """Where the vehicle went, from its first place to its last."""
        growth = math.log(self.last.width / self.first.width)
        shift = (self.last.x - self.first.x) / max(self.first.width, self.last.width)
        if abs(growth) >= max(_GROWN, _GROWN_BY_SHIFT * abs(shift)):
            return Direction.APPROACHING if growth > 0 else Direction.RECEDING
        if abs(shift) >= _SHIFTED:
            return Direction.RIGHT if shift > 0 else Direction.LEFT
        stood = abs(self.last.at - self.first.at) >= _STOOD_SECONDS
        return Direction.STANDING if stood else Direction.UNKNOWN

    def seen(self, sighting: Sighting, at: float, most_readings: int) -> Track:
        """The track with one sighting more."""
        mark = _mark(sighting.quad, at)
        return replace(
            self,
            last=mark,
            motion=_motion(self, mark),
            frames=self.frames + 1,
            readings=surest((*self.readings, sighting.reading), most_readings),
            issuers=surest_shares((*self.issuers, sighting.issuers), most_readings),
            kinds=surest_shares((*self.kinds, sighting.kinds), most_readings),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What a frame changed: the track of each sighting, in their order, and the tracks that have ended."""

    tracks: tuple[Track, ...]
    ended: tuple[Track, ...]


class Tracker:
    """Follows plates from frame to frame. The same frames in the same order always give the same tracks."""

    def __init__(self, settings: TrackSettings | None = None, open_tracks: Sequence[Track] = ()) -> None:
        """Starts with `open_tracks`, which another tracker left."""
        self._settings = settings or TrackSettings()
        self._open = {track.number: track for track in open_tracks}
        self._next = max(self._open, default=0) + 1
        self._now = max((track.last.at for track in open_tracks), default=-math.inf)

    @property
    def open(self) -> tuple[Track, ...]:
        """The tracks that may go on, oldest first."""
        return tuple(self._open.values())

    def step(self, sightings: Sequence[Sighting], at: float) -> Step:
        """Takes the plates of the next frame, taken at `at` seconds.

        Frames may come a little out of order; a step back by more than the gap is another time altogether.
        """
        ended = self._end_old(at)
        self._now = at
        pairs = self._assigned(sightings, at)
        # Those that go on first: a new track must not push out one of them while others can go.
        tracks = {place: self._go_on(number, sightings[place], at) for place, number in pairs.items()}
        for place, sighting in enumerate(sightings):
            if place not in tracks:
                ended += self._make_room()
                tracks[place] = self._begin(sighting, at)
        return Step(tuple(tracks[place] for place in range(len(sightings))), tuple(ended))

    def end(self) -> tuple[Track, ...]:
        """Ends and returns all tracks."""
        ended, self._open = self.open, {}
        return ended

    def _end_old(self, at: float) -> list[Track]:
        gap, longest = self._settings.gap_seconds, self._settings.longest_seconds
        if at < self._now - gap:
            return list(self.end())
        old = [track for track in self.open if at - track.last.at > gap or at - track.first.at > longest]
        for track in old:
            del self._open[track.number]
        return old

    def _assigned(self, sightings: Sequence[Sighting], at: float) -> dict[int, int]:
        """Sightings (by place) and the tracks (by number) that they continue; the best pairs first."""
        scored = [
            (score, track.number, place)
            for track in self.open
            for place, sighting in enumerate(sightings)
            if (score := same_plate_score(track, sighting, at)) >= _LEAST_SCORE
        ]
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for _, number, place in sorted(scored, key=lambda one: (-one[0], one[1:])):
            if place not in pairs and number not in taken:
                pairs[place] = number
                taken.add(number)
        return pairs

    def _make_room(self) -> list[Track]:
        if len(self._open) < self._settings.most:
            return []
        unseen = min(self.open, key=lambda track: (track.last.at, track.number))
        return [self._open.pop(unseen.number)]

    def _go_on(self, number: int, sighting: Sighting, at: float) -> Track:
        track = self._open[number].seen(sighting, at, self._settings.most_readings)
        self._open[number] = track
        return track

    def _begin(self, sighting: Sighting, at: float) -> Track:
        mark = _mark(sighting.quad, at)
        number, self._next = self._next, self._next + 1
        self._open[number] = Track(
            number,
            mark,
            mark,
            motion=None,
            frames=1,
            readings=(sighting.reading,),
            issuers=surest_shares((sighting.issuers,), 1),
            kinds=surest_shares((sighting.kinds,), 1),
        )
        return self._open[number]


def same_plate_score(track: Track, sighting: Sighting, at: float) -> float:
    """Logarithm of the odds, up to a constant, that the sighting is the track's plate."""
    there, expected = _mark(sighting.quad, at), _expected(track, at)
    gone = abs(at - track.last.at)
    change = _CHANGE_OF_MOTION if track.motion else _UNKNOWN_MOTION
    width = max(expected.width, there.width)
    distance = math.hypot(there.x - expected.x, there.y - expected.y) / width
    size = abs(math.log(there.width / expected.width))
    place = -0.5 * (distance / (_JITTER + change * gone)) ** 2
    place -= 0.5 * (size / (_SIZE_JITTER + _CHANGE_OF_SIZE * gone)) ** 2
    said = track.readings[0]
    sure = said.probability * sighting.reading.probability
    alike = likeness(said.text, sighting.reading.text)
    if alike == 1 and sure >= _SAME_FOR_SURE:
        place = max(place, _WORST_PLACE_OF_SAME_TEXT)
    text = sure * _between(_SURE_TEXT, alike) + (1 - sure) * _between(_UNSURE_TEXT, alike)
    return place + text


def likeness(one: str, other: str) -> float:
    """1 for equal texts, 0 for texts that have nothing in common: from the least number of edits."""
    if one == other:
        return 1.0
    row = list(range(len(other) + 1))
    for n, character in enumerate(one, 1):
        before, row[0] = row[0], n
        for m, wanted in enumerate(other, 1):
            before, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, before + (character != wanted))
    return 1 - row[-1] / max(len(one), len(other))


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + share * (ends[1] - ends[0])


def _mark(quad: Quad, at: float) -> Mark:
    across, down = zip(*quad.points, strict=True)
    return Mark(at, sum(across) / len(across), sum(down) / len(down), max(quad.width, 1.0))


def _expected(track: Track, at: float) -> Mark:
    motion, last = track.motion, track.last
    if motion is None:
        return last
    gone = at - last.at
    growth = max(-_FASTEST_GROWTH, min(_FASTEST_GROWTH, motion.growth * gone))
    return Mark(at, last.x + motion.x * gone, last.y + motion.y * gone, last.width * math.exp(growth))


def _motion(track: Track, now: Mark) -> Motion | None:
    gone = now.at - track.last.at
    if abs(gone) < _SHORTEST_STEP:
        return track.motion
    x, y = (now.x - track.last.x) / gone, (now.y - track.last.y) / gone
    growth = math.log(now.width / track.last.width) / gone
    if track.motion is None:
        return Motion(x, y, growth)
    old = track.motion
    return Motion(
        old.x + _NEW_MOTION * (x - old.x),
        old.y + _NEW_MOTION * (y - old.y),
        old.growth + _NEW_MOTION * (growth - old.growth),
    )
