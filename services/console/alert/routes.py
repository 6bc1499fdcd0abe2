"""Addresses of one alert. Each answers a page, or with `part=1` only what the board shows beside its list."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.alert import acts, cars, look
from services.console.door import Door


def routes(door: Door) -> Sequence[Route]:
    """The alert, and what people do about it."""
    ways = (
        ("acknowledge", acts.acknowledge),
        ("verify", acts.verify),
        ("ask", acts.ask),
        ("dispose", acts.dispose),
        ("cars", cars.propose),
        ("broadcast", cars.broadcast),
        ("cancel", cars.cancel),
        ("deliveries", cars.deliveries),
    )
    return (
        Route("/alerts/{alert_id:uuid}", door.page(look.page), methods=["GET"]),
        # With case number and purpose, which stand in no address.
        Route("/alerts/{alert_id:uuid}", door.page(look.page), methods=["POST"]),
        *(Route(f"/alerts/{{alert_id:uuid}}/{name}", door.page(act), methods=["POST"]) for name, act in ways),
    )
