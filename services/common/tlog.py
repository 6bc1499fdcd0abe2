"""Signed notes, checkpoints, cosignatures (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature). Pure."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
KEY_ID_BYTES = 4
_KEY_BYTES = 32
_HASH_BYTES = 32
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64
_MOST_SIGNATURES = 100
_DASH = "\N{EM DASH}"
# A size beyond this belongs to no tree (tlog-cosignature: times and sizes are 63-bit numbers).
_MOST = 2**63 - 1


class NoteError(Exception):
    """A text is no signed note, checkpoint or key, or a signature does not hold; one sentence."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Somebody's public key: a log's (`ED25519`) or a witness's (`COSIGNATURE`).

    `others` are keys of the same name that sign beside it or signed before it: a log's key is replaced by
    another one step by step.
    """

    name: str
    algorithm: bytes
    key: bytes
    others: tuple[VerifierKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key of a line "name+id+key" (signed-note).

        Raises:
            NoteError: It is none, or of an algorithm that is not ours.
        """
        parts = text.strip().split("+", 2)
        raw = decode(parts[2]) if len(parts) == 3 else b""  # noqa: PLR2004 - name, id and key
        made = cls(parts[0], raw[:1], raw[1:])
        if len(made.key) != _KEY_BYTES or made.algorithm not in {ED25519, COSIGNATURE}:
            raise NoteError("the public key is not a line name+id+key of an Ed25519 key")
        if made.key_id.hex() != parts[1] or not is_name(made.name):
            raise NoteError("the public key's id does not belong to it")
        return made

    @property
    def key_id(self) -> bytes:
        """Its id, 4 bytes."""
        return key_id(self.name, self.algorithm, self.key)

    def text(self) -> str:
        """The line "name+id+key"."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(self.algorithm + self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line, with its line feed."""
        return f"{_DASH} {self.name} {b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a checkpoint says: whose log, how many entries, the root over them."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note that is a checkpoint. No signature of it has been looked at."""

    body: str
    head: TreeHead
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, text: str) -> Note:
        """The note.

        Raises:
            NoteError: The text is no checkpoint.
        """
        body, blank, lines = text.rpartition("\n\n")
        if not blank or not lines.endswith("\n") or len(lines.splitlines()) > _MOST_SIGNATURES:
            raise NoteError("the text is no signed note")
        return cls(
            f"{body}\n", _head(f"{body}\n"), tuple(_signature(line) for line in lines[:-1].split("\n"))
        )

    def text(self) -> str:
        """The note as text."""
        return f"{self.body}\n" + "".join(one.line() for one in self.signatures)

    def with_only(self, signatures: Sequence[Signature]) -> Note:
        """The note with these signatures and no others."""
        return Note(self.body, self.head, tuple(signatures))

    def signature_of(self, key: VerifierKey) -> Signature:
        """The signature of a log's key, or of one of its `others`, which holds.

        Raises:
            NoteError: There is none, or it does not hold.
        """
        for mine in (key, *key.others):
            for one in self._by(mine):
                if _holds(mine, self.body.encode(), one.signature):
                    return one
        raise NoteError("the checkpoint has no signature of that key that holds")

    def cosigned_at(self, key: VerifierKey) -> int:
        """When the witness signed, seconds since 1970; its signature holds.

        Raises:
            NoteError: There is none, or it does not hold.
        """
        for one in self._by(key):
            time = int.from_bytes(one.signature[:_TIME_BYTES])
            if _holds(key, cosigned_message(time, self.body), one.signature[_TIME_BYTES:]):
                return time
        raise NoteError("the checkpoint has no signature of that witness that holds")

    def _by(self, key: VerifierKey) -> list[Signature]:
        return [one for one in self.signatures if (one.name, one.key_id) == (key.name, key.key_id)]


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's name and key."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier_key(self) -> VerifierKey:
        """What those need who check its signatures."""
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return VerifierKey(self.name, COSIGNATURE, raw)

    def cosign(self, body: str, time: int) -> Signature:
        """The witness's signature over a checkpoint's body at `time`, seconds since 1970."""
        signature = time.to_bytes(_TIME_BYTES) + self.key.sign(cosigned_message(time, body))
        return Signature(self.name, self.verifier_key.key_id, signature)


def cosigned_message(time: int, body: str) -> bytes:
    """What a witness signs (tlog-cosignature)."""
    return f"cosignature/v1\ntime {time}\n{body}".encode()


def key_id(name: str, algorithm: bytes, key: bytes) -> bytes:
    """Id of a key under a name, 4 bytes (signed-note)."""
    return sha256(name.encode() + b"\n" + algorithm + key).digest()[:KEY_ID_BYTES]


def is_name(text: str) -> bool:
    """True when `text` may name a log or witness: printable ASCII without space and plus (signed-note)."""
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & {" ", "+"}


def decode(text: str) -> bytes:
    """The bytes of canonical base64.

    Raises:
        NoteError: It is not canonical.
    """
    try:
        raw = b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise NoteError("a part is not base64") from None
    if b64encode(raw).decode() != text:
        raise NoteError("a part is not canonical base64")
    return raw


def size_of(text: str) -> int:
    """A number of entries as checkpoints spell it.

    Raises:
        NoteError: It is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(_MOST)) or str(int(text)) != text:
        raise NoteError("a size is no decimal number")
    if int(text) > _MOST:
        raise NoteError("a size is too large")
    return int(text)


def _head(body: str) -> TreeHead:
    lines = body.split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[3:-1]:  # noqa: PLR2004 - origin, size, root, end
        raise NoteError("the checkpoint is not one of origin, size and root")
    root = decode(lines[2])
    if len(root) != _HASH_BYTES:
        raise NoteError("the checkpoint's root is not 32 bytes long")
    return TreeHead(lines[0], size_of(lines[1]), root)


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    raw = decode(encoded)
    if dash != _DASH or not is_name(name) or len(raw) <= KEY_ID_BYTES:
        raise NoteError("a line is no signature of a note")
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def _holds(key: VerifierKey, message: bytes, signature: bytes) -> bool:
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
