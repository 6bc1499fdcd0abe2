#!/usr/bin/env python3
"""Checks a transparency report offline, and counts it anew from an export of the log.

    python verify_transparency.py --public-key FILE [--checkpoint FILE ...] [--witness-key FILE]
                                  FOLDER [export.jsonl ...]

FOLDER is a report as it is published: report.json, report.csv, report.html, receipt.json. With the log's
public key alone it is checked that the report is the one that the log has, and that table and page say what
report.json says. With an export of the log from its first entry on (`platewarden audit export`, whole or with
--counted) the report is counted anew. --checkpoint and --witness-key are those of verifier.py. It exits with
0 when everything holds and with 1 at the first thing that does not, named in one sentence.

It needs verifier.py, transparency.py and transparency_pages.py in the same folder, and nothing but Python.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

if __package__:
    from services.audit import verifier
    from services.common import transparency, transparency_pages
    from services.common.transparency_pages import PAGE, RECEIPT, REPORT, TABLE
else:  # alone, with these three in the same folder
    import transparency  # type: ignore[no-redef, import-not-found]
    import transparency_pages  # type: ignore[no-redef, import-not-found]
    import verifier  # type: ignore[no-redef, import-not-found]
    from transparency_pages import (  # type: ignore[no-redef]
        PAGE,
        RECEIPT,
        REPORT,
        TABLE,
    )

PUBLISHED = "transparency.published"


def check_files(folder: Path, key: verifier.PublicKey) -> tuple[Mapping[str, Any], verifier.Checkpoint]:
    """The report of the folder and the checkpoint that it names, when it is the one that the log has.

    Raises:
        VerificationError: It is not, or another file says something else.
    """
    raw = (folder / REPORT).read_bytes()
    try:
        report = json.loads(raw)
        transparency_pages.terms_in(report)
        same = transparency_pages.json_of(report) == raw
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise verifier.VerificationError(f"{REPORT} is no transparency report: {error}") from None
    if not same:
        raise verifier.VerificationError(f"{REPORT} is not in its one spelling")
    checkpoint = verifier.open_checkpoint(str(report["checkpoint"]), key)
    opened = verifier.verify_receipt((folder / RECEIPT).read_text(encoding="utf-8"), key)
    for holds, sentence in (
        (opened.get("action") == PUBLISHED, "is of another act"),
        (opened.get("agency") == report["agency"]["ori"], "is of another agency"),
        (opened.get("detail.sha256") == hashlib.sha256(raw).hexdigest(), "is of another report"),
        (opened.get("detail.entries") == str(checkpoint.size), "is of another number of entries"),
    ):
        if not holds:
            raise verifier.VerificationError(f"{RECEIPT} {sentence}")
    for name, made in ((TABLE, transparency_pages.csv_of), (PAGE, transparency_pages.html_of)):
        if (folder / name).exists() and (folder / name).read_bytes() != made(report):
            raise verifier.VerificationError(f"{name} says something else than {REPORT}")
    return report, checkpoint


def check_counts(
    report: Mapping[str, Any],
    checkpoint: verifier.Checkpoint,
    exports: Sequence[Path],
    key: verifier.PublicKey,
    elsewhere: Sequence[verifier.Checkpoint] = (),
) -> int:
    """The number of entries from which the report was counted anew, to the same numbers.

    Raises:
        VerificationError: The export does not hold, lacks what is counted, or gives other numbers.
    """
    wanted = verifier.Wanted(checkpoints=[checkpoint, *elsewhere])
    held = verifier.verify_exports(map(_lines_of, exports), key, wanted=wanted)
    terms = transparency_pages.terms_in(report)
    tally = transparency.Tally(terms)
    offences = frozenset(terms.rows.get("offence", ()))
    gone = sum(number for name, number in held.redacted.items() if name in transparency.COUNTED)
    for index, values, names in _entries(exports):
        if index >= checkpoint.size:
            break
        lacks = (names & transparency.counted_names(values, offences)) - values.keys()
        if lacks and not gone:
            raise verifier.VerificationError(
                f"entry {index} does not show its field {min(lacks)!r}, by which it is counted"
            )
        tally.take(values)
    counted = {
        "measures": tally.measures(),
        "purges": {name: tally.purges[name] for name in report["purges"]},
    }
    for name, found in counted.items():
        if found != report[name]:
            why = f"; {gone} counted fields were lawfully redacted" if gone else ""
            raise verifier.VerificationError(f"the log gives other {name} than the report{why}")
    return checkpoint.size


def _entries(exports: Sequence[Path]) -> Iterator[tuple[int, dict[str, str], frozenset[str]]]:
    """Place, shown fields and names of all fields of each entry; the exports have been verified."""
    for raw in chain.from_iterable(map(_lines_of, exports)):
        item = json.loads(raw)
        if item["type"] == "entry":
            leaf = base64.b64decode(item["leaf"]).decode()
            names = frozenset(line.partition(" ")[0] for line in leaf.splitlines()[1:])
            yield item["log_index"], {one["name"]: one["value"] for one in item["fields"]}, names


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything holds; else 1, with one sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="from elsewhere")
    parser.add_argument("--witness-key", type=Path, help="whose signature every --checkpoint must bear")
    parser.add_argument("folder", type=Path, help="the report as it was published")
    parser.add_argument("export", nargs="*", type=Path, help="exports of the log in their order")
    given = parser.parse_args(arguments)
    try:
        for line in _checked(given):
            print(line)
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except verifier.VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    return 0


def _checked(given: argparse.Namespace) -> Iterator[str]:
    key = verifier.read_public_key(given.public_key.read_text(encoding="utf-8"))
    texts = (path.read_text(encoding="utf-8") for path in given.checkpoint)
    notes = list(chain.from_iterable(map(verifier.read_checkpoints, texts)))
    elsewhere = [verifier.open_checkpoint(note, key) for note in notes]
    if given.witness_key:
        witness = verifier.read_witness_key(given.witness_key.read_text(encoding="utf-8"))
        for note in notes:
            verifier.witnessed_at(note, witness)
    if (given.witness_key and not notes) or (notes and not given.export):
        raise verifier.VerificationError("checkpoints from elsewhere are held against an export of the log")
    report, checkpoint = check_files(given.folder, key)
    yield f"good: report of {report['agency']['ori']} from {report['from'][:10]} to {report['to'][:10]}"
    if given.export:
        entries = check_counts(report, checkpoint, given.export, key, elsewhere)
        yield f"good: counted anew from {entries} entries of the log, to the same numbers"


if __name__ == "__main__":
    sys.exit(main())
