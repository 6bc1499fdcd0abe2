"""A map of reads as lines, dots and names on a sheet: no outside server, no picture of anybody's (IV.C.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

from services.search.core.report import Site

_KM_PER_DEGREE: Final = 111.195
# On less than this few counties have their middle, and so their name, and a single camera would stand on a
# blank sheet.
_LEAST_KM: Final = 60.0
_MARGIN: Final = 0.18
_MOST_LABELS: Final = 14
_LABEL_ROOM: Final = (90.0, 16.0)
_FLATTEST: Final = 0.05


class LineKind(Enum):
    """What a line parts."""

    COUNTY = "county"
    STATE = "state"
    COAST = "coast"


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the earth; points are degrees east and north."""

    kind: LineKind
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Label:
    """A name on the earth, degrees east and north."""

    name: str
    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True)
class Outlines:
    """What a map shows beside the reads."""

    lines: tuple[Line, ...]
    counties: tuple[Label, ...]
    states: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line on the sheet; points right and down from its upper left corner."""

    kind: LineKind
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class DrawnName:
    """A name on the sheet, centred at the point."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A place on the sheet; the area of the dot grows with the number of its reads."""

    letter: str
    x: float
    y: float
    radius: float
    count: int


@dataclass(frozen=True, slots=True)
class Map:
    """A drawing of `width` by `height` units; a line of `bar` units is `bar_km` kilometres long."""

    width: float
    height: float
    lines: tuple[DrawnLine, ...]
    names: tuple[DrawnName, ...]
    dots: tuple[Dot, ...]
    bar: float
    bar_km: float


@dataclass(frozen=True, slots=True)
class _View:
    """The middle of the sheet on the earth, and units a kilometre; true to scale near the middle."""

    longitude: float
    latitude: float
    stretch: float
    scale: float
    width: float
    height: float

    def place(self, longitude: float, latitude: float) -> tuple[float, float]:
        east = (longitude - self.longitude) * self.stretch * _KM_PER_DEGREE
        north = (latitude - self.latitude) * _KM_PER_DEGREE
        return self.width / 2 + east * self.scale, self.height / 2 - north * self.scale

    def shows(self, x: float, y: float) -> bool:
        return 0 <= x <= self.width and 0 <= y <= self.height


def draw_map(sites: Sequence[Site], outlines: Outlines, width: float, height: float) -> Map:
    """The map of `sites` on a sheet of that size, with all of them on it.

    Raises:
        ValueError: There is no site.
    """
    view = _view(sites, width, height)
    kilometres = _round_length(width / view.scale / 4)
    return Map(
        width=width,
        height=height,
        lines=tuple(_drawn_lines(outlines.lines, view)),
        names=tuple(_drawn_names(outlines, view)),
        dots=tuple(_dots(sites, view)),
        bar=kilometres * view.scale,
        bar_km=kilometres,
    )


def _view(sites: Sequence[Site], width: float, height: float) -> _View:
    if not sites:
        raise ValueError("a map of no place")
    west, east = min(s.longitude for s in sites), max(s.longitude for s in sites)
    south, north = min(s.latitude for s in sites), max(s.latitude for s in sites)
    middle = (south + north) / 2
    stretch = max(math.cos(math.radians(middle)), _FLATTEST)
    wide = max((east - west) * stretch * _KM_PER_DEGREE * (1 + 2 * _MARGIN), _LEAST_KM)
    high = max((north - south) * _KM_PER_DEGREE * (1 + 2 * _MARGIN), _LEAST_KM)
    return _View((west + east) / 2, middle, stretch, min(width / wide, height / high), width, height)


def _drawn_lines(lines: Iterable[Line], view: _View) -> Iterable[DrawnLine]:
    """The lines that reach into the view, counties first, so that stronger lines lie above them."""
    drawn: list[DrawnLine] = []
    for line in lines:
        points = [view.place(longitude, latitude) for longitude, latitude in line.points]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if max(xs) < 0 or min(xs) > view.width or max(ys) < 0 or min(ys) > view.height:
            continue
        drawn.extend(DrawnLine(line.kind, piece) for piece in _pieces(_thinned(points), view))
    return sorted(drawn, key=lambda one: one.kind is not LineKind.COUNTY)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points that lie within half a unit of the one before; the ends stay."""
    kept = [points[0]]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= 0.5:  # noqa: PLR2004 -- half a unit, which nobody sees
            kept.append(point)
    return [*kept, points[-1]]


def _pieces(points: Sequence[tuple[float, float]], view: _View) -> Iterable[tuple[tuple[float, float], ...]]:
    """Those runs of points whose stretches may touch the view; a coast can be a thousand times as long."""
    run: list[tuple[float, float]] = []
    for before, after in pairwise(points):
        outside = (
            max(before[0], after[0]) < 0
            or min(before[0], after[0]) > view.width
            or max(before[1], after[1]) < 0
            or min(before[1], after[1]) > view.height
        )
        if outside:
            if run:
                yield tuple(run)
            run = []
        else:
            run = [*run, after] if run else [before, after]
    if run:
        yield tuple(run)


def _drawn_names(outlines: Outlines, view: _View) -> Iterable[DrawnName]:
    """Names of counties, or of states where there are too many counties; none on top of another."""
    for labels in (outlines.counties, outlines.states):
        seen = [(label, *view.place(label.longitude, label.latitude)) for label in labels]
        inside = [(label, x, y) for label, x, y in seen if view.shows(x, y)]
        if len(inside) <= 4 * _MOST_LABELS:
            return _apart(DrawnName(label.name, x, y) for label, x, y in inside)
    return ()


def _apart(names: Iterable[DrawnName]) -> Iterable[DrawnName]:
    kept: list[DrawnName] = []
    for name in names:
        free = all(
            abs(name.x - other.x) > _LABEL_ROOM[0] or abs(name.y - other.y) > _LABEL_ROOM[1] for other in kept
        )
        if free and len(kept) < _MOST_LABELS:
            kept.append(name)
    return kept


def _dots(sites: Sequence[Site], view: _View) -> Iterable[Dot]:
    most = max(site.count for site in sites)
    # The largest first, so that a small one is not hidden.
    for site in sorted(sites, key=lambda one: -one.count):
        x, y = view.place(site.longitude, site.latitude)
        yield Dot(site.letter, x, y, 7 + 7 * math.sqrt(site.count / most), site.count)


def _round_length(kilometres: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(kilometres))
    return max(step * power for step in (1, 2, 5) if step * power <= kilometres)
