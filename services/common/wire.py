"""Between messages and values: moments, ids, plates, and the list of what is wrong with a request."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.type.v1.read_pb2 import ReadStatus
from services.common.errors import FieldViolation, InvalidFieldError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_NANOS: Final = 1_000_000_000
_NIL: Final = UUID(int=0)
# Blanks, full stops, middle dots, and all that looks like a dash.
_BETWEEN_CHARACTERS: Final = re.compile("[\\s.\u00b7\u2022\\-\u2010-\u2015]+")
# Not str.upper: that makes SS of a sharp s.
_CAPITALS: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")

_STATUS_LABELS: Final[dict[int, str]] = {
    int(number): name.removeprefix("READ_STATUS_").lower() for name, number in ReadStatus.items()
}


def status_label(status: int) -> str:
    """What metrics call the status of a read, for instance `stored`; `other` for one of a newer contract."""
    return _STATUS_LABELS.get(status, "other")


def to_timestamp(moment: datetime) -> Timestamp:
    """The message for `moment`, to the microsecond.

    Raises:
        ValueError: `moment` has no zone; it could be any of 24 hours.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def to_datetime(stamp: Timestamp) -> datetime:
    """The moment of `stamp` in UTC, cut to the microsecond.

    Raises:
        ValueError: It lies outside the years 1 to 9999, or its nanoseconds are no part of a second.
    """
    if not 0 <= stamp.nanos < _NANOS:
        raise ValueError("nanoseconds outside of a second")
    try:
        # Days, seconds, microseconds: by their names it takes half as long again, several times a read.
        return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)
    except OverflowError:
        raise ValueError("a moment outside of the calendar") from None


def raise_violations(wrong: Sequence[FieldViolation]) -> None:
    """Returns when nothing is wrong.

    Raises:
        InvalidFieldError: With all of `wrong`.
    """
    if wrong:
        fields = "1 field is" if len(wrong) == 1 else f"{len(wrong)} fields are"
        raise InvalidFieldError(f"{fields} missing or wrong: see the details", violations=wrong)


def parse_uuid(field: str, text: str, wrong: list[FieldViolation]) -> UUID:
    """The id in its one form, lower case with dashes; else adds to `wrong` and gives the nil UUID."""
    try:
        found = UUID(text)
    except ValueError:
        found = _NIL
    if found == _NIL or str(found) != text:
        wrong.append(FieldViolation(field, "must be a UUID in lower case with dashes, not nil"))
        return _NIL
    return found


def parse_moment(field: str, request: Message, wrong: list[FieldViolation]) -> datetime:
    """The moment in the field that the last part of the path `field` names, required, from 2000 to 2100.

    Adds to `wrong` and gives 1970 where it is missing or outside.
    """
    name = field.rpartition(".")[2]
    if not request.HasField(name):
        wrong.append(FieldViolation(field, "must be set"))
        return _EPOCH
    try:
        moment = to_datetime(getattr(request, name))
    except ValueError:
        moment = _EPOCH
    if not _EARLIEST <= moment < _LATEST:
        wrong.append(FieldViolation(field, "must lie between the years 2000 and 2100"))
        return _EPOCH
    return moment


def parse_text(field: str, text: str, wrong: list[FieldViolation], *, most: int) -> str:
    """`text` without blanks round it, 1 to `most` characters, none of them a control character.

    Adds to `wrong` where it is not so.
    """
    stripped = text.strip()
    if not 1 <= len(stripped) <= most or any(ord(one) < ord(" ") for one in stripped):
        wrong.append(
            FieldViolation(field, f"must be 1 to {most} characters, none of them a control character")
        )
    return stripped


def normalise_plate(text: str) -> str:
    """`text` in capitals without blanks, dots and dashes; other characters stay: see `parse_plate`."""
    return _BETWEEN_CHARACTERS.sub("", text).translate(_CAPITALS)


def parse_plate(field: str, text: str, wrong: list[FieldViolation]) -> str:
    """The normalised plate, 1 to 12 of A-Z and 0-9; else adds to `wrong`, without repeating it."""
    plate = normalise_plate(text)
    if not _PLATE.fullmatch(plate):
        wrong.append(
            FieldViolation(
                field, "must be 1 to 12 letters A-Z and digits; blanks, dots and dashes are dropped"
            )
        )
    return plate
