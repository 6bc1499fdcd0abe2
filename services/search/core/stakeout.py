"""Stakeouts: who was at several scenes, and is not there every day (ENF-051 IV.C.3).

A scene is a place with a window of time. The archive finds who was there, and counts on how many other days
each of them was at the same place at the same time of day. If a plate's days have nothing to do with the
scenes, the probability of being at one is that share of days; the number of scenes where it was is compared
with chance by the Poisson-binomial distribution. Who passes every morning is expected there and ranks last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from services.common.canonical import argument_value
from services.search.core.area import Area, area_values
from services.search.core.chance import Chance, log_at_least


@dataclass(frozen=True, slots=True)
class Scene:
    """A place from one moment, inclusive, to another, exclusive. The label is for the answer alone."""

    label: str
    area: Area
    from_time: datetime
    to_time: datetime

    @property
    def text(self) -> str:
        """The scene as it is recorded and asked (archive.scenes_of): compact JSON, times in UTC."""
        values = {
            "area": area_values(self.area),
            "from": self.from_time.isoformat(),
            "to": self.to_time.isoformat(),
        }
        return json.dumps(values, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Visit:
    """A plate at a scene; `usual_days` of `days` it was there at that time of day, this one included."""

    scene: int
    first_us: int
    last_us: int
    read_count: int
    sensor_ids: tuple[str, ...]
    usual_days: int
    days: int


@dataclass(frozen=True, slots=True)
class Visitor:
    """A plate that was at several scenes, and how likely that is by chance."""

    plate: str
    visits: tuple[Visit, ...]
    chance: Chance


@dataclass(frozen=True, slots=True)
class Stakeout:
    """All visitors, the least probable by chance first."""

    visitors: tuple[Visitor, ...]
    plates_considered: int


@dataclass(frozen=True, slots=True)
class StakeoutQuestion:
    """Which plates were at `min_scenes` of these scenes or more? Days are those of the time zone."""

    kind: ClassVar[str] = "stakeout"
    scenes: tuple[Scene, ...]
    min_scenes: int
    time_zone: str

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""
        scenes = ((f"scene_{n}", argument_value(scene.text)) for n, scene in enumerate(self.scenes, 1))
        return (("min_scenes", str(self.min_scenes)), ("time_zone", self.time_zone), *scenes)

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_stakeout."""
        return self.min_scenes, self.time_zone, [scene.text for scene in self.scenes]

    def weigh(self, evidence: Mapping[str, Any]) -> Stakeout:
        """What archive.find_stakeout counted, weighed."""
        return weigh_visits(evidence)


def weigh_visits(evidence: Mapping[str, Any]) -> Stakeout:
    """The visitors in `evidence`, which is what archive.scene_evidence made."""
    considered = int(evidence["plates_considered"])
    days: list[int] = evidence["days"]
    visitors = [
        _visitor(plate, dict(habits or ()), visits, days, considered)
        for plate, habits, visits in evidence["plates"]
    ]
    visitors.sort(key=lambda one: (one.chance.log_probability, -len(one.visits), one.plate))
    return Stakeout(tuple(visitors), considered)


def _visitor(
    plate: str,
    habits: Mapping[int, int],
    visits: Sequence[tuple[int, int, int, int, list[str]]],
    days: Sequence[int],
    considered: int,
) -> Visitor:
    shares = [min(habits.get(scene, 0) / count, 1.0) for scene, count in enumerate(days)]
    return Visitor(
        plate=plate,
        visits=tuple(
            Visit(scene, first, last, reads, tuple(sensors), habits.get(scene, 0), days[scene])
            for scene, first, last, reads, sensors in visits
        ),
        chance=Chance(log_at_least(len(visits), shares), considered),
    )
