"""Patrol cars: a crew goes aboard and gets what its centre sends; a centre keeps its cars (IV.D.3)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.door import Door
from services.console.patrol import acts
from services.console.patrol.messages import follow
from services.console.patrol.page import show


def routes(door: Door) -> Sequence[Route]:
    """The page, its feed, and the acts."""
    ways = (
        ("aboard", acts.go_aboard),
        ("leave", acts.leave),
        ("position", acts.report),
        ("received", acts.received),
        ("seen", acts.seen),
        ("en-route", acts.en_route),
        ("register", acts.register),
        ("retire", acts.retire),
    )
    return (
        Route("/patrol", door.page(show), methods=["GET"]),
        Route("/patrol/feed", door.page(follow), methods=["GET"]),
        *(Route(f"/patrol/{name}", door.page(act), methods=["POST"]) for name, act in ways),
    )
