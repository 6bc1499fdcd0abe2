"""Addresses of the search. Questions come by POST: nothing of them stands in an address."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.door import Door
from services.console.search import read
from services.console.search.reads import READS


def routes(door: Door) -> Sequence[Route]:
    """The search, and one read of its answer."""
    return (
        Route("/search", door.page(READS.page), methods=["GET", "POST"]),
        Route("/search/read", door.page(read.show), methods=["POST"]),
        Route("/search/read", door.page(read.elsewhere), methods=["GET"]),
    )
