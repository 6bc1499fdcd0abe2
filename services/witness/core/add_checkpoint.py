"""The request and the decision of `add-checkpoint` (c2sp.org/tlog-witness). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.common.merkle import EMPTY_ROOT, HASH_BYTES, is_consistent
from services.common.tlog import Note, NoteError, TreeHead, decode, size_of

_MOST_HASHES = 63


class Verdict(Enum):
    """What a witness answers; the value is the HTTP status."""

    ACCEPTED = 200
    MALFORMED = 400
    NOT_TRUSTED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    INCONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint, and the proof that leads to it from the tree of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: Note


def parse_request(body: bytes) -> Request:
    """The request.

    Raises:
        NoteError: It is none.
    """
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise NoteError("the request is no text") from None
    first, *lines = head.split("\n")
    if not blank or not first.startswith("old ") or len(lines) > _MOST_HASHES:
        raise NoteError("the request is not one of old size, proof and checkpoint")
    proof = tuple(decode(line) for line in lines)
    if any(len(one) != HASH_BYTES for one in proof):
        raise NoteError("a hash of the proof is not 32 bytes long")
    return Request(size_of(first.removeprefix("old ")), proof, Note.parse(note))


def judge(known: TreeHead | None, request: Request) -> Verdict:
    """Whether the witness signs, given what it signed last of that log; the log's signature holds.

    Anything that is not a continuation of what it signed is refused.
    """
    head = request.note.head
    known = known or TreeHead(head.origin, 0, EMPTY_ROOT)
    if request.old > head.size:
        return Verdict.MALFORMED
    if request.old != known.size:
        return Verdict.CONFLICT
    if head.size == known.size:
        return Verdict.ACCEPTED if head.root == known.root and not request.proof else Verdict.CONFLICT
    if is_consistent((known.size, known.root), (head.size, head.root), request.proof):
        return Verdict.ACCEPTED
    return Verdict.INCONSISTENT


def shows_a_fork(known: TreeHead | None, request: Request, verdict: Verdict) -> bool:
    """True when the refused checkpoint, which the log signed, cannot belong to the tree of before.

    Two roots for one size are proof for everybody; where no proof leads to it, the log owes one.
    """
    if verdict is Verdict.INCONSISTENT:
        return True
    head = request.note.head
    return known is not None and head.size == known.size and head.root != known.root
