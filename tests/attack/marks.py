"""Requests whose contents are recognised again wherever they turn up."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.attack.values import CANARY, PLATE_CANARY

PLATE: Final = PLATE_CANARY
NAME: Final = "Quintilla Zzyzxmark"
CASE: Final = "2026-779977"
ADDRESS: Final = "quintilla.zzyzxmark@"
TEXT: Final = f"{NAME} was seen in {PLATE}, says {CANARY}"
LATITUDE: Final = 41.9135791
LONGITUDE: Final = -87.6135797
TOKEN: Final = "qz7token.qz7token.qz7token"  # noqa: S105 - nobody's
# Tokens of the issuer begin so; a private key in PEM has the other.
_USUAL: Final = ("eyJ", "PRIVATE KEY", "whsec_")
ALL: Final = (
    *(PLATE, NAME, NAME.split()[1], CASE, ADDRESS, CANARY, TOKEN, *_USUAL),
    *(str(LATITUDE), str(LONGITUDE)),
)

_PLATES: Final = frozenset({"plate", "plates", "pattern"})
_NAMES: Final = frozenset(
    {
        *("full_name", "person", "official", "commander", "approver", "party", "organisation", "entity"),
        *("recipient", "name"),
    }
)
_TEXTS: Final = frozenset(
    {
        *("purpose", "reason", "summary", "details", "finding", "statement", "explanation", "description"),
        *("legal_basis", "resolution", "subject", "reference", "title", "note", "comment", "outcome"),
    }
)


def marked(message: Message) -> Message:
    """The message with the marks in all fields that may hold such a thing; it stays as sound as it was."""
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if not (
                field.message_type.GetOptions().map_entry or field.message_type.full_name.startswith("google")
            ):
                for part in getattr(message, field.name) if field.is_repeated else _set(message, field):
                    marked(part)
        elif (value := _mark_for(field)) is not None:
            _put(message, field, value)
    return message


def _set(message: Message, field: FieldDescriptor) -> tuple[Message, ...]:
    return (getattr(message, field.name),) if message.HasField(field.name) else ()


def _mark_for(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return {"latitude": LATITUDE, "longitude": LONGITUDE}.get(field.name)
    if field.type != FieldDescriptor.TYPE_STRING:
        return None
    if field.name in _PLATES:
        return PLATE
    if field.name in _NAMES:
        return NAME
    if field.name == "case_number":
        return CASE
    return TEXT if field.name in _TEXTS else None


def _put(message: Message, field: FieldDescriptor, value: Any) -> None:
    """Sets it where there is something already, so that what a request leaves out stays left out."""
    if field.is_repeated:
        if len(held := getattr(message, field.name)):
            held[0] = value
    elif getattr(message, field.name) and (field.containing_oneof is None or message.HasField(field.name)):
        setattr(message, field.name, value)
