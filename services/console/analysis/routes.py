"""Addresses of the analyses, and of the files that leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from services.console.analysis import companions, counts, habits, handing, packages, register, report, scenes
from services.console.analysis.page import Analysis
from services.console.door import Door

# A data set of 1 MiB stays in memory; a longer one is not read at all.
_MOST_BYTES: Final = 1024 * 1024 + 64 * 1024
_ANALYSES: Final[tuple[Analysis, ...]] = (
    scenes.STAKEOUT,
    companions.CONVOY,
    habits.PATTERN,
    scenes.COMPARE,
    counts.CORRIDOR,
    counts.SUMMARY,
    report.REPORT,
    report.EVIDENCE,
    packages.AGAIN,
    handing.HAND_ON,
    handing.CORRECTION,
)


def routes(door: Door) -> Sequence[Route]:
    """A page for each analysis and file: GET or POST shows its form, POST with `ask` answers."""
    return [
        *(
            Route(one.path, door.page(one.page, most_bytes=_MOST_BYTES), methods=["GET", "POST"])
            for one in _ANALYSES
        ),
        Route("/search/packages", door.page(packages.show), methods=["GET", "POST"]),
        Route("/search/register", door.page(register.show), methods=["GET", "POST"]),
        *(
            Route(f"/search/register/{one}", door.page(register.act(one)), methods=["POST"])
            for one in register.ACTS
        ),
    ]
