"""The addresses of the auditor's pages."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.auditor import (
    checks,
    conformance,
    entry,
    export,
    left,
    log,
    overview,
    purges,
    record,
    requests,
    reviews,
    transparency,
)
from services.console.config import ConsoleSettings
from services.console.door import Door


def routes(door: Door, settings: ConsoleSettings) -> Sequence[Route]:
    """All of them."""
    return (
        *overview.routes(door),
        *log.routes(door),
        *entry.routes(door),
        *checks.routes(door),
        *purges.routes(door),
        *reviews.routes(door),
        *left.routes(door),
        *requests.routes(door),
        *record.routes(door),
        *transparency.routes(door),
        *export.routes(door),
        *conformance.routes(door, settings.conformance_file),
    )
