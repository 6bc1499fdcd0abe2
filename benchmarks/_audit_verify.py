"""An export of many entries, made by this program, and how fast the offline verifier goes through it."""

from __future__ import annotations

import multiprocessing
import os
import time
from base64 import b64encode
from itertools import chain
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks._audit_store import draft
from services.audit import verifier
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import Entry, make_entry
from services.common.merkle import Frontier, leaf_hash
from services.common.receipts import export_header

_SIGNER: Final = Signer("benchmark.invalid/export", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_PART: Final = 2_000


def write_export(file: Path, entries: int) -> None:
    """Writes an export: questions, each followed by its outcome, with the fields that these have."""
    frontier = Frontier()
    first = _SIGNER.checkpoint(0, frontier.root()).text
    with file.open("w", encoding="utf-8") as out, multiprocessing.Pool(os.cpu_count()) as pool:
        out.write(export_header(first, 0))
        for lines, hashes in pool.imap(_part, range(0, entries, _PART)):
            out.writelines(lines[: entries - frontier.size])
            frontier = frontier.extended(hashes[: entries - frontier.size])
        note = _SIGNER.checkpoint(frontier.size, frontier.root()).text
        out.write(verifier.canonical_line({"type": "checkpoint", "checkpoint": note}))


def _part(first: int) -> tuple[list[str], list[bytes]]:
    pairs = chain.from_iterable(_pair(number) for number in range(first, first + _PART, 2))
    made = list(pairs)
    lines = [_line(first + place, one) for place, one in enumerate(made)]
    return lines, [leaf_hash(one.leaf) for one in made]


def _pair(number: int) -> tuple[Entry, Entry]:
    asked = {**draft().values, "entry_id": f"question-{number}", "kind": "query"}
    ended = {
        **{name: asked[name] for name in ("actor", "actor_agency", "action", "service", "request_id")},
        "entry_id": f"outcome-{number}",
        "kind": "outcome",
        "subject": asked["entry_id"],
        "result": "DONE",
        "row_count": "17",
        "rows_digest": "0" * 64,
    }
    times = ("2026-11-26T08:00:00.000001Z", "2026-11-26T08:00:00.000002Z")
    asked["record_time"], ended["record_time"] = times
    return make_entry("", asked, os.urandom), make_entry("", ended, os.urandom)


def _line(index: int, one: Entry) -> str:
    fields = [
        {"name": field.name, "salt": b64encode(field.salt).decode(), "value": field.value}
        for field in one.fields
    ]
    leaf = b64encode(one.leaf).decode()
    return verifier.canonical_line({"fields": fields, "leaf": leaf, "log_index": index, "type": "entry"})


def entries_per_s(file: Path, jobs: int) -> float:
    """Entries a second of the verifier as an auditor runs it, with so many processes."""
    key = verifier.read_public_key(_SIGNER.verifier_key())
    start = time.perf_counter()
    with file.open("rb") as lines:
        report = verifier.verify_exports([lines], key, complete=True, jobs=jobs)
    return report.entries / (time.perf_counter() - start)
