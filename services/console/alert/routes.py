"""Addresses of alerts. Those of one answer a page, or with `part=1` what the board shows beside its list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from services.console.alert import acts, before, cars, late, look, subscriptions
from services.console.door import Door

_ONE: Final = "/alerts/subscriptions/{subscription_id:uuid}"


def routes(door: Door) -> Sequence[Route]:
    """The alert, what people do about it, and what they choose to hear of, and those of before."""
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
        Route("/alerts", door.page(before.ask), methods=["GET", "POST"]),
        Route("/alerts/late", door.page(late.show), methods=["GET"]),
        Route("/alerts/subscriptions", door.page(subscriptions.show), methods=["GET"]),
        Route("/alerts/subscriptions", door.page(subscriptions.create), methods=["POST"]),
        Route(_ONE, door.page(subscriptions.show_one), methods=["GET"]),
        Route(_ONE, door.page(subscriptions.change), methods=["POST"]),
        Route(f"{_ONE}/end", door.page(subscriptions.end), methods=["POST"]),
        Route("/alerts/{alert_id:uuid}", door.page(look.page), methods=["GET"]),
        # With case number and purpose, which stand in no address.
        Route("/alerts/{alert_id:uuid}", door.page(look.page), methods=["POST"]),
        *(Route(f"/alerts/{{alert_id:uuid}}/{name}", door.page(act), methods=["POST"]) for name, act in ways),
    )
