"""What no single read answers, and what leaves as a file (ENF-051 IV.C.3, III.B.3.m, III.D.5)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.analysis import companions, habits, scenes
from services.console.analysis.page import Analysis
from services.console.door import Door

_ANALYSES: tuple[Analysis, ...] = (scenes.STAKEOUT, companions.CONVOY, habits.PATTERN, scenes.COMPARE)


def routes(door: Door) -> Sequence[Route]:
    """A page for each analysis: GET or POST shows its form, POST with `ask` answers."""
    return [Route(one.path, door.page(one.page), methods=["GET", "POST"]) for one in _ANALYSES]
