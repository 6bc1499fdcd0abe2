"""Collects what is wrong with a request, so that the caller hears of everything at once."""

import re
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from services.common.errors import FieldViolation, InvalidFieldError

_NO_UUID = UUID(int=0)
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Checks:
    """Checks of the fields below one path. A wrong value is noted and a stand-in given, until `raise_if_any`."""

    def __init__(self, path: str = "", violations: list[FieldViolation] | None = None) -> None:
        self._path = path
        self._violations: list[FieldViolation] = [] if violations is None else violations

    def within(self, path: str) -> "Checks":
        """Checks of the fields below `path`, collected with these."""
        return Checks(f"{self._path}{path}.", self._violations)

    def note(self, field: str, description: str) -> None:
        """Notes that `field` is wrong; `description` says what it must be and never repeats what came."""
        self._violations.append(FieldViolation(self._path + field, description))

    def uuid(self, field: str, text: str) -> UUID:
        """The UUID that `text` is."""
        try:
            return UUID(text)
        except ValueError:
            self.note(field, "a UUID")
            return _NO_UUID

    def time(self, message: Message, field: str) -> datetime:
        """The moment in the timestamp `field` of `message`, which must be set."""
        stamp = getattr(message, field)
        try:
            if message.HasField(field):
                moment: datetime = stamp.ToDatetime(tzinfo=UTC)
                return moment
        except (ValueError, OverflowError):
            self.note(field, "a time between the years 1 and 9999")
            return _NO_TIME
        self.note(field, "required")
        return _NO_TIME

    def matching(self, field: str, text: str, pattern: str, description: str) -> str:
        """`text`, when all of it matches `pattern`."""
        if not re.fullmatch(pattern, text, re.ASCII):
            self.note(field, description)
        return text

    def ori(self, field: str, text: str) -> str:
        """`text`, when it is an agency's ORI."""
        return self.matching(field, text, r"[A-Z0-9]{9}", "an ORI: 9 characters of A-Z and 0-9")

    def text(self, field: str, text: str, *, longest: int) -> str:
        """`text`, when it is there, is not too long, and can be stored."""
        if not text.strip() or len(text) > longest:
            self.note(field, f"required, at most {longest} characters")
        return self.storable(field, text)

    def storable(self, field: str, text: str) -> str:
        """`text`, which may be empty, when PostgreSQL can store it."""
        if "\0" in text:
            self.note(field, "no NUL character")
        return text

    def raise_if_any(self) -> None:
        """Refuses the request when anything was noted.

        Raises:
            InvalidFieldError: Names every field that is wrong.
        """
        if self._violations:
            raise InvalidFieldError("the request is not complete or not right", violations=self._violations)
