#!/usr/bin/env python3
"""Checks a full export of what an agency owns, offline, with this file, verifier.py and the log's public key.

    python verify_department.py --public-key FILE [--complete] folder

It exits with 0 when everything holds and with 1 at the first thing that does not, named in one sentence.
With --complete it also fails when a picture or a part of the export is not there.

The folder holds `manifest.json` ("platewarden.department/v1") with every file and its SHA-256, and
    reads/NNNNNN.jsonl           a line about the page, then a read a line, in the order of read ids
    reads/NNNNNN.receipts.json   the log entries of its question, answer and leaving, with their proofs
    pictures/DAY/SHA256.ENDING   pictures as the cameras sent them
    log.jsonl                    the whole audit log (see verifier.py)
    *.jsonl                      everything else, an object of the contract a line

Pages belong together: each begins after the last read of the one before, asks up to the same moment, and
holds just the reads whose number and digest the log has. The last one is not full. So none is missing. (Where
a window begins moves on with the retention period, while an export of many hours is made.)
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

if __package__:
    from services.audit import verifier
else:  # alone, with verifier.py in the same folder
    import verifier  # type: ignore[no-redef, import-not-found]

FORMAT = "platewarden.department/v1"
PAGE_FORMAT = "platewarden.reads/v1"
MANIFEST = "manifest.json"
RECEIPTS = ("question", "outcome", "dissemination")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass
class Found:
    """What the export holds."""

    reads: int = 0
    pages: int = 0
    pictures: int = 0
    without_picture: int = 0
    log_entries: int = 0
    not_included: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A page that holds: its reads, and what its recorded question asked for."""

    read_ids: tuple[UUID, ...]
    images: tuple[tuple[str, str], ...]
    question: Mapping[str, str]


def verify(folder: Path, key: verifier.PublicKey, *, complete: bool = False) -> Found:
    """What an export holds whose every part holds."""
    manifest = _json((folder / MANIFEST).read_bytes(), "the manifest")
    if manifest.get("format") != FORMAT:
        raise verifier.VerificationError(f"the manifest is not in the format {FORMAT}")
    names = _check_files(folder, manifest)
    found = Found(not_included=[str(one) for one in manifest.get("not_included", [])])
    _check_pages(
        folder, sorted(n for n in names if n.startswith("reads/") and n.endswith(".jsonl")), key, found
    )
    if "log.jsonl" in names:
        report = verifier.verify_exports([_lines(folder / "log.jsonl")], key, complete=False)
        found.log_entries = report.entries
    if complete and found.without_picture:
        raise verifier.VerificationError(f"the pictures of {found.without_picture} reads are not there")
    if complete and found.not_included:
        raise verifier.VerificationError(f"not everything is included: {', '.join(found.not_included)}")
    return found


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    """The folder has the files of its manifest, each as it is listed, and no other."""
    listed = manifest.get("files")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise verifier.VerificationError("the manifest lists no files")
    names = {str(one.get("name")): one for one in listed}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(there - set(names)):
        raise verifier.VerificationError(f"there is a file {name!r} that the manifest does not list")
    for name, one in names.items():
        if name not in there:
            raise verifier.VerificationError(f"the file {name!r} is missing")
        if _digest(folder / name) != one.get("sha256"):
            raise verifier.VerificationError(f"the file {name!r} was changed")
    return set(names)


def _check_pages(folder: Path, pages: Sequence[str], key: verifier.PublicKey, found: Found) -> None:
    before: Page | None = None
    for name in pages:
        page = _page(folder, name, key)
        _check_order(name, page, before)
        found.pages += 1
        found.reads += len(page.read_ids)
        for day, sha256 in page.images:
            there = [path for path in (folder / "pictures" / day).glob(f"{sha256}.*")]
            if there and _digest(there[0]) != sha256:
                raise verifier.VerificationError(f"the picture {sha256} is another one")
            found.pictures += bool(there)
            found.without_picture += not there
        before = page
    if before is not None and len(before.read_ids) >= int(before.question["page_size"]):
        raise verifier.VerificationError("the last page is full, so the export broke off")


