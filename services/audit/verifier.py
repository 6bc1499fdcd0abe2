#!/usr/bin/env python3
"""Checks receipts and exports of a Platewarden log offline, with this file and the log's public key alone.

    python verifier.py --public-key FILE [--complete] [export.jsonl ...] [--receipt receipt.json ...]
                       [--checkpoint FILE ...] [--witness-key FILE] [--consistency FILE ...]
                       [--account ID | --case NUMBER] [--jobs N]

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

Checkpoints from elsewhere (--checkpoint: a signed note, or lines {"checkpoint":NOTE} as a witness gives them)
must be of the same log as the export: where one is over N entries, the first N of the export must have its
root. So a log that was rewritten, forked or cut is found, even if whoever did it has the log's key. With
--witness-key each of them must bear the witness's signature (c2sp.org/tlog-cosignature). None may be over
more entries than the export has. A consistency proof (--consistency) joins two checkpoints without any entry:
    {"first":NOTE,"format":"platewarden.consistency/v1","hashes":[BASE64,...],"second":NOTE}

With --account or --case an export that opens whole entries of one person or one case only is complete for it:
every entry of the log shows who acted, for which case and what it belongs to, and those that match are whole.

A leaf is the line "platewarden.log.entry/v1", then "name BASE64" for each field, sorted by name, where BASE64
is SHA-256(salt || name || 0x00 || value). Leaves are those of an RFC 6962 tree. A field that is missing has
been withheld or lawfully redacted; its commitment stays, and the report counts it. For a redaction the log
itself has an entry "log.redact", which says what was taken out and why; --complete accepts just those.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import multiprocessing
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
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
_TIME_BYTES = 8
_COSIGNATURE = b"\x04"
CONSISTENCY_FORMAT = "platewarden.consistency/v1"
# What an export for one person or case shows of every entry, so that nobody need believe that it is complete.
SHOWN = ("actor", "case_number", "subject")
REDACTION = "log.redact"
# Made from other fields, it goes with each of them.
_DIGEST = "request_digest"
# Entries that are checked in one go; the size of files from which on several processes are worth their start.
_BLOCK = 1000
# Blocks that are read before the oldest is waited for, for each process.
_AHEAD = 2
_LARGE_BYTES = 32 << 20
_LEAF_START = f"{LEAF_HEADER}\n".encode()
# Number and index of the first line, and the lines.
_Work = tuple[int, int, list[bytes]]
_MATTER = frozenset(name.encode() for name in (*ALWAYS_OPEN, *SHOWN, "action"))


class VerificationError(Exception):
    """Something does not hold; the text is one sentence."""


@dataclass(frozen=True)
class PublicKey:
    """The log's public key; `origin` is "" when the file did not say whose it is.

    `others` are further keys of the same log, which sign beside it or signed before it.
    """

    origin: str
    key: bytes
    others: tuple[PublicKey, ...] = ()

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
    """What exports hold: entries by kind, fields that are not shown by name, questions and acts without
    outcome, entries of the person or case, and how many entries the newest checkpoint from elsewhere covers.
    """

    entries: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    unanswered: set[str] = field(default_factory=set)
    selected: int = 0
    witnessed: int = 0


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


def read_witness_key(text: str) -> PublicKey:
    """The key of a witness's line "name+id+key"."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _base64(encoded, "the witness's key")
    digest = hashlib.sha256(name.encode() + b"\n" + raw).digest()
    if raw[:1] != _COSIGNATURE or len(raw) != 1 + _HASH_BYTES or digest[:_KEY_ID_BYTES].hex() != key_id:
        raise VerificationError("the witness's key is not a line name+id+key of a witness")
    return PublicKey(name, raw[1:])


def read_public_key(text: str) -> PublicKey:
    """The key of a "origin+id+key" line or of a PEM file; of several lines the first, with the others."""
    text = text.strip()
    if "\n" in text and not text.startswith("-----BEGIN"):
        first, *others = [read_public_key(line) for line in text.splitlines()]
        if {one.origin for one in others} != {first.origin}:
            raise VerificationError("the public keys are of different logs")
        return PublicKey(first.origin, first.key, tuple(others))
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
    body, checkpoint = _checkpoint(text)
    if key.origin not in {"", checkpoint.origin}:
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin}, the public key of {key.origin}"
        )
    for one in (key, *key.others):
        for raw in _signatures(text, checkpoint.origin, one.key_id(checkpoint.origin)):
            if not ed25519_holds(one.key, body, raw):
                raise VerificationError("the checkpoint's signature does not hold")
            return checkpoint
    raise VerificationError("the checkpoint has no signature by this public key")


