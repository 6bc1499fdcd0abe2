#!/usr/bin/env python3
"""Checks evidence packages offline, with this file, verifier.py beside it, and the log's public key alone.

    python verify_evidence.py --public-key FILE package.zip ...

It exits with 0 when everything holds and with 1 at the first thing that does not, named in one sentence.

A package is a ZIP file with `manifest.json` ("platewarden.evidence/v1"), the files that it lists with their
SHA-256, and three receipts of the audit log (see verifier.py), which must hold and belong together:

    receipts/question.json       somebody asked for this read as evidence, with case number and purpose
    receipts/outcome.json        the answer was this read, by the digest of its id
    receipts/dissemination.json  this manifest left the system, by its SHA-256
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

if __package__:
    from services.audit import verifier
else:  # alone, with verifier.py in the same folder
    import verifier  # type: ignore[no-redef, import-not-found]

FORMAT = "platewarden.evidence/v1"
MANIFEST = "manifest.json"
RECEIPTS = ("question", "outcome", "dissemination")
# By which a package leaves; Motor Carrier Safety has one of its own.
ACTIONS = ("dissemination.evidence", "mcs_dissemination.evidence")
_MOST_FILES = 64
_MOST_BYTES = 256 * 1024 * 1024


def verify(path: Path, key: verifier.PublicKey) -> dict[str, Any]:
    """The manifest of a package that holds."""
    files = _files(path)
    raw = files.pop(MANIFEST, None)
    if raw is None:
        raise verifier.VerificationError("the package has no manifest")
    manifest = _json(raw, "the manifest")
    if manifest.get("format") != FORMAT:
        raise verifier.VerificationError(f"the manifest is not in the format {FORMAT}")
    receipts = {name: _receipt(files.pop(f"receipts/{name}.json", None), name, key) for name in RECEIPTS}
    _check_files(manifest, files)
    _check_original(manifest, files)
    _check_receipts(manifest, hashlib.sha256(raw).hexdigest(), receipts)
    return manifest


def _files(path: Path) -> dict[str, bytes]:
    """The files of the package by name; nothing is written anywhere."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise verifier.VerificationError("the package is larger than any that is made")
            files = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        raise verifier.VerificationError("the package is not a whole ZIP file") from None
    if len(files) != len(entries):
        raise verifier.VerificationError("the package has two files of one name")
    return files


def _json(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise verifier.VerificationError(f"{what} is not a JSON object")
    return found


def _receipt(raw: bytes | None, name: str, key: verifier.PublicKey) -> dict[str, str]:
    if raw is None:
        raise verifier.VerificationError(f"the package lacks its receipt {name!r}")
    try:
        return verifier.verify_receipt(raw.decode(), key)
    except (UnicodeDecodeError, verifier.VerificationError) as error:
        raise verifier.VerificationError(f"the receipt {name!r} does not hold: {error}") from None


def _check_files(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """The package has the files of its manifest, each as it is listed, and no other."""
    listed = manifest.get("files")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise verifier.VerificationError("the manifest lists no files")
    names = [str(one.get("name")) for one in listed]
    if len(set(names)) != len(names):
        raise verifier.VerificationError("the manifest lists a file twice")
    for name in sorted(set(files) - set(names)):
        raise verifier.VerificationError(f"the package has a file {name!r} that its manifest does not list")
    for one in listed:
        data = files.get(str(one.get("name")))
        if data is None:
            raise verifier.VerificationError(f"the file {one.get('name')!r} is missing")
        if hashlib.sha256(data).hexdigest() != one.get("sha256") or len(data) != one.get("size_bytes"):
            raise verifier.VerificationError(f"the file {one.get('name')!r} was changed")


def _check_original(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """The picture is the one whose hash the read has carried since its capture."""
    originals = [name for name in files if name.startswith("original.")]
    read = manifest.get("read")
    if len(originals) != 1 or not isinstance(read, dict):
        raise verifier.VerificationError("the package is not of one read with one picture")
    if hashlib.sha256(files[originals[0]]).hexdigest() != read.get("image_sha256"):
        raise verifier.VerificationError("the picture is not the read's")


def _check_receipts(
    manifest: Mapping[str, Any], digest: str, receipts: Mapping[str, Mapping[str, str]]
) -> None:
    """The three entries are about this manifest, this read and one another."""
    question, outcome, left = (receipts[name] for name in RECEIPTS)
    try:
        read_id = UUID(str(manifest["read"]["read_id"]))
    except (KeyError, ValueError):
        raise verifier.VerificationError("the manifest names no read") from None
    line = f"read_id:36:{read_id}"
    rows = hashlib.sha256(read_id.bytes).hexdigest()
    for holds, sentence in (
        (left.get("action") in ACTIONS, "the third receipt is not of an evidence package"),
        (left.get("detail.manifest_sha256") == digest, "the manifest is not the one that is in the log"),
        (left.get("detail.question_entry") == question["entry_id"], "the package answers another question"),
        (question["kind"] == "query", "the first receipt is not of a question"),
        (line in question.get("question", "").split("\n"), "the question asked for another read"),
        (question.get("actor") == left.get("actor"), "somebody else asked than took the package"),
        (manifest.get("account_id") == question.get("actor"), "the manifest names another account"),
        (manifest.get("question_entry") == question["entry_id"], "the manifest names another question"),
        (outcome.get("subject") == question["entry_id"], "the answer is of another question"),
        (outcome.get("rows_digest") == rows, "the answer was another read"),
    ):
        if not holds:
            raise verifier.VerificationError(sentence)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything holds; else 1, with one sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("package", nargs="+", type=Path, help="evidence packages")
    given = parser.parse_args(arguments)
    try:
        key = verifier.read_public_key(given.public_key.read_text(encoding="utf-8"))
        for path in given.package:
            _tell(verify(path, key))
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except verifier.VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    return 0


def _tell(manifest: Mapping[str, Any]) -> None:
    read, destination = manifest["read"], manifest.get("destination", {})
    print(
        f"good: evidence of read {read['read_id']}: {len(manifest['files'])} files as the manifest lists them"
    )
    print(f"      plate {read.get('plate')}, captured {read.get('capture_time')} by {read.get('sensor_id')}")
    print(f"      read by models {read.get('model_version')}; the picture is the read's own")
    print(f"      report {destination.get('report_number')}, {destination.get('evidence_system')}")
    print("      question, answer and this package stand in the log")


if __name__ == "__main__":
    sys.exit(main())
