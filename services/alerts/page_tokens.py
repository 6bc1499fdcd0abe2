"""Sealed page tokens of lists: where the next page begins, for one person and one question."""

import json
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidTag

from services.alerts.core.listing import Last, Place
from services.alerts.errors import BadTokenError
from services.alerts.tokens import Seal

_PURPOSE = b"platewarden/alerts/page/v1"


class PageSealer:
    """Seals and opens page tokens."""

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key, _PURPOSE)

    def seal(self, place: Place) -> str:
        """`place` as URL-safe text that nobody else can read or make."""
        last = place.last and [place.last.raise_time.isoformat(), str(place.last.alert_id)]
        values = [place.account_id, place.asked, place.start.isoformat(), place.end.isoformat(), last]
        return self._seal.close(json.dumps([*values, place.first_authorization_id]).encode())

    def open(self, token: str) -> Place:
        """The place that `token` was sealed from.

        Raises:
            BadTokenError: `token` was not made by `seal` with this key.
        """
        try:
            values = json.loads(self._seal.open(token))
        except (ValueError, InvalidTag) as error:
            raise BadTokenError("the page token is not one of ours; begin with the first page") from error
        account_id, asked, start, end, last, first = values
        return Place(
            account_id=account_id,
            asked=asked,
            start=datetime.fromisoformat(start),
            end=datetime.fromisoformat(end),
            last=Last(datetime.fromisoformat(last[0]), UUID(last[1])) if last else None,
            first_authorization_id=first,
        )