def witnessed_at(text: str, witness: PublicKey) -> int:
    """When the witness signed the checkpoint, seconds since 1970 (c2sp.org/tlog-cosignature)."""
    body, checkpoint = _checkpoint(text)
    key_id = hashlib.sha256(witness.origin.encode() + b"\n" + _COSIGNATURE + witness.key).digest()
    for raw in _signatures(text, witness.origin, key_id[:_KEY_ID_BYTES]):
        time = int.from_bytes(raw[:_TIME_BYTES], "big")
        if ed25519_holds(witness.key, f"cosignature/v1\ntime {time}\n".encode() + body, raw[_TIME_BYTES:]):
            return time
    raise VerificationError(
        f"the checkpoint over {checkpoint.size} entries has no signature of this witness that holds"
    )


def _checkpoint(text: str) -> tuple[bytes, Checkpoint]:
    """What is signed, and what it says."""
    body = text.rpartition("\n\n")[0] + "\n"
    lines = body.split("\n")
    if len(lines) < 4 or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:  # noqa: PLR2004
        raise VerificationError("the checkpoint is not one of origin, size and root")
    return body.encode(), Checkpoint(lines[0], int(lines[1]), _base64(lines[2], "the checkpoint's root"))


def _signatures(text: str, name: str, key_id: bytes) -> Iterator[bytes]:
    """Signatures in a note under that name and key id."""
    lines = text.rpartition("\n\n")[2].split("\n")
    # Each signature ends with a line feed, and nothing else parts lines (c2sp.org/signed-note).
    if lines.pop():
        raise VerificationError("the checkpoint's last line has no end")
    for line in lines:
        dash, _, rest = line.partition(" ")
        named, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or named != name:
            continue
        raw = _base64(encoded, "the checkpoint's signature")
        if raw[:_KEY_ID_BYTES] == key_id:
            yield raw[_KEY_ID_BYTES:]


def read_checkpoints(text: str) -> list[str]:
    """The signed notes of a file: one as it is, or a line {"checkpoint":NOTE} for each."""
    if not text.startswith("{"):
        return [text]
    return [str(_json(line, "a line of checkpoints").get("checkpoint", "")) for line in text.splitlines()]


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
    except (ValueError, RecursionError):
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

    def append(self, leaf_hash: bytes) -> None:
        """Adds a leaf by its hash."""
        carry, bits = leaf_hash, self.size
        while bits & 1:
            carry = hashlib.sha256(b"\x01" + self.peaks.pop() + carry).digest()
            bits >>= 1
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


def check_consistency(text: str, key: PublicKey) -> tuple[Checkpoint, Checkpoint]:
    """The older and the newer checkpoint of a consistency proof that holds (RFC 9162 2.1.4.2)."""
    proof = _json(text, "the consistency proof")
    if set(proof) != {"first", "format", "hashes", "second"} or proof["format"] != CONSISTENCY_FORMAT:
        raise VerificationError(f"the consistency proof is not in the format {CONSISTENCY_FORMAT}")
    first, second = (open_checkpoint(str(proof[name]), key) for name in ("first", "second"))
    if first.origin != second.origin or not isinstance(proof["hashes"], list):
        raise VerificationError("the consistency proof is of two logs, or has no hashes")
    hashes = [_base64(str(one), "a hash of the consistency proof") for one in proof["hashes"]]
    if not _is_consistent(first, second, hashes):
        raise VerificationError(
            f"the log of {second.size} entries does not begin with the {first.size} that it signed before"
        )
    return first, second


