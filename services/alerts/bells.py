"""Wakes streams that wait for something of their own: by the id of an asset, or an agency's ORI."""

import asyncio


class Bells:
    """One event a key, set once when there may be something new under it."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def of(self, key: str) -> asyncio.Event:
        """Set when there is more than when it was asked for. Ask first, then read, then wait."""
        return self._events.setdefault(key, asyncio.Event())

    def ring(self, payload: str | None) -> None:
        """Wakes those whose keys `payload` names, joined by commas; without any it wakes everybody."""
        keys = payload.split(",") if payload else list(self._events)
        for key in keys:
            event = self._events.pop(key, None)
            if event is not None:
                event.set()
