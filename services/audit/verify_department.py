#!/usr/bin/env python3
"""Checks a full export of what an agency owns, offline, with the log's public key and the files named below.

    python verify_department.py --public-key FILE [--complete] folder

It needs verifier.py, verify_evidence.py, department_pages.py and export_tables.py in the same folder, and
nothing but Python. It exits with 0 when everything holds and with 1 at the first thing that does not, named
in one sentence. With --complete it also fails when a picture or a part of the export is not there.

The folder holds `manifest.json` ("platewarden.department/v1") with every file and its SHA-256, and
    seal.json                    the log entry that has the SHA-256 of the manifest
    reads/NNNNNN.jsonl           a line about the page, then a read a line, in the order of read ids
    reads/NNNNNN.receipts.json   the log entries of its question, answer and leaving, with their proofs
    held/HOLD/NNNNNN...          the same of what each legal hold has kept
    pictures/DAY/SHA256.ENDING   pictures as the cameras sent them, and those of hits
    evidence/ID.zip              evidence packages, each with its own proof (see verify_evidence.py)
    alerts/NNNNNN.jsonl          a line about the page, then an alert a line with its hits and steps
    alerts/subscriptions/, ...   pages of subscriptions, patrol assets, messages to them, what escalated,
                                 webhooks and messages to them
    hot_lists/lists/, hot_lists/local/, hot_lists/ID/
                                 pages of lists with their versions, of local entries, of a list's entries
    hot_lists/quarantined/, hot_lists/findings/, hot_lists/tuning/
                                 pages of uploads that were refused, of what was said about rows, of changes
                                 of budgets
    *.jsonl                      everything else, an object of the contract a line
    *.csv                        the file of the same name as a table (see export_tables.py)
Beside what the manifest lists there may be
    log.jsonl                    the whole audit log, which proves itself (see verifier.py)
    motor_carrier/               what the agency owns of Motor Carrier Safety: an export like this one, with
                                 manifest and seal of its own, made by other people

Pages belong together: each begins after the last read of the one before, asks up to the same moment, and
holds just the reads whose number and digest the log has. The last one is not full. So none is missing. (Where
a window begins moves on with the retention period, while an export of many hours is made.)
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __package__:
    from services.audit import export_tables, verifier, verify_evidence
    from services.audit.department_pages import (
        DEPARTMENT,
        MOTOR_CARRIER_HOUSE,
        House,
        Pages,
        ReadPages,
        hit_images,
        json_object,
        pages_in,
        read_pages,
        receipt_of,
        rows_of,
    )
else:  # alone, with all of them in the same folder
    import export_tables  # type: ignore[no-redef, import-not-found]
    import verifier  # type: ignore[no-redef, import-not-found]
    import verify_evidence  # type: ignore[no-redef, import-not-found]
    from department_pages import (  # type: ignore[no-redef, import-not-found]
        DEPARTMENT,
        MOTOR_CARRIER_HOUSE,
        House,
        Pages,
        ReadPages,
        hit_images,
        json_object,
        pages_in,
        read_pages,
        receipt_of,
        rows_of,
    )

_NOT_SEALED = "the log does not have the manifest: lists are as somebody wrote them"
MANIFEST, SEAL, LOG, MOTOR_CARRIER = "manifest.json", "seal.json", "log.jsonl", "motor_carrier"


@dataclass
class Found:
    """What the export holds; of Motor Carrier Safety the same once more."""

    reads: int = 0
    pages: int = 0
    held_reads: int = 0
    pictures: int = 0
    without_picture: int = 0
    evidence: int = 0
    alerts: int = 0
    about_alerts: int = 0
    hot_lists: int = 0
    listed: int = 0
    log_entries: int = 0
    sealed: bool = False
    not_included: list[str] = field(default_factory=list)
    motor_carrier: Found | None = None


def verify(folder: Path, key: verifier.PublicKey, *, complete: bool = False) -> Found:
    """What an export holds whose every part holds."""
    found = _verify_house(folder, key, DEPARTMENT, complete=complete)
    apart = folder / MOTOR_CARRIER
    if apart.exists():
        found.motor_carrier = _verify_house(apart, key, MOTOR_CARRIER_HOUSE, complete=complete)
    if (folder / LOG).exists():
        found.log_entries = verifier.verify_exports([_lines(folder / LOG)], key, complete=False).entries
    if complete:
        _check_complete(folder, found)
    return found


def _verify_house(folder: Path, key: verifier.PublicKey, house: House, *, complete: bool) -> Found:
    """What the export of one data set holds, as far as it needs no other part."""
    raw = (folder / MANIFEST).read_bytes()
    manifest = json_object(raw, "the manifest")
    if manifest.get("format") != house.format:
        raise verifier.VerificationError(f"the manifest is not in the format {house.format}")
    names = _check_files(folder, manifest)
    _check_tables(folder, names)
    found = Found(not_included=[str(one) for one in manifest.get("not_included", [])])
    found.sealed = _check_seal(folder, raw, key, house)
    _check_reads(folder, names, key, house, found)
    _check_evidence(folder, names, key, found)
    _check_alerts(folder, names, key, house, found)
    if house.hot_lists:
        _check_hot_lists(folder, names, key, house, found)
    if complete:
        _check_parts(folder, names, house, found)
    return found


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    """The folder has the files of its manifest, each as it is listed, and no other that is to be in it."""
    listed = manifest.get("files")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise verifier.VerificationError("the manifest lists no files")
    names = {str(one.get("name")): one for one in listed}
    there = set(files_below(folder))
    for name in sorted(there - set(names)):
        raise verifier.VerificationError(f"there is a file {name!r} that the manifest does not list")
    for name, one in names.items():
        if name not in there:
            raise verifier.VerificationError(f"the file {name!r} is missing")
        if _digest(folder / name) != one.get("sha256"):
            raise verifier.VerificationError(f"the file {name!r} was changed")
    return set(names)


def files_below(folder: Path) -> Iterator[str]:
    """Names of the files that a manifest of the folder lists, in no order."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in {MANIFEST, SEAL, LOG} and not name.startswith(f"{MOTOR_CARRIER}/"):
            yield name


