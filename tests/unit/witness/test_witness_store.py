"""The witness's decisions and its store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.core.checkpoint import Signer
from services.audit.core.merkle import Tree
from services.common.config import StartError
from services.common.merkle import EMPTY_ROOT, leaf_hash
from services.common.tlog import Cosigner, Note, NoteError
from services.witness.core.add_checkpoint import Request, Verdict, parse_request
from services.witness.store import CopiedEntry, CopyError, WitnessStore
from tests.support.witness_kit import format_request

SIGNER = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Cosigner("witness.test/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
SIZE = 16
LEAVES = [f"leaf {number}".encode() for number in range(SIZE)]
OTHERS = [*LEAVES[:5], b"another", *LEAVES[6:]]


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for one in leaves:
        tree.append(leaf_hash(one))
    return tree


HONEST, REWRITTEN = tree_of(LEAVES), tree_of(OTHERS)


def note(size: int, tree: Tree = HONEST) -> Note:
    return Note.parse(SIGNER.checkpoint(size, tree.root(size) if size else EMPTY_ROOT).text)


def request(old: int, size: int, tree: Tree = HONEST) -> Request:
    proof = tuple(tree.consistency_proof(old, size)) if 0 < old < size else ()
    return Request(old, proof, note(size, tree))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    opened = WitnessStore(tmp_path / "store")
    yield opened
    opened.close()


def add(store: WitnessStore, asked: Request) -> Verdict:
    return store.add(asked, lambda body: WITNESS.cosign(body, 1), 1).verdict


def newest(store: WitnessStore) -> int:
    found = store.newest("audit.test/log")
    return found.head.size if found else 0


@settings(max_examples=15, deadline=None)  # the disk is waited for
@given(st.lists(st.integers(0, SIZE), min_size=1, max_size=6).map(sorted))
def test_any_growth_of_one_log_is_signed(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    store = WitnessStore(tmp_path_factory.mktemp("store"))
    try:
        for size in sizes:
            assert add(store, request(newest(store), size)) is Verdict.ACCEPTED
        assert newest(store) == sizes[-1]
    finally:
        store.close()


class ReaderMeanwhile(WitnessStore):
    """Reads a copy, in the middle of which the witness wants to go on."""

    def copies(self, origin: str) -> Iterator[CopiedEntry]:
        self.refused_while_reading = False
        try:
            self.witness.copy(origin, [CopiedEntry(8, LEAVES[8], b"sealed")], note(9), 0)
        except sqlite3.OperationalError:
            self.refused_while_reading = True
        return super().copies(origin)

    witness: WitnessStore


def test_a_copy_is_written_of_one_moment_and_the_witness_goes_on_after_it(
    store: WitnessStore, tmp_path: Path
) -> None:
    first = [CopiedEntry(number, LEAVES[number], b"sealed") for number in range(8)]
    add(store, request(0, 8))
    store.copy("audit.test/log", first, note(8), 0)
    reader = ReaderMeanwhile(tmp_path / "store", only_read=True)
    reader.witness = store

    written = reader.write_copy("audit.test/log", tmp_path / "copy")
    refused = reader.refused_while_reading
    reader.close()
    store.copy("audit.test/log", [CopiedEntry(8, LEAVES[8], b"sealed")], note(9), 0)

    assert written == 8
    assert refused
    assert len((tmp_path / "copy").read_text().splitlines()) == 1 + 8 + 1
    assert store.copy_state("audit.test/log").frontier.size == 9


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize(
    ("asked", "verdict", "evidence"),
    [
        (request(8, 12, REWRITTEN), Verdict.INCONSISTENT, 1),
        (request(8, 8, REWRITTEN), Verdict.CONFLICT, 1),
        (request(4, 12), Verdict.CONFLICT, 0),  # from another size than was signed: no harm, and no signature
        (request(0, 12), Verdict.CONFLICT, 0),
        (request(0, 6, REWRITTEN), Verdict.CONFLICT, 0),
        (Request(8, (), note(6)), Verdict.MALFORMED, 0),
        (Request(8, (bytes(32),), note(12)), Verdict.INCONSISTENT, 1),
        (Request(8, (), note(12)), Verdict.INCONSISTENT, 1),
        (Request(8, (bytes(32),), note(8)), Verdict.CONFLICT, 0),
    ],
)
def test_what_is_no_continuation_is_not_signed(
    store: WitnessStore, asked: Request, verdict: Verdict, evidence: int
) -> None:
    add(store, request(0, 8))

    assert add(store, asked) is verdict

    assert newest(store) == 8
    assert len(store.refused("audit.test/log")) == evidence


def test_what_was_signed_survives_and_is_signed_again(store: WitnessStore, tmp_path: Path) -> None:
    add(store, request(0, 8))
    store.close()

    again = WitnessStore(tmp_path / "store")
    try:
        assert add(again, request(8, 8)) is Verdict.ACCEPTED
        assert add(again, request(8, 10)) is Verdict.ACCEPTED
        kept = [Note.parse(one) for one in again.witnessed("audit.test/log")]
        assert [one.head.size for one in kept] == [8, 10]
        assert all(one.cosigned_at(WITNESS.verifier_key) == 1 for one in kept)
    finally:
        again.close()


def test_two_witnesses_never_share_a_store(store: WitnessStore, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="another witness"):
        WitnessStore(tmp_path / "store")
    reader = WitnessStore(tmp_path / "store", only_read=True)
    assert reader.origins() == []
    reader.close()


# --- the copy ---


def copied(first: int, end: int, leaves: list[bytes] = LEAVES) -> list[CopiedEntry]:
    return [CopiedEntry(index, leaves[index], b"sealed") for index in range(first, end)]


def test_a_copy_grows_with_its_log_and_takes_redactions(store: WitnessStore) -> None:
    store.copy("audit.test/log", copied(0, 5), note(5), 0)
    store.copy("audit.test/log", [CopiedEntry(2, LEAVES[2], b"less"), *copied(5, 9)], note(9), 1)

    state = store.copy_state("audit.test/log")
    found = list(store.copies("audit.test/log"))
    assert (state.frontier.size, state.redactions) == (9, 1)
    assert [one.log_index for one in found] == list(range(9))
    assert found[2].sealed == b"less"


@pytest.mark.parametrize(
    ("entries", "end"),
    [
        (copied(5, 9, [*LEAVES[:6], b"x", *LEAVES[7:]]), note(9)),
        (copied(6, 9), note(9)),
        (copied(5, 8), note(9)),
        ([CopiedEntry(2, b"other", b"x"), *copied(5, 9)], note(9)),
        (copied(5, 9), note(9, REWRITTEN)),
    ],
)
def test_what_does_not_belong_to_the_log_does_not_come_into_its_copy(
    store: WitnessStore, entries: list[CopiedEntry], end: Note
) -> None:
    store.copy("audit.test/log", copied(0, 5), note(5), 0)

    with pytest.raises(CopyError):
        store.copy("audit.test/log", entries, end, 0)

    assert store.copy_state("audit.test/log").frontier.size == 5
    assert all(one.sealed == b"sealed" for one in store.copies("audit.test/log"))


# --- the request ---


@given(st.integers(0, SIZE), st.integers(1, SIZE))
def test_a_request_survives_the_way_there_and_back(old: int, size: int) -> None:
    asked = request(min(old, size), size)

    assert parse_request(format_request(asked)) == asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"\xff",
        b"old 01\n\n" + note(3).text().encode(),
        b"old -1\n\n" + note(3).text().encode(),
        b"new 1\n\n" + note(3).text().encode(),
        b"old 1\nAAAA\n\n" + note(3).text().encode(),
        b"old 1\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + note(3).text().encode(),
        b"old 1\n\nno checkpoint\n",
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(NoteError):
        parse_request(body)