def _is_consistent(first: Checkpoint, second: Checkpoint, hashes: list[bytes]) -> bool:
    if first.size == second.size or not first.size:
        return not hashes and (first.root == second.root or not first.size)
    if first.size > second.size:
        return False
    if first.size & (first.size - 1) == 0:
        hashes = [first.root, *hashes]
    at, last = first.size - 1, second.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not hashes:
        return False
    old = new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = _node(one, old), _node(one, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = _node(new, one)
        at, last = at >> 1, last >> 1
    return last == 0 and (old, new) == (first.root, second.root)


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
    if index != receipt["log_index"] or type(receipt["log_index"]) is not int:
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


@dataclass(frozen=True)
class Wanted:
    """What exports are held against.

    Attributes:
        complete: No field may be withheld, but for lawful redactions.
        checkpoints: Of the same log, from elsewhere.
        account: The person whose entries must all be there and whole.
        case: The case, likewise.
    """

    complete: bool = False
    checkpoints: Sequence[Checkpoint] = ()
    account: str = ""
    case: str = ""

    @property
    def selects(self) -> bool:
        """Whether one person or case is looked at."""
        return bool(self.account or self.case)


@dataclass(frozen=True)
class Seen:
    """What is remembered of an entry that may matter to another one; `lacks` are the fields not shown."""

    index: int
    opened: Mapping[str, str]
    lacks: frozenset[str]


@dataclass
class Block:
    """Entries that hold, one after another: what they add to the tree and to the report."""

    hashes: list[bytes] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)


class Exports:
    """Goes through exports, one after another."""

    def __init__(self, key: PublicKey, wanted: Wanted, jobs: int = 1) -> None:
        self.report = Report()
        self._key = key
        self._wanted = wanted
        self._jobs = jobs
        self._tree = Tree()
        self._roots = _roots(wanted.checkpoints)
        self._chosen: set[str] = set()
        self._gone: set[tuple[str, str]] = set()
        self._lacking: list[tuple[Seen, bool]] = []

    def take(self, lines: Iterable[bytes]) -> None:
        """Checks the next export, given as its lines."""
        numbered = enumerate(lines, start=1)
        origin = self._header(next(numbered, (1, b"{}\n")))
        ending: list[tuple[int, bytes]] = []
        first = self._tree.size
        check = partial(check_block, with_all=self._wanted.selects)
        work = _blocks(numbered, first, ending)
        with closing(_checked_blocks(check, work, self._jobs)) as found:
            for block in found:
                self._add(block)
        self._end(ending, numbered, origin)

    def finish(self) -> Report:
        """The report, once all exports are taken and everything wanted of them holds."""
        report, wanted = self.report, self._wanted
        beyond = [size for size in self._roots if size > self._tree.size]
        if beyond:
            raise VerificationError(
                f"a checkpoint covers {max(beyond)} entries and the export ends after {self._tree.size}"
            )
        report.witnessed = max(self._roots, default=0)
        for seen, chosen in self._lacking:
            entry_id = seen.opened["entry_id"]
            for name in sorted(seen.lacks):
                if (entry_id, name) in self._gone:
                    report.redacted[name] += 1
                    continue
                report.withheld[name] += 1
                if chosen or (wanted.selects and name in SHOWN):
                    raise VerificationError(
                        f"entry {seen.index} does not show its field {name!r}, so nobody can say that the "
                        "export is complete"
                    )
        if wanted.complete and report.withheld:
            raise VerificationError(f"fields are withheld: {_counts(report.withheld)}")
        return report

    def _header(self, numbered: tuple[int, bytes]) -> str:
        number, raw = numbered
        header = _canonical(number, raw)
        parts = {"first_index", "format", "key_id", "origin", "type"}
        if set(header) != parts or header["format"] != EXPORT_FORMAT or header["type"] != "header":
            raise VerificationError(f"line {number} is not the header of an export {EXPORT_FORMAT}")
        origin, size = str(header["origin"]), self._tree.size
        known = {one.key_id(origin).hex() for one in (self._key, *self._key.others)}
        if header["key_id"] not in known or self._key.origin not in {"", origin}:
            raise VerificationError("the export's header names another log or key than the public key")
        if header["first_index"] != size or type(header["first_index"]) is not int:
            begins = header["first_index"]
            raise VerificationError(f"the export begins at entry {begins}; entry {size} is needed next")
        return origin

    def _add(self, block: Block) -> None:
        tree, roots = self._tree, self._roots
        for leaf_hash in block.hashes:
            tree.append(leaf_hash)
            if tree.size in roots and tree.root() != roots[tree.size]:
                raise VerificationError(
                    f"the log was rewritten: the first {tree.size} entries of the export are not those over "
                    "which the log signed a checkpoint"
                )
        report = self.report
        report.entries += len(block.hashes)
        report.kinds.update(block.kinds)
        report.unanswered.update(block.asked)
        report.unanswered.difference_update(block.ended)
        for seen in block.seen:
            self._look(seen)

    def _look(self, seen: Seen) -> None:
        opened, wanted = seen.opened, self._wanted
        if opened.get("action") == REDACTION and opened["kind"] == "intent":
            entry_id = opened.get("resource", "")
            self._gone |= {(entry_id, opened.get("detail.field", "")), (entry_id, _DIGEST)}
        chosen = wanted.selects and (
            opened.get("subject", "") in self._chosen
            or (bool(wanted.account) and opened.get("actor") == wanted.account)
            or (bool(wanted.case) and opened.get("case_number") == wanted.case)
        )
        if chosen:
            self._chosen.add(opened["entry_id"])
            self.report.selected += 1
        if seen.lacks:
            self._lacking.append((seen, chosen))

    def _end(
        self, ending: Sequence[tuple[int, bytes]], rest: Iterator[tuple[int, bytes]], origin: str
    ) -> None:
        if not ending:
            raise VerificationError("the export ends without its checkpoint")
        item = _canonical(*ending[0])
        if item.get("type") != "checkpoint" or set(item) != {"checkpoint", "type"}:
            raise VerificationError(f"line {ending[0][0]} is neither an entry nor a checkpoint")
        checkpoint = open_checkpoint(str(item["checkpoint"]), self._key)
        if checkpoint.origin != origin:
            raise VerificationError("the checkpoint is of another log than the header")
        if checkpoint.size != self._tree.size:
            raise VerificationError(
                f"the checkpoint is over {checkpoint.size} entries, the export has {self._tree.size}"
            )
        if checkpoint.root != self._tree.root():
            raise VerificationError("an entry's leaf is not the one that the checkpoint was signed over")
        if next(rest, None) is not None:
            raise VerificationError("the export goes on after its checkpoint")


