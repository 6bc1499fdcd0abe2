"""What is wrong with a request, collected by path, so that the caller hears of everything at once."""

import re
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations


class Checks:
    """Checks of the fields below one path: notes what is wrong and gives a stand-in for it."""

    def __init__(self, path: str = "", wrong: list[FieldViolation] | None = None) -> None:
        self._path = path
        self._wrong: list[FieldViolation] = [] if wrong is None else wrong

    def within(self, path: str) -> "Checks":
        """Checks of the fields below `path`, collected with these."""
        return Checks(f"{self._path}{path}.", self._wrong)

    def note(self, field: str, description: str) -> None:
        """Notes that `field` is wrong; `description` says what it must be and never repeats what came."""
        self._wrong.append(FieldViolation(self._path + field, description))

    def uuid(self, field: str, text: str) -> UUID:
        """The UUID that `text` is."""
        return parse_uuid(self._path + field, text, self._wrong)

    def time(self, message: Message, field: str) -> datetime:
        """The moment in the timestamp `field` of `message`, which must be set."""
        return parse_moment(self._path + field, message, self._wrong)

    def matching(self, field: str, text: str, pattern: str, description: str) -> str:
        """`text`, when all of it matches `pattern`."""
        if not re.fullmatch(pattern, text, re.ASCII):
            self.note(field, description)
        return text

    def ori(self, field: str, text: str) -> str:
        """`text`, when it is an agency's ORI."""
        return self.matching(field, text, r"[A-Z0-9]{9}", "must be an ORI: 9 characters of A-Z and 0-9")

    def text(self, field: str, text: str, *, longest: int) -> str:
        """`text` without blanks round it, 1 to `longest` characters."""
        return parse_text(self._path + field, text, self._wrong, most=longest)

    def optional(self, field: str, text: str, *, longest: int) -> str:
        """`text` without blanks round it, at most `longest` characters; it may be empty."""
        return self.text(field, text, longest=longest) if text.strip() else ""

    def raise_if_any(self) -> None:
        """Refuses the request when anything was noted.

        Raises:
            InvalidFieldError: Names every field that is wrong.
        """
        raise_violations(self._wrong)
