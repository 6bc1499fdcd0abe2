"""Time zones by name."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def known_time_zones() -> frozenset[str]:
    """Names of the IANA data base that both this program and PostgreSQL know."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")