def verify_exports(
    exports: Iterable[Iterable[bytes]],
    key: PublicKey,
    *,
    complete: bool = False,
    wanted: Wanted | None = None,
    jobs: int = 1,
) -> Report:
    """What is in the exports, given as their lines, when every one of them holds, and is what is wanted."""
    going = Exports(key, wanted or Wanted(complete=complete), jobs)
    for lines in exports:
        going.take(lines)
    return going.finish()


def _roots(checkpoints: Iterable[Checkpoint]) -> dict[int, bytes]:
    """Roots by size. Two for one size are a fork: the log showed different pasts to different people."""
    roots: dict[int, bytes] = {}
    for one in checkpoints:
        if roots.setdefault(one.size, one.root) != one.root:
            raise VerificationError(
                f"the log has forked: it signed two different trees of {one.size} entries"
            )
    roots.pop(0, None)
    return roots


def _blocks(
    numbered: Iterator[tuple[int, bytes]], first: int, ending: list[tuple[int, bytes]]
) -> Iterator[_Work]:
    """Lines of entries, some at a time, with number and index of the first; the one after into `ending`."""

    def entries() -> Iterator[tuple[int, bytes]]:
        for number, raw in numbered:
            if raw.startswith(b'{"checkpoint":'):
                ending.append((number, raw))
                return
            yield number, raw

    going = entries()
    for head in going:
        some = [head, *islice(going, _BLOCK - 1)]
        yield head[0], first, [raw for _, raw in some]
        first += len(some)


def _checked_blocks(check: Callable[[_Work], Block], work: Iterable[_Work], jobs: int) -> Generator[Block]:
    """The blocks in their order, checked here or in so many processes; few lines are held at a time.

    Each process is begun anew: one that is split off from a program with threads may wait for a lock that
    nobody in it holds. Nothing waits for a process that somebody ends: BrokenProcessPool then.
    """
    if jobs <= 1:
        yield from map(check, work)
        return
    going: deque[Future[Block]] = deque()
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        for one in work:
            going.append(pool.submit(check, one))
            if len(going) > _AHEAD * jobs:
                yield going.popleft().result()
        while going:
            yield going.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def check_block(work: _Work, *, with_all: bool) -> Block:
    """The block that these lines are, when every entry holds. `with_all` remembers each of them."""
    number, index, lines = work
    block = Block()
    usual: set[bytes] = set()
    for place, raw in enumerate(lines):
        opened, lacks, leaf_hash = _check_entry(raw, index + place, number + place, usual)
        kind = opened["kind"]
        block.hashes.append(leaf_hash)
        block.kinds[kind] += 1
        if kind in {"query", "intent"}:
            block.asked.append(opened["entry_id"])
        elif kind == "outcome":
            block.ended.append(opened.get("subject", ""))
        if opened.get("action") == REDACTION:
            block.seen.append(Seen(index + place, opened, lacks))
        elif lacks or with_all:
            kept = {name: opened[name] for name in (*ALWAYS_OPEN, *SHOWN) if name in opened}
            block.seen.append(Seen(index + place, kept, lacks))
    return block


