"""The second place of checkpoints, sealed entries, and what exports for one person or case show."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.audit.checkpoint_copies import CheckpointFolder, Copier
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import Entry, make_entry
from services.audit.core.log_question import NEVER_REDACTED, SELECTING, Selection, names_of, showing
from services.audit.core.seal import Sealer, SealError
from services.audit.metrics import COPIES_FAILED
from services.audit.verifier import ALWAYS_OPEN as VERIFIER_OPEN
from services.audit.verifier import SHOWN as VERIFIER_SHOWN

SIGNER = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SEALER = Sealer("audit.test/log", bytes(range(32)))
TIME = "2026-11-26T08:00:00.000000Z"


def checkpoint(size: int) -> str:
    return SIGNER.checkpoint(size, bytes([size]) * 32).text


def entry(number: int = 0, **values: str) -> Entry:
    usual = {"entry_id": f"entry-{number}", "kind": "query", "record_time": TIME, "purpose": "x"}
    return make_entry(f"key-{number}", {**usual, **values}, bytes)


# --- the second place ---


def test_only_a_larger_checkpoint_takes_the_place_of_one(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "audit.test/log")
    assert folder.newest() is None

    for size in (3, 7, 5, 7):
        folder.keep(checkpoint(size))

    newest = folder.newest()
    assert newest
    assert newest.text() == checkpoint(7)


def test_logs_have_files_of_their_own(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path, "audit.test/log").keep(checkpoint(3))

    assert CheckpointFolder(tmp_path, "audit.test/other").newest() is None


async def test_the_last_checkpoint_is_copied_before_the_end(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "audit.test/log")
    copier = Copier(folder)

    for size in range(1, 9):
        copier.offer(checkpoint(size))
    await copier.close()

    newest = folder.newest()
    assert newest
    assert newest.head.size == 8


async def test_a_second_place_that_is_away_is_counted_and_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "away"
    folder = CheckpointFolder(place, "audit.test/log")
    copier, before = Copier(folder), COPIES_FAILED._value.get()
    copier.offer(checkpoint(1))
    async with asyncio.timeout(60):
        while COPIES_FAILED._value.get() == before:  # noqa: ASYNC110 - another task counts
            await asyncio.sleep(0.01)

    place.mkdir()
    await copier.close()

    newest = folder.newest()
    assert newest
    assert newest.head.size == 1


# --- sealed entries ---


@given(st.text(max_size=200).filter(bool), st.integers(0, 10**9))
def test_a_sealed_entry_opens_as_it_was(purpose: str, place: int) -> None:
    one = entry(purpose=purpose)

    opened = SEALER.open(place, one.leaf, SEALER.seal(place, one, TIME, bytes(12)))

    assert (opened.entry, opened.record_time) == (one, TIME)


@pytest.mark.clause("III.B.3.q")
def test_a_sealed_entry_shows_nothing_and_opens_nowhere_else() -> None:
    one = entry(purpose="homicide investigation")
    sealed = SEALER.seal(4, one, TIME, bytes(12))
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])

    assert b"homicide" not in sealed
    for sealer, place, leaf, text in (
        (SEALER, 5, one.leaf, sealed),
        (SEALER, 4, entry(1).leaf, sealed),
        (SEALER, 4, one.leaf, changed),
        (SEALER, 4, one.leaf, b""),
        (Sealer("audit.test/other", SEALER.key), 4, one.leaf, sealed),
        (Sealer("audit.test/log", bytes(32)), 4, one.leaf, sealed),
    ):
        with pytest.raises(SealError):
            sealer.open(place, leaf, text)


# --- what is shown ---


def test_what_exports_show_is_what_the_verifier_looks_for() -> None:
    assert frozenset(VERIFIER_SHOWN) == SELECTING
    assert set(VERIFIER_OPEN) <= NEVER_REDACTED


def test_an_entry_is_shown_with_the_named_fields_and_those_by_which_it_is_known() -> None:
    one = entry(question="plate:AB1234", actor="anna")

    shown = showing(one, ["actor", "no_such_field"])

    assert {field.name for field in shown.fields} == {"entry_id", "kind", "record_time", "actor"}
    assert shown.leaf == one.leaf
    assert names_of(shown) == {"entry_id", "kind", "record_time", "purpose", "question", "actor"}


def test_a_selection_follows_what_belongs_to_a_case() -> None:
    selection = Selection(case_number="C-1")
    question = entry(1, case_number="C-1", question="q", actor="anna")
    outcome = entry(2, kind="outcome", subject="entry-1", row_count="3", actor="anna")
    other = entry(3, case_number="C-2", question="q", actor="anna")
    act = replace(entry(4, kind="intent", action="log.redact", resource="entry-3"))

    assert selection.shown(question) == question
    assert selection.shown(outcome) == outcome
    assert not selection.shown(other).value("question")
    assert selection.shown(other).value("case_number") == "C-2"
    assert selection.shown(act) == act
    assert Selection().shown(other) == other
