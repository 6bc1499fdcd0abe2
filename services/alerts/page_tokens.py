"""Sealed page tokens of lists: where the next page begins, for one person and one question."""

import json
from dataclasses import asdict
from datetime import datetime

from cryptography.exceptions import InvalidTag

from services.alerts.core.listing import Place
from services.alerts.errors import BadTokenError
from services.alerts.tokens import Seal

_PURPOSE = b"platewarden/alerts/page/v1"


class PageSealer:
    """Seals and opens page tokens."""

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key, _PURPOSE)

    def seal(self, place: Place) -> str:
        """`place` as URL-safe text that nobody else can read or make."""
        values = {**asdict(place), "start": place.start.isoformat(), "end": place.end.isoformat()}
        return self._seal.close(json.dumps(values, separators=(",", ":")).encode())

    def open(self, token: str) -> Place:
        """The place that `token` was sealed from.

        Raises:
            BadTokenError: `token` was not made by `seal` with this key.
        """
        try:
            values = json.loads(self._seal.open(token))
        except (ValueError, InvalidTag) as error:
            raise BadTokenError("the page token is not one of ours; begin with the first page") from error
        start, end = (datetime.fromisoformat(values.pop(name)) for name in ("start", "end"))
        return Place(start=start, end=end, **values)