def _check_seal(folder: Path, manifest: bytes, key: verifier.PublicKey, house: House) -> bool:
    """True when the log has the SHA-256 of the manifest, and with it every file."""
    if not (folder / SEAL).exists():
        return False
    sealed = receipt_of(folder / SEAL, "seal", key)
    if sealed.get("action") != house.seal:
        raise verifier.VerificationError("the seal is of something else than an export")
    if sealed.get("detail.sha256") != hashlib.sha256(manifest).hexdigest():
        raise verifier.VerificationError("the manifest is not the one that is in the log")
    return True


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


def _check_reads(folder: Path, names: set[str], key: verifier.PublicKey, house: House, found: Found) -> None:
    for page in read_pages(folder, names, key, ReadPages("reads", house.kind, house.leave)):
        found.pages += 1
        found.reads += len(page.read_ids)
        _check_pictures(folder, page.images, found)
    for hold in sorted({name.split("/")[1] for name in names if name.startswith("held/")}):
        pages = ReadPages(f"held/{hold}", house.held, house.leave, hold)
        if not pages_in(pages.folder, names):
            raise verifier.VerificationError(f"there is no page of what the hold {hold} keeps")
        for page in read_pages(folder, names, key, pages):
            found.held_reads += len(page.read_ids)
            _check_pictures(folder, page.images, found)


def _check_pictures(folder: Path, images: Sequence[tuple[str, str]], found: Found) -> None:
    for day, sha256 in images:
        there = list((folder / "pictures" / day).glob(f"{sha256}.*"))
        if there and _digest(there[0]) != sha256:
            raise verifier.VerificationError(f"the picture {sha256} is another one")
        found.pictures += bool(there)
        found.without_picture += not there


def _check_evidence(folder: Path, names: set[str], key: verifier.PublicKey, found: Found) -> None:
    """Every package holds, and is the one that the list names."""
    listed = {one.get("evidence_id"): one for one in _list(folder, names, "evidence")}
    for name in sorted(one for one in names if one.startswith("evidence/")):
        manifest = verify_evidence.verify(folder / name, key)
        evidence_id = name.removeprefix("evidence/").removesuffix(".zip")
        if manifest["read"]["read_id"] != listed.get(evidence_id, {}).get("read_id"):
            raise verifier.VerificationError(f"{name} is not the evidence package that the list names")
        found.evidence += 1


def _check_alerts(folder: Path, names: set[str], key: verifier.PublicKey, house: House, found: Found) -> None:
    alerts, *others = house.alerts
    for alert in rows_of(folder, names, key, alerts):
        found.alerts += 1
        _check_pictures(folder, list(hit_images(alert)), found)
    for pages in others:
        found.about_alerts += sum(1 for _ in rows_of(folder, names, key, pages))


