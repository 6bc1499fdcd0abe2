"""Entries as the copy outside has them: the leaf in clear, all else sealed (AES-256-GCM)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.audit.core.entry import Entry, Field
from services.common.keyring import opened
from services.common.merkle import leaf_hash

_NONCE_BYTES = 12


class SealError(Exception):
    """A sealed entry does not open: another key, another place in the log, or it was changed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sealed entry holds. Fields that were redacted before it was sealed are not in it."""

    entry: Entry
    record_time: str


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals entries for the copy of one log, and opens them again."""

    origin: str
    key: bytes = field(repr=False)

    def seal(self, log_index: int, entry: Entry, record_time: str, nonce: bytes) -> bytes:
        """The sealed entry.

        Args:
            log_index: Its place; the entry opens there alone.
            entry: The entry, with the fields that are there still.
            record_time: RFC 3339.
            nonce: 12 random bytes.
        """
        fields = [[one.name, b64encode(one.salt).decode(), one.value] for one in entry.fields]
        parts = {
            "entry_id": entry.entry_id,
            "request_key": entry.request_key,
            "record_time": record_time,
            "fields": fields,
        }
        text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
        return nonce + AESGCM(self.key).encrypt(nonce, text, self._bound(log_index, entry.leaf))

    def open(self, log_index: int, leaf: bytes, sealed: bytes) -> Opened:
        """What `seal` sealed.

        Raises:
            SealError: It was sealed with another key, for another place or leaf, or was changed.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        bound = self._bound(log_index, leaf)
        try:
            text = opened(self.key, lambda one: AESGCM(one).decrypt(nonce, rest, bound), InvalidTag)
            parts = json.loads(text)
        except (InvalidTag, ValueError):
            msg = f"entry {log_index} of the copy does not open"
            raise SealError(msg) from None
        fields = tuple(Field(name, b64decode(salt), value) for name, salt, value in parts["fields"])
        return Opened(Entry(parts["entry_id"], parts["request_key"], fields, leaf), parts["record_time"])

    def _bound(self, log_index: int, leaf: bytes) -> bytes:
        return f"{self.origin}\n{log_index}\n".encode() + leaf_hash(leaf)