def _check_entry(
    raw: bytes, index: int, number: int, usual: set[bytes]
) -> tuple[dict[str, str], frozenset[str], bytes]:
    """Opened fields of an entry that holds, names of those that are not, and the hash of its leaf.

    Of a whole entry that is no redaction only the fields that matter to others are given.
    """
    try:
        whole, leaf_hash = _whole_entry(raw, index, usual)
    except ValueError:
        pass  # something is withheld, unusual or wrong: the long way says what
    else:
        return whole, frozenset(), leaf_hash
    item = _canonical(number, raw)
    what = f"entry {index} (line {number})"
    if item.keys() != {"fields", "leaf", "log_index", "type"} or item["type"] != "entry":
        raise VerificationError(f"{what} has other parts than an entry has")
    if item["log_index"] != index or type(item["log_index"]) is not int:
        holds = item["log_index"]
        raise VerificationError(f"entry {index} is missing: line {number} holds entry {holds}")
    leaf = _base64(str(item["leaf"]), f"the leaf of {what}")
    opened, withheld = check_leaf(leaf, item["fields"], what)
    return opened, frozenset(withheld), _leaf_hash(leaf)


_HEAD, _NEXT, _SALT, _VALUE, _TAIL = (
    b'{"fields":[{"name":"',
    b'"},{"name":"',
    b'","salt":"',
    b'","value":"',
    b'"}],"leaf":"',
)
_SALT_END = 24
_VALUE_AT = _SALT_END + len(_VALUE)
_NAME = re.compile(rb"[a-z_]+(?:[.][a-z0-9_.-]+)?")
# 16 bytes each: only four characters can stand before the "==".
_SALTS = re.compile(rb"(?:[A-Za-z0-9+/]{21}[AQgw]==)+")
_CONTROL = bytes(range(32))


class _UnusualError(ValueError):
    """An entry with something withheld, unusual or wrong: it goes the long way, which says what."""


def _whole_entry(raw: bytes, index: int, usual: set[bytes]) -> tuple[dict[str, str], bytes]:
    """The fields that matter and the leaf's hash, when the line is the whole entry in its one spelling.

    The line is cut at what stands between its parts, so nothing in it goes unseen, and the leaf is made from
    the fields: where it is the one that the line has, all holds that the long way looks at. `usual` are names
    that were looked at before. Anything else raises ValueError.
    """
    parts, leaf_text = _cut(raw, index)
    decode, encode, sha256 = binascii.a2b_base64, binascii.b2a_base64, hashlib.sha256
    opened: dict[str, str] = {}
    lines, salts, last = [_LEAF_START], [], b""
    for part in parts:
        name, _, one = part.partition(_SALT)
        salt, value = one[:_SALT_END], one[_VALUE_AT:]
        if one[_SALT_END:_VALUE_AT] != _VALUE or name <= last or (b'"' in value and b"\\" not in value):
            raise _UnusualError
        if b"\\" in value:
            value = _unescaped(value)
        lines.append(b"%b %b" % (name, encode(sha256(decode(salt) + name + b"\x00" + value).digest())))
        salts.append(salt)
        last = name
        if name not in usual:
            if not _NAME.fullmatch(name):
                raise _UnusualError
            usual.add(name)
        if name in _MATTER:
            opened[name.decode()] = value.decode()
    leaf = b"".join(lines)
    if encode(leaf, newline=False) != leaf_text or not _SALTS.fullmatch(b"".join(salts)):
        raise _UnusualError
    if opened.get("action") == REDACTION or not all(name in opened for name in ALWAYS_OPEN):
        raise _UnusualError
    return opened, _leaf_hash(leaf)


def _cut(raw: bytes, index: int) -> tuple[list[bytes], bytes]:
    """The fields of a line as they are spelled, and its leaf."""
    raw.decode()
    fields, tail, rest = raw.rpartition(_TAIL)
    leaf_text, _, end = rest.partition(b'"')
    if not tail or end != b',"log_index":%d,"type":"entry"}\n' % index or not fields.startswith(_HEAD):
        raise _UnusualError
    if len(raw.translate(None, _CONTROL)) != len(raw) - 1:
        raise _UnusualError
    return fields[len(_HEAD) :].split(_NEXT), leaf_text


