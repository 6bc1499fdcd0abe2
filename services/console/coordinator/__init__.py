"""The coordinator's pages (ENF-051 III.A, III.B.3, III.C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from services.console.coordinator import (
    agreements,
    certificate,
    declarations,
    documents,
    escorts,
    holds,
    incidents,
    office,
    packets,
    people,
    person,
    roster,
    sensor,
    sensors,
    support,
    today,
    units,
)
from services.console.door import Door

_PAGES: Final = (
    today,
    people,
    person,
    units,
    packets,
    sensors,
    sensor,
    certificate,
    escorts,
    incidents,
    support,
    holds,
    agreements,
    declarations,
    documents,
    roster,
    office,
)


def routes(door: Door) -> Sequence[Route]:
    """All of them."""
    return [route for page in _PAGES for route in page.routes(door)]
