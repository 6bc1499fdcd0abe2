"""Evidence packages: what is in one, and the manifest by which log and register know it (ENF-051 III.D.5)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

FORMAT: Final = "platewarden.evidence/v1"
MANIFEST: Final = "manifest.json"
# Proofs stand beside the manifest: they are checked against the log's key, and grow with the log.
QUESTION_RECEIPT: Final = "receipts/question.json"
OUTCOME_RECEIPT: Final = "receipts/outcome.json"
DISSEMINATION_RECEIPT: Final = "receipts/dissemination.json"
_README: Final = """\
EVIDENCE PACKAGE OF ONE LICENCE PLATE READ

{notice}

What is here
  manifest.json      what each file is, with its SHA-256, and what is known of the read
  original.*         the picture as the camera sent it, byte for byte
  overview.jpg       the same picture for people, no larger than a screen
  plate.jpg          the plate in it
  read.json          everything that the recogniser said, with its probabilities
  receipts/*.json    entries of the audit log with their proofs: the question, the answer, this package

How to verify it, without any network:

    platewarden evidence verify PACKAGE.zip --public-key FILE

or, with Python alone and the files verifier.py and verify_evidence.py of the project:

    python verify_evidence.py --public-key FILE PACKAGE.zip

FILE holds the public key of the audit log. Get it from the agency, never from whoever gave you this package.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the custody: when what happened, and through whom."""

    time: datetime
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the package."""

    name: str
    what: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a package is about.

    Attributes:
        read: Facts of the read, JSON-ready, with `read_id` and `image_sha256`.
        destination: Report number, evidence system and item, case number and purpose.
        question_entry: The log entry of the question that the package answers.
        made_time: When the question was put.
        notice: What the read is good for.
    """

    read: Mapping[str, Any]
    destination: Mapping[str, str]
    custody: tuple[Step, ...]
    question_entry: str
    account_id: str
    made_time: datetime
    notice: str
    verification_state: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it is kept: its manifest, and all as a ZIP file but the receipt of its own leaving."""

    manifest: bytes
    archive: bytes

    @property
    def manifest_sha256(self) -> bytes:
        """By which log and register know it."""
        return sha256(self.manifest).digest()


def pack(evidence: Evidence, question_receipt: bytes, outcome_receipt: bytes) -> Package:
    """The package; the same evidence gives the same manifest."""
    parts = (*evidence.parts, Part("README.txt", "how to verify", _readme(evidence)))
    manifest = _manifest(evidence, parts)
    files = {
        MANIFEST: manifest,
        QUESTION_RECEIPT: question_receipt,
        OUTCOME_RECEIPT: outcome_receipt,
        **{part.name: part.data for part in parts},
    }
    return Package(manifest, _zip(files))


def manifest_of(archive: bytes) -> bytes:
    """The manifest in a kept package."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(MANIFEST)


def with_receipt(archive: bytes, receipt: bytes) -> bytes:
    """The ZIP file with the receipt that proves its manifest; the same receipt gives the same bytes."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    return _zip(files | {DISSEMINATION_RECEIPT: receipt})


def as_json(value: Any) -> bytes:
    """JSON for people and programs, in one spelling."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _readme(evidence: Evidence) -> bytes:
    return _README.format(notice=evidence.notice).encode()


def _manifest(evidence: Evidence, parts: tuple[Part, ...]) -> bytes:
    return as_json(
        {
            "format": FORMAT,
            "notice": {
                "lead_only": True,
                "verification_state": evidence.verification_state,
                "text": evidence.notice,
            },
            "read": dict(evidence.read),
            "destination": dict(evidence.destination),
            "custody": [
                {"time": step.time.isoformat(), "what": step.what, "who": step.who}
                for step in evidence.custody
            ],
            "question_entry": evidence.question_entry,
            "account_id": evidence.account_id,
            "made_time": evidence.made_time.isoformat(),
            "files": [
                {
                    "name": part.name,
                    "what": part.what,
                    "sha256": sha256(part.data).hexdigest(),
                    "size_bytes": len(part.data),
                }
                for part in parts
            ],
        }
    )


def _zip(files: Mapping[str, bytes]) -> bytes:
    """The files, uncompressed, in the order of their names, without times of their own."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return written.getvalue()
