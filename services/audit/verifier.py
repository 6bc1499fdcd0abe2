#!/usr/bin/env python3
"""Checks receipts and exports of a Platewarden log offline, with this file and the log's public key alone.

    python verifier.py --public-key FILE [--complete] [export.jsonl ...] [--receipt receipt.json ...]

It exits with 0 when everything holds and with 1 at the first thing that does not, named in one sentence.
The public key is a line "origin+id+key" (c2sp.org/signed-note) or an Ed25519 key in PEM.

An export is a file of JSON lines, each in canonical form: keys sorted, no spaces, UTF-8.
    {"first_index":0,"format":"platewarden.log.export/v1","key_id":HEX,"origin":TEXT,"type":"header"}
    {"fields":[{"name":TEXT,"salt":BASE64,"value":TEXT},...],"leaf":BASE64,"log_index":N,"type":"entry"}
    ...
    {"checkpoint":SIGNED NOTE,"type":"checkpoint"}
An export that begins where another ended is checked after it: name the files in their order.

A receipt is one JSON object:
    {"entry_id":TEXT,"fields":[as above],"format":"platewarden.receipt/v1","leaf":BASE64,"log_index":N,
     "proof":"c2sp.org/tlog-proof@v1..."}

A leaf is the line "platewarden.log.entry/v1", then "name BASE64" for each field, sorted by name, where BASE64
is SHA-256(salt || name || 0x00 || value). Leaves are those of an RFC 6962 tree. A field that is missing has
been withheld or lawfully redacted; its commitment stays, and the report counts it.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEAF_HEADER = "platewarden.log.entry/v1"
EXPORT_FORMAT = "platewarden.log.export/v1"
RECEIPT_FORMAT = "platewarden.receipt/v1"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
# Fields without which an entry cannot be told from another; they are never withheld.
ALWAYS_OPEN = ("entry_id", "kind", "record_time")
_HASH_BYTES = 32
_SALT_BYTES = 16
_SIGNATURE_BYTES = 64
_KEY_ID_BYTES = 4
_ED25519 = b"\x01"
_PEM_PREFIX = bytes.fromhex("302a300506032b6570032100")
_MOST_PROOF_HASHES = 63


class VerificationError(Exception):
    """Something does not hold; the text is one sentence."""


@dataclass(frozen=True)
class PublicKey:
    """The log's public key; `origin` is "" when the file did not say whose it is."""

    origin: str
    key: bytes

    def key_id(self, origin: str) -> bytes:
        """The key's id under that name, 4 bytes (c2sp.org/signed-note)."""
        return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + self.key).digest()[:_KEY_ID_BYTES]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose signature holds."""

    origin: str
    size: int
    root: bytes


@dataclass
class Report:
    """What exports hold: entries by kind, withheld fields by name, questions and acts without outcome."""

    entries: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    unanswered: set[str] = field(default_factory=set)


# --- Ed25519 (RFC 8032, 5.1), verification only ------------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % _P
    f = (a[1] + a[0]) * (b[1] + b[0]) % _P
    g = 2 * a[3] * b[3] * _D % _P
    h = 2 * a[2] * b[2] % _P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % _P, z * t % _P, y * z % _P, x * t % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decode_point(data: bytes) -> _Point:
    """The point; VerificationError for bytes that are none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if y >= _P or (x * x - square) % _P or (x == 0 and sign):
        raise VerificationError("a key or signature is not a point of the curve")
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def ed25519_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """True when `signature` (64 bytes) is that of `message` under `key` (32 bytes)."""
    if len(key) != _HASH_BYTES or len(signature) != _SIGNATURE_BYTES:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= _L:
        return False
    try:
        point, commitment = _decode_point(key), _decode_point(signature[:32])
    except VerificationError:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    left, right = _multiply(scalar, _BASE), _add(commitment, _multiply(challenge, point))
    return all((left[axis] * right[2] - right[axis] * left[2]) % _P == 0 for axis in (0, 1))


# --- Formats -----------------------------------------------------------------------------------------------


