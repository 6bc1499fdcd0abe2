"""Consistency proofs as whoever checks them sees them."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.merkle import Tree
from services.common.merkle import EMPTY_ROOT, Frontier, is_consistent

SIZE = 40
HASHES = [sha256(bytes([number])).digest() for number in range(SIZE)]
TREE = Tree()
for _one in HASHES:
    TREE.append(_one)


def at(size: int) -> tuple[int, bytes]:
    return size, Frontier().extended(HASHES[:size]).root()


@given(st.data())
def test_every_beginning_of_a_tree_is_proven(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, SIZE))
    first = data.draw(st.integers(1, second))

    assert is_consistent(at(first), at(second), TREE.consistency_proof(first, second))


@given(st.data())
def test_a_changed_proof_root_or_size_proves_nothing(data: st.DataObject) -> None:
    first = data.draw(st.integers(1, SIZE - 1))
    second = data.draw(st.integers(first + 1, SIZE))
    proof = TREE.consistency_proof(first, second)
    (_, old), (_, new) = at(first), at(second)
    other = bytes(32)

    assert not is_consistent((first, other), (second, new), proof)
    assert not is_consistent((first, old), (second, other), proof)
    assert not is_consistent((first, old), (second, new), [*proof, other])
    assert not is_consistent((first, old), (second, new), proof[:-1])
    assert not is_consistent((second, old), (first, new), proof)
    for place in range(len(proof)):
        changed = [*proof[:place], other, *proof[place + 1 :]]
        assert not is_consistent((first, old), (second, new), changed)


@pytest.mark.parametrize(
    ("older", "newer", "holds"),
    [
        ((0, EMPTY_ROOT), at(7), True),
        ((0, bytes(32)), at(7), False),
        (at(7), at(7), True),
        (at(7), (7, bytes(32)), False),
        ((-1, EMPTY_ROOT), at(7), False),
    ],
)
def test_trees_of_no_or_the_same_size_need_no_proof(
    older: tuple[int, bytes], newer: tuple[int, bytes], holds: bool
) -> None:
    assert is_consistent(older, newer, []) is holds
    assert not is_consistent(older, newer, [bytes(32)])
