"""Hashes, frontier and consistency proofs of Merkle trees (RFC 6962 2.1, RFC 9162 2.1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf, 32 bytes. The prefix keeps leaves and nodes apart (RFC 6962 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed to go on with a tree: its size and the roots of its complete subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @classmethod
    def from_bytes(cls, size: int, raw: bytes) -> Frontier:
        """The frontier that `to_bytes` wrote.

        Raises:
            ValueError: `raw` does not hold one hash for each bit that is set in `size`.
        """
        if size < 0 or len(raw) != size.bit_count() * HASH_BYTES:
            msg = "the frontier does not belong to a tree of this size"
            raise ValueError(msg)
        return cls(size, tuple(raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """The peaks one after another, 32 bytes each."""
        return b"".join(self.peaks)

    def extended(self, hashes: Iterable[bytes]) -> Frontier:
        """The frontier after leaves with these hashes were added."""
        size, peaks = self.size, list(self.peaks)
        for leaf in hashes:
            carry, bits = leaf, size
            while bits & 1:
                carry = node_hash(peaks.pop(), carry)
                bits >>= 1
            peaks.append(carry)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """Root of the tree, 32 bytes; of an empty tree the hash of nothing."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def is_consistent(older: tuple[int, bytes], newer: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """True when `proof` shows the tree `older` to be a beginning of `newer` (RFC 9162 2.1.4.2).

    Args:
        older: Size and root.
        newer: Size and root.
        proof: Hashes as in RFC 9162 2.1.4.1; empty when the sizes are the same or the older tree is empty.
    """
    (first, first_root), (second, second_root) = older, newer
    if first > second or first < 0:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    path = list(proof)
    if first & (first - 1) == 0:  # the older tree is a complete subtree: its root is no part of the proof
        path.insert(0, first_root)
    return _walk(first, second, path) == (first_root, second_root)


def _walk(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots to which `path` leads; None when it has another length than it must have."""
    if not path:
        return None
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for one in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, one)
        at, last = at >> 1, last >> 1
    return None if last else (old, new)