def read_public_key(text: str) -> PublicKey:
    """The key of a "origin+id+key" line or of a PEM file."""
    text = text.strip()
    if text.startswith("-----BEGIN PUBLIC KEY-----"):
        der = _base64("".join(text.splitlines()[1:-1]), "the public key")
        if not der.startswith(_PEM_PREFIX) or len(der) != len(_PEM_PREFIX) + _HASH_BYTES:
            raise VerificationError("the public key is not an Ed25519 key")
        return PublicKey("", der[len(_PEM_PREFIX) :])
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, id and key
        raise VerificationError("the public key is neither a line origin+id+key nor PEM")
    raw = _base64(parts[2], "the public key")
    key = PublicKey(parts[0], raw[1:])
    if raw[:1] != _ED25519 or len(raw) != 1 + _HASH_BYTES or key.key_id(parts[0]).hex() != parts[1]:
        raise VerificationError("the public key's id does not belong to it")
    return key


def open_checkpoint(text: str, key: PublicKey) -> Checkpoint:
    """The checkpoint, its signature verified (c2sp.org/tlog-checkpoint)."""
    body, _, signatures = text.rpartition("\n\n")
    body += "\n"
    lines = body.split("\n")
    if len(lines) < 4 or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:  # noqa: PLR2004
        raise VerificationError("the checkpoint is not one of origin, size and root")
    origin, root = lines[0], _base64(lines[2], "the checkpoint's root")
    if key.origin not in {"", origin}:
        raise VerificationError(f"the checkpoint is of the log {origin}, the public key of {key.origin}")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or name != origin:
            continue
        raw = _base64(encoded, "the checkpoint's signature")
        if raw[:_KEY_ID_BYTES] != key.key_id(origin):
            continue
        if not ed25519_holds(key.key, body.encode(), raw[_KEY_ID_BYTES:]):
            raise VerificationError("the checkpoint's signature does not hold")
        return Checkpoint(origin, int(lines[1]), root)
    raise VerificationError("the checkpoint has no signature by this public key")


def check_leaf(leaf: bytes, fields: Any, what: str) -> tuple[dict[str, str], set[str]]:
    """The opened fields, each of which the leaf commits to, and the names of the withheld ones."""
    commitments = _commitments(leaf, what)
    opened: dict[str, str] = {}
    if not isinstance(fields, list):
        raise VerificationError(f"{what} has no list of fields")
    for one in fields:
        name, salt, value = _field(one, what)
        if name not in commitments or name in opened:
            raise VerificationError(f"{what} shows a field {name!r} to which it does not commit once")
        if hashlib.sha256(salt + name.encode() + b"\x00" + value.encode()).digest() != commitments[name]:
            raise VerificationError(f"{what} shows a field {name!r} with another value than it commits to")
        opened[name] = value
    if list(opened) != sorted(opened):
        raise VerificationError(f"{what} shows its fields in another order")
    for name in ALWAYS_OPEN:
        if name not in opened:
            raise VerificationError(f"{what} does not show its field {name!r}")
    return opened, set(commitments) - set(opened)


def _commitments(leaf: bytes, what: str) -> dict[str, bytes]:
    try:
        header, *lines, end = leaf.decode("ascii").split("\n")
    except (UnicodeDecodeError, ValueError):
        raise VerificationError(f"{what} has a leaf that is not text") from None
    commitments: dict[str, bytes] = {}
    for line in lines:
        name, _, encoded = line.partition(" ")
        commitments[name] = _base64(encoded, f"a commitment of {what}")
    in_order = list(commitments) == sorted(commitments) and len(commitments) == len(lines)
    whole = all(len(one) == _HASH_BYTES for one in commitments.values())
    if header != LEAF_HEADER or end or not in_order or not whole or "" in commitments:
        raise VerificationError(f"{what} has a leaf that is not in the format {LEAF_HEADER}")
    return commitments


def _field(one: Any, what: str) -> tuple[str, bytes, str]:
    if not isinstance(one, dict) or set(one) != {"name", "salt", "value"}:
        raise VerificationError(f"{what} has a field that is not one of name, salt and value")
    name, salt, value = one["name"], one["salt"], one["value"]
    if not all(isinstance(text, str) for text in (name, salt, value)):
        raise VerificationError(f"{what} has a field that is not text")
    raw = _base64(salt, f"a salt of {what}")
    if len(raw) != _SALT_BYTES:
        raise VerificationError(f"{what} has a salt that is not 16 bytes long")
    return name, raw, value


