"""Fields of a pushed JSON message, checked as they are taken; errors name the path and repeat no value."""

from __future__ import annotations

import base64
import binascii
import json
import math
from datetime import datetime
from typing import Any, Final

from services.ocr.core.pushed.model import PushError

MOST_READS: Final = 64
"""Plates of one message."""
_MOST_TEXT: Final = 2048
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2099


class Fields:
    """A JSON object at `path` of the message; "" is the message itself. What is null counts as absent."""

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise PushError(path or "message", "must be an object")
        self._value = value
        self._path = path

    def at(self, name: str) -> str:
        """The path of field `name`."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(name) is not None

    def text(self, name: str, *, most: int = _MOST_TEXT) -> str:
        """A printable text of at most `most` characters; "" when absent. Raises PushError."""
        value = self._value.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            raise PushError(self.at(name), f"must be a text of at most {most} printable characters")
        return value

    def required_text(self, name: str, *, most: int) -> str:
        """The same of a text that must be there. Raises PushError."""
        return self.text(name, most=most) or self._missing(name)

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number. Raises PushError, also when it is absent and there is no default."""
        value = self._value.get(name)
        if value is None and default is not None:
            return default
        # True and False are integers to Python.
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise PushError(self.at(name), "must be a number")
        return float(value)

    def object(self, name: str) -> Fields:
        """An object; without fields when absent. Raises PushError."""
        value = self._value.get(name)
        return Fields({} if value is None else value, self.at(name))

    def objects(self, name: str, *, most: int) -> tuple[Fields, ...]:
        """A list of at most `most` objects; empty when absent. Raises PushError."""
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > most:
            raise PushError(self.at(name), f"must be a list of at most {most}")
        return tuple(Fields(one, f"{self.at(name)}[{n}]") for n, one in enumerate(value))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty when absent. Raises PushError."""
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(
            isinstance(one, str) and one.isprintable() for one in value
        ):
            raise PushError(self.at(name), "must be a list of printable texts")
        return tuple(value)

    def base64(self, name: str) -> bytes:
        """What a text in base64 stands for; empty when absent. Raises PushError."""
        value = self._value.get(name)
        if value is None:
            return b""
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise PushError(self.at(name), "must be base64") from None

    def moment(self, name: str) -> datetime:
        """A moment of ISO 8601 with its zone. Raises PushError."""
        moment: datetime | None
        try:
            # Python 3.11 and newer take a Z, a blank for the T, and any fraction of a second.
            moment = datetime.fromisoformat(self.required_text(name, most=64))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise PushError(self.at(name), "must be a time of ISO 8601 with its zone, from 2000 to 2099")
        return moment

    def place(self, latitude: str, longitude: str) -> tuple[float, float] | None:
        """Degrees north and east; None when absent, or as without a fix. Raises PushError."""
        if not (self.has(latitude) and self.has(longitude)):
            return None
        place = (self.number(latitude), self.number(longitude))
        if place in ((0.0, 0.0), (-1.0, -1.0)):
            return None
        if not (-90 <= place[0] <= 90 and -180 <= place[1] <= 180):  # noqa: PLR2004 - degrees
            raise PushError(self.at(latitude), "must be degrees of WGS 84, with the longitude")
        return place

    def _missing(self, name: str) -> str:
        raise PushError(self.at(name), "must be set")


def message_of(body: bytes) -> Fields:
    """The JSON object that `body` is. Raises PushError."""
    try:
        return Fields(json.loads(body.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        raise PushError("message", "must be a JSON object in UTF-8") from None
