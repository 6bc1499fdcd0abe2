"""The tree gives what RFC 6962 and a second implementation give."""

import hashlib

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.merkle import Tree
from services.audit.verifier import root_of_proof
from services.common.merkle import Frontier, leaf_hash, node_hash

# The eight leaves that Certificate Transparency's own tests use, and the roots of their first n.
LEAVES = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree


def test_roots_are_those_that_are_published() -> None:
    tree = tree_of(LEAVES)

    assert [tree.root(size).hex() for size in range(1, 9)] == list(ROOTS)


def test_the_frontier_gives_the_same_roots_and_the_empty_tree_the_hash_of_nothing() -> None:
    frontier = Frontier()
    assert frontier.root() == hashlib.sha256(b"").digest()

    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        frontier = frontier.extended([leaf_hash(leaf)])
        assert frontier.root().hex() == root


def test_an_inclusion_proof_is_the_published_one() -> None:
    proof = tree_of(LEAVES).inclusion_proof(0, 8)

    assert [one.hex() for one in proof] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_a_consistency_proof_is_the_published_one() -> None:
    proof = tree_of(LEAVES).consistency_proof(6, 8)

    assert [one.hex() for one in proof] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=70), st.data())
def test_roots_and_inclusion_proofs_agree_with_a_second_implementation(
    leaves: list[bytes], data: st.DataObject
) -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        oracle.append_entry(leaf)
    tree, size = tree_of(leaves), data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))

    assert tree.root(size) == oracle.get_root(size)
    proof = tree.inclusion_proof(index, size)
    assert root_of_proof(index, size, leaves[index], proof) == oracle.get_root(size)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
def test_consistency_proofs_lead_from_the_older_root_to_the_newer(
    leaves: list[bytes], data: st.DataObject
) -> None:
    tree = tree_of(leaves)
    second = data.draw(st.integers(1, len(leaves)))
    first = data.draw(st.integers(1, second))

    assert roots_of(first, second, tree.root(first), tree.consistency_proof(first, second)) == (
        tree.root(first),
        tree.root(second),
    )


def roots_of(first: int, second: int, first_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Older and newer root as RFC 9162 2.1.4.2 computes them."""
    if first == second:
        return first_root, first_root
    path = [first_root, *proof] if first & (first - 1) == 0 else proof
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = path[0]
    for one in path[1:]:
        if at & 1 or at == last:
            older, newer = node_hash(one, older), node_hash(one, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = node_hash(newer, one)
        at, last = at >> 1, last >> 1
    return older, newer


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_a_frontier_survives_its_bytes(leaves: list[bytes]) -> None:
    frontier = Frontier().extended(map(leaf_hash, leaves))

    assert Frontier.from_bytes(frontier.size, frontier.to_bytes()) == frontier


@pytest.mark.parametrize(("size", "raw"), [(1, b""), (3, b"x" * 32), (-1, b"")])
def test_a_frontier_of_another_size_is_refused(size: int, raw: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier.from_bytes(size, raw)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 2), (0, 9)])
def test_there_is_no_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        tree_of(LEAVES).inclusion_proof(index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (1, 9)])
def test_there_is_no_consistency_proof_outside_the_tree(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no such sizes"):
        tree_of(LEAVES).consistency_proof(first, second)
