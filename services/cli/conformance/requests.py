"""For any RPC a request that is sound enough to be judged by who sends it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

JUSTIFICATION = {
    "case_number_kind": 1,
    "case_number": "2026-004711",
    "purpose": "homicide investigation, victim's car seen leaving",
    "offence_code": "HOMICIDE",
}
_DIGEST_BYTES = 32
_WORDS = {"reason": "decision of the board", "reference": "letter of May", "name": "something"}
# Left empty wherever they stand: they go on from an earlier answer, or narrow what is asked for.
_UNSET = frozenset(
    {
        "page_token",
        "resume_token",
        "after",
        "until",
        "epoch",
        "page_size",
        "image_sha256",
        "first_authorization_id",
    }
)


def request_for(method: MethodDescriptor, fields: Mapping[str, Any], facts: Mapping[str, str]) -> Message:
    """The request, with `fields` over what is filled in by itself; None leaves a field unset.

    `facts` are values by the name of their field, for instance the id of an alert that exists.
    """
    made = message_factory.GetMessageClass(method.input_type)()
    _fill(made, facts, frozenset(fields))
    for name, value in fields.items():
        if value is not None:
            _put(made, name, value)
    return made


def _fill(message: Message, facts: Mapping[str, str], given: frozenset[str]) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name in given or field.is_repeated or field.containing_oneof is not None:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            _fill_message(getattr(message, field.name), field, facts)
        else:
            value = _value(field, facts)
            if value is not None:
                setattr(message, field.name, value)


def _fill_message(part: Message, field: Any, facts: Mapping[str, str]) -> None:
    name = part.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        ahead = timedelta(days=1) if field.name.endswith(("until", "_to", "expire_time")) else timedelta(0)
        behind = timedelta(hours=2) if field.name.endswith("from") else timedelta(0)
        part.FromDatetime(datetime.now(UTC) + ahead - behind)  # type: ignore[attr-defined]
    elif name == "alpr.type.v1.Justification":
        for key, value in JUSTIFICATION.items():
            setattr(part, key, value)
    elif not name.startswith("google."):
        _fill(part, facts, frozenset())


def _value(field: Any, facts: Mapping[str, str]) -> Any:
    name = field.name
    if name in facts:
        return facts[name]
    if name in _UNSET:
        return None
    if field.type == FieldDescriptor.TYPE_STRING:
        return str(uuid4()) if name.endswith("_id") else _WORDS.get(name)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes(_DIGEST_BYTES) if "sha256" in name else None
    return 1 if field.type == FieldDescriptor.TYPE_ENUM else None


def _put(message: Message, name: str, value: Any) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        target = getattr(message, name)
        for one in value:
            if isinstance(one, Mapping | Message):
                _put_all(target.add(), one)
            else:
                target.append(one)
    elif isinstance(value, Mapping):
        _merge(getattr(message, name), value)
    elif isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


def _merge(part: Message, values: Mapping[str, Any]) -> None:
    part.Clear()
    _put_all(part, values)


def _put_all(part: Message, values: Mapping[str, Any] | Message) -> None:
    if isinstance(values, Message):
        part.CopyFrom(values)
        return
    part.SetInParent()
    for name, value in values.items():
        _put(part, name, value)