def _base64(text: str, what: str) -> bytes:
    """The bytes; only their one canonical spelling is taken."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if base64.b64encode(raw).decode() != text:
        raise VerificationError(f"{what} is not canonical base64")
    return raw


def _json(text: str, what: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise VerificationError(f"{what} names something twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VerificationError(f"{what} is not a JSON object")
    return found


# --- The tree (RFC 6962 2.1, RFC 9162 2.1.3.2) -------------------------------------------------------------


def _leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class Tree:
    """A tree that grows leaf by leaf; it keeps the roots of its complete subtrees only."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Adds a leaf."""
        carry, bits = _leaf_hash(leaf), self.size
        while bits & 1:
            carry, bits = _node(self.peaks.pop(), carry), bits >> 1
        self.peaks.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """Root of all leaves so far."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            root = _node(peak, root)
        return root


def root_of_proof(index: int, size: int, leaf: bytes, hashes: Sequence[bytes]) -> bytes:
    """The root to which an inclusion proof leads from a leaf."""
    if not 0 <= index < size:
        raise VerificationError("the proof is for an entry that the checkpoint does not cover")
    at, last, root = index, size - 1, _leaf_hash(leaf)
    for one in hashes:
        if last == 0:
            raise VerificationError("the proof is too long")
        if at & 1 or at == last:
            root = _node(one, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = _node(root, one)
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationError("the proof is too short")
    return root


# --- Receipts and exports ----------------------------------------------------------------------------------


def verify_receipt(text: str, key: PublicKey) -> dict[str, str]:
    """The opened fields of a receipt that holds."""
    receipt = _json(text, "the receipt")
    if set(receipt) != {"entry_id", "fields", "format", "leaf", "log_index", "proof"}:
        raise VerificationError("the receipt has other parts than a receipt has")
    if receipt["format"] != RECEIPT_FORMAT:
        raise VerificationError(f"the receipt is not in the format {RECEIPT_FORMAT}")
    leaf = _base64(str(receipt["leaf"]), "the receipt's leaf")
    opened, _ = check_leaf(leaf, receipt["fields"], "the receipt")
    if opened["entry_id"] != receipt["entry_id"]:
        raise VerificationError("the receipt names another entry than it shows")
    index, hashes, checkpoint = _open_proof(str(receipt["proof"]), key)
    if index != receipt["log_index"] or isinstance(receipt["log_index"], bool):
        raise VerificationError("the receipt names another place in the log than its proof")
    if root_of_proof(index, checkpoint.size, leaf, hashes) != checkpoint.root:
        raise VerificationError("the receipt's proof does not lead to its checkpoint")
    return opened


def _open_proof(text: str, key: PublicKey) -> tuple[int, list[bytes], Checkpoint]:
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    number = rest[0].removeprefix("index ") if rest else ""
    if lines[0] != PROOF_HEADER or not rest or rest[0] != f"index {number}" or not number.isdecimal():
        raise VerificationError(f"the proof is not in the format {PROOF_HEADER}")
    if str(int(number)) != number or len(rest) - 1 > _MOST_PROOF_HASHES:
        raise VerificationError(f"the proof is not in the format {PROOF_HEADER}")
    hashes = [_base64(line, "a hash of the proof") for line in rest[1:]]
    return int(number), hashes, open_checkpoint(note, key)


def verify_exports(exports: Iterable[Iterable[bytes]], key: PublicKey, *, complete: bool = False) -> Report:
    """What is in the exports, given as their lines, when every one of them holds."""
    tree, report = Tree(), Report()
    for lines in exports:
        _verify_export(lines, key, tree, report)
    if complete and report.withheld:
        raise VerificationError(f"fields are withheld: {_counts(report.withheld)}")
    return report


def _verify_export(lines: Iterable[bytes], key: PublicKey, tree: Tree, report: Report) -> None:
    numbered = _canonical_lines(lines)
    number, header = next(numbered, (0, {}))
    parts = {"first_index", "format", "key_id", "origin", "type"}
    if set(header) != parts or header["format"] != EXPORT_FORMAT or header["type"] != "header":
        raise VerificationError(f"line {number or 1} is not the header of an export {EXPORT_FORMAT}")
    origin = str(header["origin"])
    if header["key_id"] != key.key_id(origin).hex() or key.origin not in {"", origin}:
        raise VerificationError("the export's header names another log or key than the public key")
    if header["first_index"] != tree.size or isinstance(header["first_index"], bool):
        begins = header["first_index"]
        raise VerificationError(f"the export begins at entry {begins}; entry {tree.size} is needed next")
    for number, item in numbered:
        if item.get("type") == "checkpoint" and set(item) == {"checkpoint", "type"}:
            _verify_end(str(item["checkpoint"]), origin, key, tree)
            break
        _verify_entry(item, tree, report, number)
    else:
        raise VerificationError("the export ends without its checkpoint")
    if next(numbered, None) is not None:
        raise VerificationError("the export goes on after its checkpoint")


def _verify_end(text: str, origin: str, key: PublicKey, tree: Tree) -> None:
    checkpoint = open_checkpoint(text, key)
    if checkpoint.origin != origin:
        raise VerificationError("the checkpoint is of another log than the header")
    if checkpoint.size != tree.size:
        raise VerificationError(
            f"the checkpoint is over {checkpoint.size} entries, the export has {tree.size}"
        )
    if checkpoint.root != tree.root():
        raise VerificationError("an entry's leaf is not the one that the checkpoint was signed over")


def _verify_entry(item: dict[str, Any], tree: Tree, report: Report, number: int) -> None:
    what = f"entry {tree.size} (line {number})"
    if set(item) != {"fields", "leaf", "log_index", "type"} or item["type"] != "entry":
        raise VerificationError(f"{what} has other parts than an entry has")
    if item["log_index"] != tree.size or isinstance(item["log_index"], bool):
        holds = item["log_index"]
        raise VerificationError(f"entry {tree.size} is missing: line {number} holds entry {holds}")
    leaf = _base64(str(item["leaf"]), f"the leaf of {what}")
    opened, withheld = check_leaf(leaf, item["fields"], what)
    tree.append(leaf)
    report.entries += 1
    report.kinds[opened["kind"]] += 1
    report.withheld.update(withheld)
    if opened["kind"] in {"query", "intent"}:
        report.unanswered.add(opened["entry_id"])
    elif opened["kind"] == "outcome":
        report.unanswered.discard(opened.get("subject", ""))


def _canonical_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, raw in enumerate(lines, start=1):
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise VerificationError(f"line {number} is not UTF-8") from None
        item = _json(text, f"line {number}")
        if canonical_line(item) != text:
            raise VerificationError(f"line {number} is not in canonical form")
        yield number, item


def canonical_line(item: dict[str, Any]) -> str:
    """The one way to write an item of an export, with its line feed."""
    return json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items())) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything holds; else 1, with one sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("--receipt", action="append", default=[], type=Path, help="may be given often")
    parser.add_argument("--complete", action="store_true", help="fail when a field is withheld")
    parser.add_argument("export", nargs="*", type=Path, help="exports in their order")
    given = parser.parse_args(arguments)
    path = given.public_key
    try:
        key = read_public_key(path.read_text(encoding="utf-8"))
        if given.export:
            report = verify_exports((_lines_of(path) for path in given.export), key, complete=given.complete)
            print(f"good: {report.entries} entries: {_counts(report.kinds)}")
            print(f"      withheld fields: {_counts(report.withheld)}")
            print(f"      questions and acts without outcome: {len(report.unanswered)}")
        for path in given.receipt:
            opened = verify_receipt(path.read_text(encoding="utf-8"), key)
            print(f"good: receipt of entry {opened['entry_id']}, {opened['kind']} of {opened['record_time']}")
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    return 0


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


if __name__ == "__main__":
    sys.exit(main())