def _check_order(name: str, page: Page, before: Page | None) -> None:
    """The page goes on where the one before ended, and asks the same."""
    if before and not before.read_ids:
        raise verifier.VerificationError(f"{name} comes after a page that proves the end")
    after = before.read_ids[-1] if before else None
    if page.question["after_read_id"] != (str(after) if after else ""):
        raise verifier.VerificationError(f"{name} does not go on where the page before it ended")
    if before and page.question["to_us"] != before.question["to_us"]:
        raise verifier.VerificationError(f"{name} is of another window than the page before it")
    in_order = [*([after] if after else []), *page.read_ids]
    if any(one >= other for one, other in pairwise(in_order)):
        raise verifier.VerificationError(f"{name} has its reads in another order")


def _page(folder: Path, name: str, key: verifier.PublicKey) -> Page:
    """The page, if it is what the log says."""
    raw = (folder / name).read_bytes()
    about, *reads = [_json(line, f"a line of {name}") for line in raw.splitlines()]
    if about.get("format") != PAGE_FORMAT:
        raise verifier.VerificationError(f"{name} is not in the format {PAGE_FORMAT}")
    receipts = _receipts(folder / name.replace(".jsonl", ".receipts.json"), key)
    question, outcome, left = (receipts[one] for one in RECEIPTS)
    read_ids = tuple(_read_id(one, name) for one in reads)
    rows = hashlib.sha256(b"".join(one.bytes for one in read_ids)).hexdigest()
    asked = dict(_question(question.get("question", "")))
    for holds, sentence in (
        (left.get("action") == "dissemination.everything", "is not a page of a full export"),
        (left.get("detail.sha256") == hashlib.sha256(raw).hexdigest(), "is not the page that is in the log"),
        (left.get("detail.question_entry") == question["entry_id"], "answers another question"),
        (about.get("question_entry") == question["entry_id"], "names another question"),
        (asked.get("kind") == "export", "answers a question of another kind"),
        (outcome.get("subject") == question["entry_id"], "has the answer of another question"),
        (outcome.get("row_count") == str(len(read_ids)), "has another number of reads than the log says"),
        (outcome.get("rows_digest") == rows, "has other reads than the log says"),
        ({"from_us", "to_us", "page_size", "after_read_id"} <= set(asked), "has no whole question"),
    ):
        if not holds:
            raise verifier.VerificationError(f"{name} {sentence}")
    return Page(read_ids, tuple(_images(reads)), asked)


def _receipts(path: Path, key: verifier.PublicKey) -> dict[str, dict[str, str]]:
    receipts = _json(path.read_bytes(), path.name)
    try:
        return {name: verifier.verify_receipt(json.dumps(receipts[name]), key) for name in RECEIPTS}
    except KeyError as error:
        raise verifier.VerificationError(f"{path.name} lacks the receipt {error}") from None


def _question(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a question as the log has it, a line `name:length:value` each."""
    for line in text.split("\n"):
        name, _, rest = line.partition(":")
        yield name, rest.partition(":")[2]


def _read_id(read: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(str(read["read"]["read_id"]))
    except (KeyError, TypeError, ValueError):
        raise verifier.VerificationError(f"{name} has a line that is no read") from None


def _images(reads: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Day and SHA-256 of each read's picture."""
    for one in reads:
        image = one["read"].get("image", {})
        try:
            day, sha256 = str(image["day"]), base64.b64decode(image["sha256"]).hex()
        except (KeyError, TypeError, ValueError):
            raise verifier.VerificationError("a read has no picture of its own") from None
        if not _DAY.fullmatch(day):
            raise verifier.VerificationError("a read's picture is of no day")
        yield day, sha256


def _json(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise verifier.VerificationError(f"{what} is not a JSON object")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything holds; else 1, with one sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("--complete", action="store_true", help="fail when a picture or part is not there")
    parser.add_argument("folder", type=Path, help="the export")
    given = parser.parse_args(arguments)
    try:
        key = verifier.read_public_key(given.public_key.read_text(encoding="utf-8"))
        found = verify(given.folder, key, complete=given.complete)
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except verifier.VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    print(f"good: {found.reads} reads in {found.pages} pages, none left out between them")
    print(f"      {found.pictures} pictures, {found.without_picture} not there")
    print(f"      {found.log_entries} entries of the log")
    print(f"      not included: {', '.join(found.not_included) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
