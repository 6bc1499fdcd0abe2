"""Which version of the models reads the frames of which sensor, and how that changes (ENF-051 III.B.2.b)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

# Versions that a roll-back may return to; older ones are forgotten.
_MOST_EARLIER: Final = 16


class RollOutError(Exception):
    """The change makes no sense as things are; the text says why."""


@dataclass(frozen=True, slots=True)
class RollOut:
    """What is rolled out.

    Attributes:
        steady: The version of all sensors that the trial does not take.
        trial: The version on trial; empty when there is none.
        share: Share of the sensors that the trial takes, 0 to 1.
        earlier: The steady versions before this one, the last first.
    """

    steady: str
    trial: str = ""
    share: float = 0.0
    earlier: tuple[str, ...] = ()

    def version_of(self, sensor_id: str) -> str:
        """The version for that sensor: the same one each time, and still the trial's when its share grows."""
        return self.trial if self.trial and _place(self.trial, sensor_id) < self.share else self.steady

    def share_of(self, version: str) -> float:
        """Share of the sensors that use `version`, 0 to 1."""
        trial = self.share if self.trial else 0.0
        return trial * (version == self.trial) + (1 - trial) * (version == self.steady)

    @property
    def versions(self) -> frozenset[str]:
        """Those in use."""
        return frozenset({self.steady, self.trial} - {""})


def activated(now: RollOut, version: str, share: float) -> RollOut:
    """`now` with `version` used by `share` of the sensors: 1 for all, less for a trial, 0 to end its trial.

    Raises:
        RollOutError: It serves them already, or is not on trial.
    """
    if share >= 1:
        return _steady(now, version)
    if share <= 0:
        if version != now.trial:
            raise RollOutError("that version is not on trial")
        return replace(now, trial="", share=0.0)
    if version == now.steady:
        raise RollOutError("that version serves every sensor already; put another one on trial")
    return replace(now, trial=version, share=share)


def rolled_back(now: RollOut) -> RollOut:
    """`now` without its trial, or else with the version before.

    Raises:
        RollOutError: There is neither.
    """
    if now.trial:
        return replace(now, trial="", share=0.0)
    if not now.earlier:
        raise RollOutError("there is no version before this one")
    return RollOut(now.earlier[0], earlier=now.earlier[1:])


def _steady(now: RollOut, version: str) -> RollOut:
    if version == now.steady:
        return replace(now, trial="", share=0.0)
    return RollOut(version, earlier=(now.steady, *now.earlier)[:_MOST_EARLIER])


def _place(version: str, sensor_id: str) -> float:
    """Where the sensor stands in the order in which `version` comes to sensors, 0 to 1; even over sensors.

    The version is in it, so that it is not always the same sensors that go first.
    """
    digest = hashlib.sha256(f"{version}/{sensor_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