def _unescaped(spelled: bytes) -> bytes:
    """The text of a JSON string in its one spelling. Raises ValueError for another spelling."""
    quoted = b'"' + spelled + b'"'
    value = json.loads(quoted)
    if _encode(value).encode() != quoted:
        raise ValueError("another spelling")
    text: bytes = value.encode()
    return text


def _canonical(number: int, raw: bytes) -> dict[str, Any]:
    """The object of a line. The form has one spelling, so nothing is named twice in it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise VerificationError(f"line {number} is not UTF-8") from None
    try:
        item = json.loads(text)
    except (ValueError, RecursionError):
        item = None
    if not isinstance(item, dict):
        raise VerificationError(f"line {number} is not a JSON object")
    if canonical_line(item) != text:
        raise VerificationError(f"line {number} is not in canonical form")
    return item


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_line(item: dict[str, Any]) -> str:
    """The one way to write an item of an export, with its line feed."""
    return _encode(item) + "\n"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items())) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything holds; else 1, with one sentence on standard error."""
    given = _arguments().parse_args(arguments)
    try:
        for line in _checked(given):
            print(line)
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    except BrokenProcessPool:
        print("bad: a process that checked a part was ended; nothing is known. Try --jobs 1", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("--receipt", action="append", default=[], type=Path, help="may be given often")
    parser.add_argument("--complete", action="store_true", help="fail when a field is withheld")
    parser.add_argument(
        "--checkpoint", action="append", default=[], type=Path, help="from elsewhere; may be given often"
    )
    parser.add_argument("--witness-key", type=Path, help="whose signature every --checkpoint must bear")
    parser.add_argument("--consistency", action="append", default=[], type=Path, help="may be given often")
    parser.add_argument("--account", default="", help="every entry of this person is there and whole")
    parser.add_argument("--case", default="", help="every entry of this case is there and whole")
    parser.add_argument("--jobs", type=int, default=0, help="processes; default: by the size of the exports")
    parser.add_argument("export", nargs="*", type=Path, help="exports in their order")
    return parser


def _checked(given: argparse.Namespace) -> Iterator[str]:
    """What to say of everything that holds."""
    key = read_public_key(given.public_key.read_text(encoding="utf-8"))
    witness = read_witness_key(given.witness_key.read_text(encoding="utf-8")) if given.witness_key else None
    if witness and not given.checkpoint:
        raise VerificationError("a witness's key says nothing without a --checkpoint that it signed")
    notes = list(chain.from_iterable(read_checkpoints(_text(path)) for path in given.checkpoint))
    checkpoints = [open_checkpoint(note, key) for note in notes]
    times = [witnessed_at(note, witness) for note in notes] if witness else []
    _roots(checkpoints)
    if given.export:
        wanted = Wanted(given.complete, checkpoints, given.account, given.case)
        jobs = given.jobs or _usual_jobs(given.export)
        report = verify_exports((_lines_of(path) for path in given.export), key, wanted=wanted, jobs=jobs)
        yield from _told(report, wanted)
    if times:
        yield f"good: {len(times)} checkpoints signed by {witness.origin if witness else ''}"
    for path in given.consistency:
        first, second = check_consistency(_text(path), key)
        yield f"good: the log of {second.size} entries begins with the {first.size} that it signed before"
    for path in given.receipt:
        opened = verify_receipt(_text(path), key)
        yield f"good: receipt of entry {opened['entry_id']}, {opened['kind']} of {opened['record_time']}"


def _told(report: Report, wanted: Wanted) -> Iterator[str]:
    yield f"good: {report.entries} entries: {_counts(report.kinds)}"
    yield f"      withheld fields: {_counts(report.withheld)}; lawfully redacted: {_counts(report.redacted)}"
    yield f"      questions and acts without outcome: {len(report.unanswered)}"
    if wanted.checkpoints:
        yield f"      the first {report.witnessed} entries are those of checkpoints from elsewhere"
    if wanted.selects:
        whose = f"account {wanted.account}" if wanted.account else f"case {wanted.case}"
        yield f"      complete for {whose}: {report.selected} entries"


def _usual_jobs(exports: Sequence[Path]) -> int:
    return (os.cpu_count() or 1) if sum(path.stat().st_size for path in exports) > _LARGE_BYTES else 1


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


if __name__ == "__main__":
    sys.exit(main())
