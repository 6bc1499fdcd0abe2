"""The offline verifier finds whatever was changed, and says where."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alpr.audit.v1.log_service_pb2 import ExportLogResponse, LogEntry
from alpr.type.v1.receipt_pb2 import AuditReceipt, OpenedField
from services.audit import verifier
from services.audit.core.checkpoint import Signer, tlog_proof
from services.audit.core.entry import Entry, make_entry
from services.audit.core.merkle import Tree
from services.audit.verifier import (
    VerificationError,
    ed25519_holds,
    read_public_key,
    verify_exports,
    verify_receipt,
)
from services.common.merkle import leaf_hash
from services.common.receipts import export_header, export_line, receipt_to_json

SIGNER = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEY = read_public_key(SIGNER.verifier_key())
OTHER = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
SIZE = 5


def salt(number: int) -> bytes:
    return bytes(range(16)) * (number // 16)


def entry(number: int) -> Entry:
    values = {
        "entry_id": f"entry-{number}",
        "kind": "query" if number % 2 else "outcome",
        "record_time": f"2026-11-23T08:00:0{number}.000000Z",
        "purpose": f"Mord, Zeuge Müller {number}",
        "subject": "" if number % 2 else f"entry-{number - 1}",
    }
    return make_entry(f"key-{number}", values, salt)


ENTRIES = [entry(number) for number in range(SIZE)]
TREE = Tree()
for _one in ENTRIES:
    TREE.append(leaf_hash(_one.leaf))


def opened(one: Entry) -> list[OpenedField]:
    return [OpenedField(name=field.name, salt=field.salt, value=field.value) for field in one.fields]


def export(first: int = 0, size: int = SIZE, signer: Signer = SIGNER) -> bytes:
    checkpoint = signer.checkpoint(size, TREE.root(size)).text
    lines = [export_header(checkpoint, first)]
    for index in range(first, size):
        item = LogEntry(log_index=index, leaf=ENTRIES[index].leaf, fields=opened(ENTRIES[index]))
        lines.append(export_line(ExportLogResponse(entry=item)))
    return "".join([*lines, export_line(ExportLogResponse(checkpoint=checkpoint))]).encode()


def receipt(index: int, size: int = SIZE) -> str:
    checkpoint = SIGNER.checkpoint(size, TREE.root(size))
    proof = tlog_proof(index, TREE.inclusion_proof(index, size), checkpoint)
    one = ENTRIES[index]
    message = AuditReceipt(
        entry_id=one.entry_id, log_index=index, leaf=one.leaf, fields=opened(one), proof=proof
    )
    return json.dumps(receipt_to_json(message), indent=2)


def verify(data: bytes) -> verifier.Report:
    return verify_exports([data.splitlines(keepends=True)], KEY, complete=True)


EXPORT = export()


@pytest.mark.clause("IV.E.2")
def test_an_untouched_export_holds() -> None:
    report = verify(EXPORT)

    assert report.entries == SIZE
    assert report.kinds == {"query": 2, "outcome": 3}
    assert not report.unanswered


@pytest.mark.clause("IV.E.2")
@settings(max_examples=400)
@given(st.integers(0, len(EXPORT) - 1), st.integers(1, 255))
@example(EXPORT.rindex(b"\\n") + 1, ord("n") ^ ord("f"))
def test_any_byte_that_is_changed_is_found(position: int, change: int) -> None:
    changed = bytearray(EXPORT)
    changed[position] ^= change

    with pytest.raises(VerificationError):
        verify(bytes(changed))


def test_the_place_of_a_change_is_named() -> None:
    with pytest.raises(VerificationError, match=r"entry 3.*'purpose'.*another value"):
        verify(EXPORT.replace("Zeuge Müller 3".encode(), "Zeuge Müller 4".encode()))


@given(st.integers(1, SIZE))
def test_a_missing_entry_is_found(number: int) -> None:
    lines = EXPORT.splitlines(keepends=True)

    with pytest.raises(VerificationError, match=r"is missing|is over"):
        verify(b"".join(lines[:number] + lines[number + 1 :]))


def test_two_entries_that_changed_places_are_found() -> None:
    lines = EXPORT.splitlines(keepends=True)
    lines[2], lines[3] = lines[3], lines[2]

    with pytest.raises(VerificationError, match="entry 1 is missing"):
        verify(b"".join(lines))


def test_an_export_that_was_cut_off_is_found() -> None:
    with pytest.raises(VerificationError, match="without its checkpoint"):
        verify(b"".join(EXPORT.splitlines(keepends=True)[:-1]))


def test_a_log_that_was_made_anew_with_another_key_is_found() -> None:
    with pytest.raises(VerificationError, match="another log or key"):
        verify(export(signer=OTHER))


def test_exports_are_checked_one_after_the_other() -> None:
    parts = [export(0, 2), export(2, SIZE)]

    assert verify_exports((part.splitlines(keepends=True) for part in parts), KEY).entries == SIZE
    with pytest.raises(VerificationError, match="entry 0 is needed next"):
        verify(parts[1])


def test_a_withheld_field_is_counted_and_nothing_else_is_lost() -> None:
    lines = EXPORT.decode().splitlines()
    item = json.loads(lines[2])
    item["fields"] = [one for one in item["fields"] if one["name"] != "purpose"]
    lines[2] = verifier.canonical_line(item).rstrip()
    withheld = "\n".join([*lines, ""]).encode()

    assert verify_exports([withheld.splitlines(keepends=True)], KEY).withheld == {"purpose": 1}
    with pytest.raises(VerificationError, match="fields are withheld: purpose 1"):
        verify(withheld)


@pytest.mark.parametrize("index", range(SIZE))
def test_an_untouched_receipt_holds(index: int) -> None:
    assert verify_receipt(receipt(index), KEY)["entry_id"] == f"entry-{index}"
    assert verify_receipt(receipt(index, index + 1), KEY)


@settings(max_examples=200)
@given(st.data())
def test_any_changed_part_of_a_receipt_is_found(data: st.DataObject) -> None:
    changed = json.loads(receipt(3))
    name = data.draw(st.sampled_from(["entry_id", "leaf", "proof", "format"]))
    text = changed[name]
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.characters(min_codepoint=32, max_codepoint=126).filter(lambda one: one != text[position])
    )
    changed[name] = text[:position] + other + text[position + 1 :]

    with pytest.raises(VerificationError):
        verify_receipt(json.dumps(changed), KEY)


def test_a_receipt_that_names_another_place_is_refused() -> None:
    changed = json.loads(receipt(3))
    changed["log_index"] = 2

    with pytest.raises(VerificationError, match="another place"):
        verify_receipt(json.dumps(changed), KEY)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
@settings(max_examples=25)
def test_signatures_hold_as_the_library_says(message: bytes, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign(message)

    assert ed25519_holds(public, message, signature)
    assert not ed25519_holds(public, message + b"x", signature)
    assert not ed25519_holds(public, message, signature[:-1] + bytes([signature[-1] ^ 1]))


def test_the_published_ed25519_vector_holds() -> None:
    # RFC 8032, 7.1, test 2.
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )

    assert ed25519_holds(public, b"\x72", signature)


def test_a_signature_with_a_scalar_that_is_too_large_is_refused() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign(b"x")
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order

    assert not ed25519_holds(public, b"x", signature[:32] + scalar.to_bytes(32, "little"))


def test_the_public_key_may_be_pem() -> None:
    pem = SIGNER.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert read_public_key(pem).key == KEY.key
    assert verify_exports([EXPORT.splitlines(keepends=True)], read_public_key(pem)).entries == SIZE


@pytest.mark.parametrize("text", ["", "x", "a+b+c", "audit.test/log+00000000+AQ=="])
def test_a_public_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        read_public_key(text)


@pytest.mark.clause("IV.A.3")
def test_the_file_works_alone_with_nothing_but_python(tmp_path: Path) -> None:
    alone = tmp_path / "check.py"
    alone.write_bytes(Path(verifier.__file__).read_bytes())
    (tmp_path / "key").write_text(SIGNER.verifier_key(), encoding="utf-8")
    (tmp_path / "log.jsonl").write_bytes(EXPORT)
    (tmp_path / "receipt.json").write_text(receipt(3), encoding="utf-8")
    (tmp_path / "bad.jsonl").write_bytes(EXPORT.replace(b'"query"', b'"quera"'))
    command = [sys.executable, "-I", "-S", str(alone), "--public-key", "key"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own file
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    good = run("log.jsonl", "--receipt", "receipt.json", "--complete")
    bad = run("bad.jsonl")

    assert (good.returncode, good.stderr) == (0, "")
    assert bad.returncode == 1
    assert bad.stderr == "bad: entry 1 (line 3) shows a field 'kind' with another value than it commits to\n"
    assert run("missing.jsonl").returncode == 1


def test_the_file_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert names <= set(sys.stdlib_module_names)


def test_formats_are_those_of_the_golden_file() -> None:
    golden = json.loads((Path(__file__).parents[2] / "golden/audit/log.json").read_text(encoding="utf-8"))

    assert golden == {
        "verifier_key": SIGNER.verifier_key(),
        "leaf": ENTRIES[3].leaf.decode(),
        "leaf_hash": hashlib.sha256(b"\x00" + ENTRIES[3].leaf).hexdigest(),
        "checkpoint": SIGNER.checkpoint(SIZE, TREE.root(SIZE)).text,
        "proof": tlog_proof(3, TREE.inclusion_proof(3, SIZE), SIGNER.checkpoint(SIZE, TREE.root(SIZE))),
        "export": EXPORT.decode(),
    }
