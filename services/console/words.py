"""What the contracts say in capitals, as people say it: ROLE_USER is "user"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def word(message: Message, field: str) -> str:
    """The value of an enum field as words, "" where it is not set."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    return of_enum(described, getattr(message, field))


def words(message: Message, field: str) -> list[str]:
    """The same of each value of a repeated enum field."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    return [of_enum(described, number) for number in getattr(message, field)]


def choices(enum: Any) -> list[tuple[int, str]]:
    """Number and words of every value that a person may choose, in the order of the contract."""
    return [
        (one.number, of_enum(enum.DESCRIPTOR, one.number)) for one in enum.DESCRIPTOR.values if one.number
    ]


def one_of(enum: Any, text: str) -> Any:
    """The value of the enum whose number a form has sent; the unspecified one for none."""
    return next((number for number in enum.values() if str(number) == text), 0)


def of_enum(described: Any, number: int) -> str:
    """The words of one value of an enum; "" for none, "unknown" for one that is newer than this console."""
    if number == 0:
        return ""
    value = described.values_by_number.get(number)
    if value is None:
        return "unknown"
    prefix = described.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(value.name.removeprefix(prefix).replace("_", " ").lower())


def moment(stamp: Timestamp) -> datetime:
    """The moment in UTC."""
    return stamp.ToDatetime(UTC)
