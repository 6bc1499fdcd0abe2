"""Entries of the log: fields with salted commitments, and the leaf that binds them together.

A leaf holds commitments only, so that one field can be shown, or lawfully redacted, while every proof stays
valid.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

HEADER = "platewarden.log.entry/v1\n"
SALT_BYTES = 16

# Name of the field by which a request that comes again is told from another one with the same id. It is a
# field and no column, because it must go when the fields that it was made from are redacted.
REQUEST_DIGEST = "request_digest"


class EntryKind(StrEnum):
    """What an entry records."""

    QUERY = "query"
    REFUSAL = "refusal"
    INTENT = "intent"
    OUTCOME = "outcome"
    EVENT = "event"
    GENESIS = "genesis"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an entry with the salt that opens its commitment."""

    name: str
    salt: bytes
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as committed to: its fields sorted by name, and the leaf made from them."""

    entry_id: str
    request_key: str
    fields: tuple[Field, ...]
    leaf: bytes

    def value(self, name: str) -> str:
        """The field's text, or "" when the entry has no such field."""
        return next((field.value for field in self.fields if field.name == name), "")


def commitment(field: Field) -> bytes:
    """SHA-256(salt || name || 0x00 || value), 32 bytes."""
    return sha256(field.salt + field.name.encode() + b"\x00" + field.value.encode()).digest()


def leaf_of(fields: tuple[Field, ...]) -> bytes:
    """The leaf of an entry with these fields, which are sorted by name."""
    lines = [f"{field.name} {b64encode(commitment(field)).decode()}\n" for field in fields]
    return (HEADER + "".join(lines)).encode()


def make_entry(request_key: str, values: Mapping[str, str], salt: Callable[[int], bytes]) -> Entry:
    """The entry of `values`; empty ones are left out.

    Args:
        request_key: Unique in the log; an entry with the same key is the same request.
        values: Text by field name; must hold `entry_id`.
        salt: Gives that many random bytes.
    """
    named = sorted((name, value) for name, value in values.items() if value)
    salts = salt(SALT_BYTES * len(named))  # one call to the system for all of them
    fields = tuple(
        Field(name, salts[SALT_BYTES * place : SALT_BYTES * (place + 1)], value)
        for place, (name, value) in enumerate(named)
    )
    return Entry(values["entry_id"], request_key, fields, leaf_of(fields))


def digest_of(values: Mapping[str, str]) -> str:
    """SHA-256, in hex, over names and values; equal only when all of them are."""
    parts = (part.encode() for item in sorted(values.items()) for part in item)
    return sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()


def rfc3339(moment: datetime) -> str:
    """The moment in UTC with microseconds, for instance "2026-11-23T08:00:00.000000Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
