"""The offline verifier against a log that was made anew by somebody who has the log's own key."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr.audit.v1.log_service_pb2 import ExportLogResponse, LogEntry
from alpr.type.v1.receipt_pb2 import OpenedField
from services.audit import verifier
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import Entry, make_entry
from services.audit.core.merkle import Tree
from services.audit.verifier import VerificationError, Wanted, main, read_public_key, verify_exports
from services.common.merkle import leaf_hash
from services.common.receipts import export_header, export_line
from services.common.tlog import Cosigner, Note

SIGNER = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Cosigner("witness.test/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEY = read_public_key(SIGNER.verifier_key())
SIZE = 12


def entry(number: int, **values: str) -> Entry:
    usual = {"entry_id": f"entry-{number}", "kind": "event", "record_time": "2026-11-26T08:00:00.000000Z"}
    return make_entry(f"key-{number}", {**usual, **values}, lambda size: bytes([number] * size))


def tree_of(entries: Sequence[Entry]) -> Tree:
    tree = Tree()
    for one in entries:
        tree.append(leaf_hash(one.leaf))
    return tree


def checkpoint(entries: Sequence[Entry]) -> str:
    return SIGNER.checkpoint(len(entries), tree_of(entries).root(len(entries))).text


def cosigned(entries: Sequence[Entry], witness: Cosigner = WITNESS) -> str:
    note = Note.parse(checkpoint(entries))
    return note.with_only([*note.signatures, witness.cosign(note.body, 1_700_000_000)]).text()


def export(entries: Sequence[Entry], withheld: dict[int, set[str]] | None = None) -> bytes:
    lines = [export_header(checkpoint(entries), 0)]
    for index, one in enumerate(entries):
        fields = [
            OpenedField(name=field.name, salt=field.salt, value=field.value)
            for field in one.fields
            if field.name not in (withheld or {}).get(index, set())
        ]
        item = LogEntry(log_index=index, leaf=one.leaf, fields=fields)
        lines.append(export_line(ExportLogResponse(entry=item)))
    return "".join([*lines, export_line(ExportLogResponse(checkpoint=checkpoint(entries)))]).encode()


def verify(data: bytes, wanted: Wanted, jobs: int = 1) -> verifier.Report:
    return verify_exports([data.splitlines(keepends=True)], KEY, wanted=wanted, jobs=jobs)


HONEST = [entry(number, actor=f"officer-{number % 3}") for number in range(SIZE)]
# The same log, made anew with the log's own key after somebody's entry was given to somebody else.
REWRITTEN = [*HONEST[:4], entry(4, actor="another"), *HONEST[5:]]


def opened(text: str) -> verifier.Checkpoint:
    return verifier.open_checkpoint(text, KEY)


@pytest.mark.clause("IV.E.2")
def test_a_log_made_anew_with_its_own_key_differs_from_a_checkpoint_kept_elsewhere() -> None:
    alone = verify(export(REWRITTEN), Wanted(complete=True))

    assert alone.entries == SIZE  # by itself it looks whole: that is why checkpoints are kept elsewhere
    with pytest.raises(VerificationError, match="rewritten: the first 6 entries"):
        verify(export(REWRITTEN), Wanted(checkpoints=[opened(checkpoint(HONEST[:6]))]))


@pytest.mark.parametrize("size", [1, 4, SIZE])
def test_the_log_that_a_checkpoint_is_of_holds(size: int) -> None:
    report = verify(export(HONEST), Wanted(checkpoints=[opened(checkpoint(HONEST[:size]))]))

    assert report.witnessed == size


def test_a_log_that_was_cut_is_found_by_what_it_signed_before() -> None:
    with pytest.raises(VerificationError, match="covers 12 entries and the export ends after 9"):
        verify(export(HONEST[:9]), Wanted(checkpoints=[opened(checkpoint(HONEST))]))


def test_two_trees_of_one_size_are_a_fork() -> None:
    both = [opened(checkpoint(HONEST[:6])), opened(checkpoint(REWRITTEN[:6]))]

    with pytest.raises(VerificationError, match="forked: it signed two different trees of 6 entries"):
        verify(export(HONEST), Wanted(checkpoints=both))


def test_several_processes_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "_BLOCK", 5)
    changed = export(HONEST).replace(b"officer-1", b"officer-7", 3)

    assert verify(export(HONEST), Wanted(complete=True), jobs=2) == verify(export(HONEST), Wanted())
    with pytest.raises(VerificationError, match=r"entry 1 \(line 3\) shows a field 'actor'"):
        verify(changed, Wanted(), jobs=2)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda _number, _frame: None])
def test_a_program_that_takes_the_ending_signal_is_told_what_is_wrong_all_the_same(
    monkeypatch: pytest.MonkeyPatch, handler: signal.Handlers | Callable[[int, FrameType | None], None]
) -> None:
    monkeypatch.setattr(verifier, "_BLOCK", 5)
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(VerificationError, match="shows a field 'actor'"):
            verify(export(HONEST).replace(b"officer-1", b"officer-7", 3), Wanted(), jobs=3)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_that_somebody_ends_is_said_and_not_waited_for(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verifier, "check_block", ended)

    assert run(files, "honest.jsonl", "--jobs", "2") == 1
    assert "bad: a process that checked a part was ended" in capsys.readouterr().err


def ended(*_work: object, **_how: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.clause("IV.E.2")
def test_a_verifier_that_stands_alone_checks_in_several_processes(files: Path, tmp_path: Path) -> None:
    alone = shutil.copy(verifier.__file__, tmp_path / "verifier.py")
    (files / "bad.jsonl").write_bytes(export(HONEST).replace(b"officer-1", b"officer-7", 1))

    def check(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", alone, "--public-key", files / "key", "--jobs", "2", files / name]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603

    good, bad = check("honest.jsonl"), check("bad.jsonl")

    assert (good.returncode, good.stdout.splitlines()[0][:16]) == (0, "good: 12 entries")
    assert (bad.returncode, bad.stderr[:12]) == (1, "bad: entry 1")


# --- with a witness ---


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(SIGNER.verifier_key(), encoding="utf-8")
    (tmp_path / "witness").write_text(WITNESS.verifier_key.text(), encoding="utf-8")
    (tmp_path / "honest.jsonl").write_bytes(export(HONEST))
    (tmp_path / "rewritten.jsonl").write_bytes(export(REWRITTEN))
    kept = [cosigned(HONEST[:size]) for size in (2, 5, 9)]
    lines = [json.dumps({"checkpoint": one}, ensure_ascii=False) + "\n" for one in kept]
    (tmp_path / "kept.jsonl").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "note").write_text(cosigned(HONEST[:9]), encoding="utf-8")
    (tmp_path / "unsigned").write_text(checkpoint(HONEST[:9]), encoding="utf-8")
    return tmp_path


def run(files: Path, *arguments: str) -> int:
    given = [str(files / one) if (files / one).exists() else one for one in arguments]
    return main(["--public-key", str(files / "key"), *given])


@pytest.mark.clause("IV.E.2")
def test_what_a_witness_signed_shows_the_rewriting(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_witness = ("--witness-key", "witness", "--checkpoint", "kept.jsonl", "--checkpoint", "note")

    assert run(files, "honest.jsonl", *with_witness) == 0
    said = capsys.readouterr().out
    assert "the first 9 entries are those of checkpoints from elsewhere" in said
    assert "good: 4 checkpoints signed by witness.test/w1" in said
    assert run(files, "rewritten.jsonl", *with_witness) == 1
    assert "bad: the log was rewritten: the first 5 entries" in capsys.readouterr().err
    assert run(files, "rewritten.jsonl") == 0  # which is what the witness is for


def test_a_checkpoint_without_the_witness_proves_nothing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Cosigner("witness.test/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
    (files / "other").write_text(other.verifier_key.text(), encoding="utf-8")

    assert run(files, "honest.jsonl", "--witness-key", "witness", "--checkpoint", "unsigned") == 1
    assert "no signature of this witness" in capsys.readouterr().err
    assert run(files, "honest.jsonl", "--witness-key", "other", "--checkpoint", "note") == 1
    assert run(files, "honest.jsonl", "--witness-key", "witness") == 1
    assert run(files, "honest.jsonl", "--witness-key", "key", "--checkpoint", "note") == 1


# --- consistency ---


def proof(first: Sequence[Entry], second: Sequence[Entry]) -> str:
    hashes = tree_of(second).consistency_proof(len(first), len(second))
    return json.dumps(
        {
            "format": verifier.CONSISTENCY_FORMAT,
            "first": checkpoint(first),
            "second": checkpoint(second),
            "hashes": [b64encode(one).decode() for one in hashes],
        }
    )


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize("first", [1, 4, 7, 11, 12])
def test_a_consistency_proof_joins_two_checkpoints(files: Path, first: int) -> None:
    (files / "good").write_text(proof(HONEST[:first], HONEST), encoding="utf-8")

    assert run(files, "--consistency", "good") == 0


def test_no_consistency_proof_joins_a_log_with_one_made_anew(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "bad").write_text(proof(HONEST[:7], REWRITTEN), encoding="utf-8")

    assert run(files, "--consistency", "bad") == 1
    assert "does not begin with the 7 that it signed before" in capsys.readouterr().err


# --- one person or case ---


def case_log() -> list[Entry]:
    return [
        entry(0, kind="query", actor="anna", case_number="C-1", question="plate:A"),
        entry(1, kind="outcome", actor="anna", subject="entry-0", row_count="3"),
        entry(2, kind="query", actor="bert", case_number="C-1", question="plate:B"),
        entry(3, kind="query", actor="bert", case_number="C-2", question="plate:C"),
        entry(4, kind="outcome", actor="bert", subject="entry-3", row_count="1"),
        entry(5, kind="event", actor="matcher", resource="hit"),
    ]


OTHERS = {"question", "row_count", "resource"}


@pytest.mark.clause("IV.A.3", "III.B.3.o")
@pytest.mark.parametrize(
    ("wanted", "whole", "count"),
    [(Wanted(account="anna"), {0, 1}, 2), (Wanted(case="C-1"), {0, 1, 2}, 3), (Wanted(case="C-9"), set(), 0)],
)
def test_an_export_is_complete_for_a_person_or_case_while_all_else_is_withheld(
    wanted: Wanted, whole: set[int], count: int
) -> None:
    log = case_log()
    withheld = {index: OTHERS for index in range(len(log)) if index not in whole}

    assert verify(export(log, withheld), wanted).selected == count


@pytest.mark.parametrize(
    ("wanted", "index", "field"),
    [
        (Wanted(account="anna"), 0, "question"),
        (Wanted(account="anna"), 3, "actor"),
        (Wanted(case="C-1"), 1, "row_count"),
        (Wanted(case="C-1"), 2, "question"),
        (Wanted(case="C-1"), 3, "case_number"),
        (Wanted(case="C-1"), 4, "subject"),
    ],
)
def test_an_export_that_hides_what_may_belong_to_the_person_or_case_is_not_complete(
    wanted: Wanted, index: int, field: str
) -> None:
    with pytest.raises(VerificationError, match=f"entry {index} does not show its field '{field}'"):
        verify(export(case_log(), {index: {field}}), wanted)


@pytest.mark.clause("IV.E.2")
def test_a_redaction_that_is_on_record_is_no_gap_and_another_one_is() -> None:
    act = entry(6, kind="intent", action="log.redact", resource="entry-0", **{"detail.field": "question"})
    log = [*case_log(), act]

    lawful = verify(export(log, {0: {"question"}}), Wanted(complete=True, account="anna"))

    assert (lawful.redacted, lawful.withheld) == ({"question": 1}, {})
    with pytest.raises(VerificationError, match="question"):
        verify(export(log, {2: {"question"}}), Wanted(complete=True))
    with pytest.raises(VerificationError, match="does not show its field 'question'"):
        verify(export(case_log(), {0: {"question"}}), Wanted(account="anna"))


# --- the quick way and the long one ---

ODD = [
    'a "quote"',
    "back\\slash",
    "line\nfeed\ttab",
    "Müller \N{GRINNING FACE}",
    '"},{"name":"x',
    '"}],"leaf":"',
    "\x7f",
]


@pytest.mark.parametrize("value", ODD)
def test_any_text_goes_the_quick_way(value: str) -> None:
    line = export([entry(0, purpose=value)]).splitlines(keepends=True)[1]

    opened, digest = verifier._whole_entry(line, 0, set())

    assert digest == leaf_hash(entry(0, purpose=value).leaf)
    assert opened["entry_id"] == "entry-0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name":"purpose"', '"name":"purp\\u006fse"'),
        ('"value":"text"', '"value":"te\\u0078t"'),
        ('"value":"text"', '"value":"t\\/ext"'),
        ('"value":"text"', '"value":"text" '),
        ('"value":"text"', '"value":"text","value":"text"'),
        ('"log_index":0', '"log_index":00'),
        ('"log_index":0', '"log_index":0.0'),
        ('"type":"entry"', '"type":"entry","x":1'),
        ("\n", "\r\n"),
        ("\n", ""),
    ],
)
def test_another_spelling_of_a_good_entry_is_refused(old: str, new: str) -> None:
    lines = export([entry(0, purpose="text")]).decode().splitlines(keepends=True)
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new)

    with pytest.raises(VerificationError):
        verify("".join(lines).encode(), Wanted())
