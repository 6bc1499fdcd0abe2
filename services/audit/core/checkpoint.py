"""Checkpoints, signed notes and proofs (c2sp.org/tlog-checkpoint, signed-note, tlog-proof)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.common.tlog import ED25519, VerifierKey, is_name
from services.common.tlog import Signature as NoteSignature


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of the log's size and root."""

    size: int
    text: str


@dataclass(frozen=True)
class Signer:
    """The log's identity: its origin and its key."""

    origin: str
    key: Ed25519PrivateKey

    def checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """The signed checkpoint of a tree. Ed25519 is deterministic: the same tree gives the same text.

        The only place where the log signs; another algorithm would be added here as a second signature line.
        """
        body = f"{self.origin}\n{size}\n{b64encode(root).decode()}\n"
        own = self.public
        signature = NoteSignature(self.origin, own.key_id, self.key.sign(body.encode()))
        return Checkpoint(size, f"{body}\n{signature.line()}")

    @cached_property
    def public(self) -> VerifierKey:
        """The public key."""
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return VerifierKey(self.origin, ED25519, raw)

    def verifier_key(self) -> str:
        """The public key as text, "origin+id+key" of the signed-note specification, for those who verify."""
        return self.public.text()


def is_origin(text: str) -> bool:
    """True when `text` may name a log: printable ASCII without space and plus (signed-note)."""
    return is_name(text)


def tlog_proof(index: int, hashes: Sequence[bytes], checkpoint: Checkpoint) -> str:
    """The proof as text: index, inclusion proof leaf side first, and the checkpoint that it leads to."""
    lines = "".join(f"{b64encode(one).decode()}\n" for one in hashes)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{lines}\n{checkpoint.text}"