def _check_hot_lists(
    folder: Path, names: set[str], key: verifier.PublicKey, house: House, found: Found
) -> None:
    """Every list that has a version has its entries, up to that version or a later one."""
    lists, *others = house.hot_lists
    known = {one.folder.removeprefix("hot_lists/") for one in house.hot_lists}
    for one in rows_of(folder, names, key, lists):
        list_id, latest = str(one.get("hot_list_id")), one.get("latest_version")
        known.add(list_id)
        found.hot_lists += 1
        if not latest:
            continue
        pages = Pages(f"hot_lists/{list_id}", "hot_list.leave", "hot_list_entries", list_id)
        if not pages.among(names):
            raise verifier.VerificationError(f"the entries of the hot list {list_id} are missing")
        found.listed += sum(1 for _ in rows_of(folder, names, key, pages))
        about = json_object((folder / pages.among(names)[0]).read_bytes().split(b"\n", 1)[0], "a page")
        if int(about["until"]) < int(latest):
            raise verifier.VerificationError(f"the entries of the hot list {list_id} are of an older version")
    if {name.split("/")[1] for name in names if name.startswith("hot_lists/")} - known:
        raise verifier.VerificationError("there are entries of a hot list that is not among the lists")
    for pages in others:
        found.listed += sum(1 for _ in rows_of(folder, names, key, pages))


def _check_parts(folder: Path, names: set[str], house: House, found: Found) -> None:
    """Nothing that the export should have is missing."""
    if found.without_picture:
        raise verifier.VerificationError(f"the pictures of {found.without_picture} reads are not there")
    if found.not_included:
        raise verifier.VerificationError(f"not everything is included: {', '.join(found.not_included)}")
    wanted = {
        "reads/000001.jsonl",
        *(f"{one.folder}/000001.jsonl" for one in (*house.alerts, *house.hot_lists)),
        *(f"{name}.jsonl" for name in house.lists),
        *(f"evidence/{one.get('evidence_id')}.zip" for one in _list(folder, names, "evidence")),
        *(f"held/{one}/000001.jsonl" for one in _holds_in_force(folder, names)),
    }
    if lacking := sorted(wanted - names):
        raise verifier.VerificationError(f"the export is not complete: {', '.join(lacking)} is not there")
    if not found.sealed:
        raise verifier.VerificationError("the export is not complete: the log does not have its manifest")


def _check_complete(folder: Path, found: Found) -> None:
    """Log and Motor Carrier Safety are there; the log has every entry that proves a page."""
    sensors = [json_object(line, "a sensor") for line in _lines(folder / "sensors.jsonl")]
    apart = any(one.get("partition") == "PARTITION_MOTOR_CARRIER" for one in sensors)
    if apart and found.motor_carrier is None:
        raise verifier.VerificationError(
            f"the export is not complete: {MOTOR_CARRIER}/ is not there, and the agency has sensors of it"
        )
    if not (folder / LOG).exists():
        raise verifier.VerificationError(f"the export is not complete: {LOG} is not there")
    if found.log_entries <= (newest := _newest_entry(folder)):
        raise verifier.VerificationError(f"the log ends before entry {newest}, by which a page left")


def _holds_in_force(folder: Path, names: set[str]) -> list[str]:
    return [str(one.get("hold_id")) for one in _list(folder, names, "holds") if not one.get("release_time")]


def _list(folder: Path, names: set[str], name: str) -> list[dict[str, Any]]:
    """The records of a list of the export; none when it is not there."""
    if f"{name}.jsonl" not in names:
        return []
    return [json_object(line, f"a line of {name}") for line in _lines(folder / f"{name}.jsonl")]


def _newest_entry(folder: Path) -> int:
    """The place in the log of the newest entry that proves a page or a manifest; -1 without any."""
    newest = -1
    for path in (*folder.rglob("*.receipts.json"), *folder.rglob(SEAL)):
        receipts = json_object(path.read_bytes(), path.name)
        try:
            newest = max([newest, *(int(one["log_index"]) for one in receipts.values())])
        except (KeyError, TypeError, ValueError):
            raise verifier.VerificationError(f"{path.name} holds what is no receipt") from None
    return newest


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
    _tell(found)
    print(f"      {found.log_entries} entries of the log")
    if found.motor_carrier:
        print("Motor Carrier Safety:")
        _tell(found.motor_carrier)
    return 0


def _tell(found: Found) -> None:
    print(f"good: {found.reads} reads in {found.pages} pages, none left out between them")
    print(f"      {found.held_reads} reads that holds keep; {found.evidence} evidence packages")
    print(f"      {found.pictures} pictures, {found.without_picture} not there")
    print(
        f"      {found.alerts} alerts and {found.about_alerts} records about them; "
        f"{found.listed} entries of {found.hot_lists} hot lists and local lists"
    )
    print(f"      {'the log has the manifest, and by it every file' if found.sealed else _NOT_SEALED}")
    print(f"      not included: {', '.join(found.not_included) or 'nothing of what the agency owns'}")


if __name__ == "__main__":
    sys.exit(main())
