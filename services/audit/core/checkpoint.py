"""Checkpoints, signed notes and proofs (c2sp.org/tlog-checkpoint, signed-note, tlog-proof)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.common.tlog import ED25519, Note, NoteError, TreeHead, VerifierKey, is_name
from services.common.tlog import Signature as NoteSignature


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of the log's size and root."""

    size: int
    text: str


@dataclass(frozen=True)
class Signer:
    """The log's identity: its origin and its key.

    While one key takes another's place both sign, so that whoever knows either can check.

    Attributes:
        others: Keys that sign, too.
        former: Keys that signed once; what they signed is the log's still.
    """

    origin: str
    key: Ed25519PrivateKey
    others: tuple[Ed25519PrivateKey, ...] = ()
    former: tuple[Ed25519PublicKey, ...] = ()

    def checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """The signed checkpoint of a tree. Ed25519 is deterministic: the same tree gives the same text.

        The only place where the log signs; another algorithm would be added here as a further signature line.
        """
        body = f"{self.origin}\n{size}\n{b64encode(root).decode()}\n"
        lines = [
            NoteSignature(self.origin, public.key_id, key.sign(body.encode())).line()
            for key, public in zip((self.key, *self.others), self._signing, strict=True)
        ]
        return Checkpoint(size, f"{body}\n{''.join(lines)}")

    def signed(self, text: str, size: int, root: bytes) -> bool:
        """Whether `text` is the checkpoint of that tree, signed by a key of this log, also a former one."""
        try:
            note = Note.parse(text)
            note.signature_of(self.public)
        except NoteError:
            return False
        return note.head == TreeHead(self.origin, size, root)

    @cached_property
    def _signing(self) -> tuple[VerifierKey, ...]:
        return tuple(self._public_of(one.public_key()) for one in (self.key, *self.others))

    @cached_property
    def public(self) -> VerifierKey:
        """The public key, with all others of the log."""
        first, *others = self._signing
        return replace(first, others=(*others, *map(self._public_of, self.former)))

    def _public_of(self, key: Ed25519PublicKey) -> VerifierKey:
        return VerifierKey(self.origin, ED25519, key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def verifier_key(self) -> str:
        """The public key as text, "origin+id+key" of the signed-note specification, for those who verify.

        A line for each key of the log; the first is the one that signs first.
        """
        return "\n".join(one.text() for one in (self.public, *self.public.others))


def is_origin(text: str) -> bool:
    """True when `text` may name a log: printable ASCII without space and plus (signed-note)."""
    return is_name(text)


def tlog_proof(index: int, hashes: Sequence[bytes], checkpoint: Checkpoint) -> str:
    """The proof as text: index, inclusion proof leaf side first, and the checkpoint that it leads to."""
    lines = "".join(f"{b64encode(one).decode()}\n" for one in hashes)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{lines}\n{checkpoint.text}"
