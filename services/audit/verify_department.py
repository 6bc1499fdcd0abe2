#!/usr/bin/env python3
"""Checks a full export of what an agency owns, offline, with the log's public key and the files named below.

    python verify_department.py --public-key FILE [--complete] folder

It needs verifier.py and export_tables.py in the same folder, and nothing but Python.
It exits with 0 when everything holds and with 1 at the first thing that does not, named in one sentence.
With --complete it also fails when a picture or a part of the export is not there.

The folder holds `manifest.json` ("platewarden.department/v1") with every file and its SHA-256, and
    reads/NNNNNN.jsonl           a line about the page, then a read a line, in the order of read ids
    reads/NNNNNN.receipts.json   the log entries of its question, answer and leaving, with their proofs
    pictures/DAY/SHA256.ENDING   pictures as the cameras sent them, and those of hits
    alerts/NNNNNN.jsonl          a line about the page, then an alert a line with its hits and steps
    hot_lists/lists/, hot_lists/local/, hot_lists/ID/
                                 pages of lists with their versions, of local entries, of a list's entries
    log.jsonl                    the whole audit log (see verifier.py)
    *.jsonl                      everything else, an object of the contract a line
    *.csv                        the file of the same name as a table (see export_tables.py)

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
    from services.audit import export_tables, verifier
else:  # alone, with both in the same folder
    import export_tables  # type: ignore[no-redef, import-not-found]
    import verifier  # type: ignore[no-redef, import-not-found]

FORMAT = "platewarden.department/v1"
PAGE_FORMAT = "platewarden.reads/v1"
MANIFEST = "manifest.json"
RECEIPTS = ("question", "outcome", "dissemination")
PAGE_RECEIPTS = ("look", "leaving")
# What a page says of itself, and the log of it.
_POSITION = ("part", "of", "after", "until", "last", "row_count", "has_more")
LISTS = (
    "accounts", "agencies", "agreements", "evidence", "group_limits", "holds", "purges",
    "recipient_notices", "register", "retention", "sensor_groups", "sensors",
)  # fmt: skip
# Beside the reads and the lists, what a complete export has.
PARTS = ("alerts/000001.jsonl", "hot_lists/lists/000001.jsonl", "hot_lists/local/000001.jsonl", "log.jsonl")
# What the agency owns and no export has yet; whoever reads "good" shall not take it for more than it is.
OUTSIDE = (
    "Motor Carrier Safety reads",
    "held reads",
    "bytes of evidence packages",
    "uploads in quarantine",
    "tuning of hot lists",
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass
class Found:
    """What the export holds."""

    reads: int = 0
    pages: int = 0
    pictures: int = 0
    without_picture: int = 0
    alerts: int = 0
    hot_lists: int = 0
    listed: int = 0
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
    _check_tables(folder, names)
    found = Found(not_included=[str(one) for one in manifest.get("not_included", [])])
    _check_pages(
        folder, sorted(n for n in names if n.startswith("reads/") and n.endswith(".jsonl")), key, found
    )
    _check_alerts(folder, names, key, found)
    _check_hot_lists(folder, names, key, found)
    if "log.jsonl" in names:
        report = verifier.verify_exports([_lines(folder / "log.jsonl")], key, complete=False)
        found.log_entries = report.entries
    if complete and found.without_picture:
        raise verifier.VerificationError(f"the pictures of {found.without_picture} reads are not there")
    if complete and found.not_included:
        raise verifier.VerificationError(f"not everything is included: {', '.join(found.not_included)}")
    wanted = {"reads/000001.jsonl", *PARTS, *(f"{name}.jsonl" for name in LISTS)}
    if complete and (lacking := sorted(wanted - names)):
        raise verifier.VerificationError(f"the export is not complete: {', '.join(lacking)} is not there")
    if complete and found.log_entries <= (newest := _newest_entry(folder, names)):
        raise verifier.VerificationError(f"the log ends before entry {newest}, by which a page left")
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


def _newest_entry(folder: Path, names: set[str]) -> int:
    """The place in the log of the newest entry that proves a page; -1 without pages."""
    newest = -1
    for name in names:
        if name.endswith(".receipts.json"):
            receipts = _json((folder / name).read_bytes(), name)
            try:
                newest = max([newest, *(int(one["log_index"]) for one in receipts.values())])
            except (KeyError, TypeError, ValueError):
                raise verifier.VerificationError(f"{name} holds what is no receipt") from None
    return newest


def _check_tables(folder: Path, names: set[str]) -> None:
    """Every table says what its JSON lines say."""
    for name in sorted(one for one in names if one.endswith(".csv")):
        lines = name.removesuffix(".csv") + ".jsonl"
        if lines not in names:
            raise verifier.VerificationError(f"there is no {lines} of which {name} is the table")
        try:
            table = export_tables.table_of((folder / lines).read_bytes())
        except (ValueError, TypeError, KeyError, AttributeError):
            raise verifier.VerificationError(f"{lines} cannot be made a table") from None
        if (folder / name).read_bytes() != table:
            raise verifier.VerificationError(f"the table {name} does not say what {lines} says")


def _check_pages(folder: Path, pages: Sequence[str], key: verifier.PublicKey, found: Found) -> None:
    before: Page | None = None
    for name in pages:
        page = _page(folder, name, key)
        _check_order(name, page, before)
        found.pages += 1
        found.reads += len(page.read_ids)
        for day, sha256 in page.images:
            _check_picture(folder, day, sha256, found)
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


def _check_picture(folder: Path, day: str, sha256: str, found: Found) -> None:
    there = list((folder / "pictures" / day).glob(f"{sha256}.*"))
    if there and _digest(there[0]) != sha256:
        raise verifier.VerificationError(f"the picture {sha256} is another one")
    found.pictures += bool(there)
    found.without_picture += not there


def _check_alerts(folder: Path, names: set[str], key: verifier.PublicKey, found: Found) -> None:
    pages = Pages("alerts", "alert.leave", "alerts", "")
    for alert in _rows_of(folder, names, key, pages):
        found.alerts += 1
        for day, sha256 in _hit_images(alert):
            _check_picture(folder, day, sha256, found)


def _check_hot_lists(folder: Path, names: set[str], key: verifier.PublicKey, found: Found) -> None:
    """Every list that has a version has its entries, up to that version or a later one."""
    action = "hot_list.leave"
    known: set[str] = set()
    for one in _rows_of(folder, names, key, Pages("hot_lists/lists", action, "hot_lists", "")):
        list_id, latest = str(one.get("hot_list_id")), one.get("latest_version")
        known.add(list_id)
        found.hot_lists += 1
        if not latest:
            continue
        pages = Pages(f"hot_lists/{list_id}", action, "hot_list_entries", list_id)
        if not pages.among(names):
            raise verifier.VerificationError(f"the entries of the hot list {list_id} are missing")
        found.listed += sum(1 for _ in _rows_of(folder, names, key, pages))
        about = _json((folder / pages.among(names)[0]).read_bytes().split(b"\n", 1)[0], "a page")
        if int(about["until"]) < int(latest):
            raise verifier.VerificationError(f"the entries of the hot list {list_id} are of an older version")
    others = {name.split("/")[1] for name in names if name.startswith("hot_lists/")} - known
    if others - {"lists", "local"}:
        raise verifier.VerificationError("there are entries of a hot list that is not among the lists")
    local = Pages("hot_lists/local", action, "local_entries", "")
    found.listed += sum(1 for _ in _rows_of(folder, names, key, local))


@dataclass(frozen=True)
class Pages:
    """Pages that belong together: their folder, the action by which they left, what they are and of what."""

    folder: str
    action: str
    part: str
    of: str

    def among(self, names: set[str]) -> list[str]:
        """Their files in order."""
        there = (n for n in names if n.rpartition("/")[0] == self.folder and n.endswith(".jsonl"))
        return sorted(there)


def _rows_of(
    folder: Path, names: set[str], key: verifier.PublicKey, pages: Pages
) -> Iterator[Mapping[str, Any]]:
    """The records of all pages, each of which is what the log says and goes on where the one before ended."""
    before: Mapping[str, str] = {}
    for name in pages.among(names):
        about, rows = _logged_page(folder, name, key, pages)
        if before.get("has_more", "yes") != "yes":
            raise verifier.VerificationError(f"{name} comes after the last page")
        if about["after"] != before.get("last", "") or about["until"] != before.get("until", about["until"]):
            raise verifier.VerificationError(f"{name} does not go on where the page before it ended")
        yield from rows
        before = about
    if before.get("has_more", "no") != "no":
        raise verifier.VerificationError(f"the last page of {pages.folder} is missing")


def _logged_page(
    folder: Path, name: str, key: verifier.PublicKey, pages: Pages
) -> tuple[Mapping[str, str], list[dict[str, Any]]]:
    raw = (folder / name).read_bytes()
    about, *rows = [_json(line, f"a line of {name}") for line in raw.splitlines()] or [{}]
    receipts = _receipts(folder / name.replace(".jsonl", ".receipts.json"), key, PAGE_RECEIPTS)
    look, left = (receipts[one] for one in PAGE_RECEIPTS)
    for holds, sentence in (
        (left.get("action") == pages.action, "is not a page of a full export"),
        (left.get("detail.sha256") == hashlib.sha256(raw).hexdigest(), "is not the page that is in the log"),
        (left.get("detail.look_entry") == look["entry_id"], "belongs to another look"),
        ((about.get("part"), about.get("of")) == (pages.part, pages.of), "holds other records"),
        (all(about.get(one) == left.get(f"detail.{one}", "") for one in _POSITION), "is of another place"),
        (about.get("row_count") == str(len(rows)), "has another number of records than the log says"),
        (about.get("after") == look.get("detail.after", ""), "is not what was asked for"),
    ):
        if not holds:
            raise verifier.VerificationError(f"{name} {sentence}")
    return about, rows


def _hit_images(alert: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Day and SHA-256 of each picture of an alert's hits."""
    for hit in alert.get("hits", []):
        for one in ("crop", "overview"):
            if picture := hit["read"].get(one):
                if not _DAY.fullmatch(picture["day"]):
                    raise verifier.VerificationError("a hit's picture is of no day")
                yield picture["day"], picture["sha256"]


def _receipts(
    path: Path, key: verifier.PublicKey, wanted: Sequence[str] = RECEIPTS
) -> dict[str, dict[str, str]]:
    receipts = _json(path.read_bytes(), path.name)
    try:
        return {name: verifier.verify_receipt(json.dumps(receipts[name]), key) for name in wanted}
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
    print(
        f"      {found.alerts} alerts; {found.listed} entries of {found.hot_lists} hot lists and local lists"
    )
    print(f"      {found.log_entries} entries of the log")
    print(f"      not included: {', '.join(found.not_included) or 'nothing of what an export has'}")
    print(f"      in no export: {', '.join(OUTSIDE)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
