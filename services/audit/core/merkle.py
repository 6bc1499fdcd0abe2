"""The Merkle tree of the log in memory (RFC 6962 2.1, RFC 9162 2.1): roots and proofs."""

from __future__ import annotations

from services.common.merkle import HASH_BYTES, node_hash


class Tree:
    """All hashes of a tree in memory, 64 bytes a leaf, for proofs in logarithmic time."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Adds a leaf by its hash and closes every subtree that it completes."""
        position, level = self.size, 0
        self._levels[0] += leaf
        while position & 1:
            below = self._levels[level]
            parent = node_hash(bytes(below[-2 * HASH_BYTES : -HASH_BYTES]), bytes(below[-HASH_BYTES:]))
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += parent
            position >>= 1

    def leaf(self, index: int) -> bytes:
        """Hash of the leaf at `index`."""
        return self._complete(0, index)

    def root(self, size: int) -> bytes:
        """Root of the tree of the first `size` leaves, 1 to `self.size`."""
        return self._subtree((size - 1).bit_length(), 0, size)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Hashes that lead, leaf side first, from leaf `index` to the root of `size` leaves (RFC 9162 2.1.3).

        Raises:
            ValueError: `index` or `size` lies outside the tree.
        """
        if not 0 <= index < size <= self.size:
            msg = "no such leaf in a tree of this size"
            raise ValueError(msg)
        proof, level = [], 0
        while (1 << level) < size:
            sibling = (index >> level) ^ 1
            if (sibling << level) < size:
                proof.append(self._subtree(level, sibling, size))
            level += 1
        return proof

    def consistency_proof(self, first: int, second: int) -> list[bytes]:
        """Hashes that show the tree of `first` leaves to begin that of `second` (RFC 9162 2.1.4.1).

        Raises:
            ValueError: not 1 <= `first` <= `second` <= size.
        """
        if not 1 <= first <= second <= self.size:
            msg = "no such sizes in this tree"
            raise ValueError(msg)
        proof: list[bytes] = []
        self._consistency(first, (0, second), proof, whole=True)
        return proof

    def _consistency(self, first: int, span: tuple[int, int], proof: list[bytes], *, whole: bool) -> None:
        """SUBPROOF of RFC 9162 2.1.4.1 over the leaves `span`; `first` counts from the span's start."""
        start, end = span
        size = end - start
        if first == size:
            if not whole:
                proof.append(self._range(start, end))
            return
        split = 1 << ((size - 1).bit_length() - 1)
        if first <= split:
            self._consistency(first, (start, start + split), proof, whole=whole)
            proof.append(self._range(start + split, end))
        else:
            self._consistency(first - split, (start + split, end), proof, whole=False)
            proof.append(self._range(start, start + split))

    def _range(self, start: int, end: int) -> bytes:
        """Root of the leaves `start` to `end`; `start` is a multiple of the power of two that holds them."""
        level = (end - start - 1).bit_length()
        return self._subtree(level, start >> level, end)

    def _subtree(self, level: int, index: int, size: int) -> bytes:
        """Root of the subtree `index` of `level`, cut off at leaf `size`."""
        if ((index + 1) << level) <= size:
            return self._complete(level, index)
        left = self._subtree(level - 1, 2 * index, size)
        if ((2 * index + 1) << (level - 1)) >= size:
            return left
        return node_hash(left, self._subtree(level - 1, 2 * index + 1, size))

    def _complete(self, level: int, index: int) -> bytes:
        at = index * HASH_BYTES
        return bytes(self._levels[level][at : at + HASH_BYTES])
